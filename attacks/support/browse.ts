/** What the journal still holds of a filter, as `GET /v1/messages` shows it. */
import type { Arena, Principal } from "./arena.ts";

export interface Browsed {
  readonly topic: string;
  readonly publisher: string;
  readonly payload?: string;
  readonly offset: number;
}

const pagesMax = 200;

/** All pages: one may be empty before the end. */
export async function browse(arena: Arena, who: Principal, filter: string): Promise<readonly Browsed[]> {
  const all: Browsed[] = [];
  let cursor = "";
  for (let page = 0; page < pagesMax; page += 1) {
    const place = cursor === "" ? "from=earliest" : `cursor=${cursor}`;
    const path = `/v1/messages?filter=${encodeURIComponent(filter)}&${place}`;
    const { status, text } = await arena.ask(who, path);
    if (status !== 200) throw new Error(`${path} is answered ${status} ${text}`);
    const { messages, next } = JSON.parse(text) as { messages: Browsed[]; next?: string };
    all.push(...messages);
    if (next === undefined) return all;
    cursor = encodeURIComponent(next);
  }
  throw new Error(`${filter} has more than ${pagesMax} pages`);
}
