import type { Question } from "../../test/support/ask.ts";
import type { Arena, Principal } from "./arena.ts";
import { hold } from "./attack.ts";

export interface Wanted extends Question {
  readonly path: string;
  /** Any of these is a refusal. */
  readonly statuses: readonly number[];
}

/** Each request is refused with one of its statuses. */
export async function allRefused(arena: Arena, who: Principal | undefined, list: readonly Wanted[]): Promise<void> {
  for (const { path, statuses, ...question } of list) {
    const { status, text } = await arena.ask(who, path, question);
    hold(statuses.includes(status), `${question.method ?? "GET"} ${path} is answered ${status} ${text.slice(0, 200)}`);
  }
}
