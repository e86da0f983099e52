import type { ListOptions } from "../commands/list-options.ts";
import type { Io } from "../io.ts";
import type { Administration } from "../target/administration.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { type Column, formatTable } from "../terminal/table.ts";
import { type AnswerObject, objectFrom, objectsField } from "./answer.ts";

const pageItems = 100;
const tableRowsMax = 1000;

export interface ListRequest {
  /** With the query, if any. */
  readonly path: string;
  /** Member of a page that holds its items. */
  readonly items: string;
  readonly hints?: Readonly<Record<number, string>>;
}

/** The items of a list, over all its pages. */
export async function* allPages(
  administration: Administration,
  { path, items, hints }: ListRequest,
): AsyncGenerator<AnswerObject, void, undefined> {
  let cursor: string | undefined;
  do {
    const query = `limit=${pageItems}${cursor === undefined ? "" : `&cursor=${encodeURIComponent(cursor)}`}`;
    const page = objectFrom(
      await administration.request({
        method: "GET",
        path: `${path}${path.includes("?") ? "&" : "?"}${query}`,
        ...(hints !== undefined && { hints }),
      }),
    );
    yield* objectsField(page, items);
    const { next } = page;
    // A server that gives the same cursor for ever must not keep us for ever.
    cursor = typeof next === "string" && next !== cursor ? next : undefined;
  } while (cursor !== undefined);
}

export interface Listing {
  readonly items: AsyncIterable<AnswerObject>;
  readonly columns: readonly Column[];
  readonly row: (item: AnswerObject) => readonly string[];
  /** Of JSON lines; the item itself without. */
  readonly json?: (item: AnswerObject) => unknown;
  /** Said where there is nothing. */
  readonly none: string;
}

/** A table for people, or a line of JSON an item. */
export async function printList(io: Io, options: ListOptions, listing: Listing): Promise<void> {
  const { limit } = options;
  if (options.json === true) {
    let printed = 0;
    for await (const item of listing.items) {
      if (printed === limit) return;
      await printJson(io, listing.json?.(item) ?? item);
      printed += 1;
    }
    return;
  }
  const rows: (readonly string[])[] = [];
  let more = false;
  for await (const item of listing.items) {
    more = rows.length === (limit ?? tableRowsMax);
    if (more) break;
    rows.push(listing.row(item));
  }
  if (rows.length === 0) return note(io, listing.none);
  await print(io, formatTable(listing.columns, rows));
  if (more && limit === undefined) note(io, `there are more than ${tableRowsMax}: use --limit or --json`);
}
