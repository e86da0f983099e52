import type { ConfirmedOptions } from "../commands/list-options.ts";
import type { Io } from "../io.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, printJson } from "../terminal/print.ts";
import { formatCount } from "../units.ts";
import { administer } from "./administer.ts";
import { numberField, objectFrom } from "./answer.ts";

export interface Erased {
  readonly filter: string;
  readonly key?: string;
}

const hints = { 404: "mess topic create FILTER --erasure topic|key makes what is published from then on erasable" };

export async function eraseMessages(io: Io, { filter, key }: Erased, options: ConfirmedOptions): Promise<void> {
  const what = key === undefined ? `everything on "${filter}"` : `everything of the key "${key}" on "${filter}"`;
  if (!(await confirm(io, `make ${what} unreadable for good`, options.yes ?? false))) {
    return note(io, "nothing was changed");
  }
  const administration = await administer(io, options);
  const path = `/v1/topics/${encodeURIComponent(filter)}/erase`;
  const body = key === undefined ? {} : { key };
  const domains = numberField(
    objectFrom(await administration.request({ method: "POST", path, body, hints })),
    "domains",
  );
  if (options.json === true) return printJson(io, { filter, ...(key !== undefined && { key }), domains });
  const kind = key === undefined ? "topics or keys" : "key";
  note(io, `erased: ${formatCount(domains)} ${kind}; what they held cannot be read any more`);
}
