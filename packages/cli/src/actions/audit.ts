import { setTimeout as sleep } from "node:timers/promises";
import type { AuditOptions } from "../commands/audit.ts";
import type { Io } from "../io.ts";
import type { Administration } from "../target/administration.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { printable } from "../terminal/table.ts";
import { parseDuration, parseTime } from "../units.ts";
import { administer } from "./administer.ts";
import { type AnswerObject, numberField, objectFrom, objectsField, shownField, textField } from "./answer.ts";

const pageItems = 100;
const followMs = 1_000;

export async function audit(io: Io, options: AuditOptions): Promise<void> {
  const wanted = wish(options, Date.now());
  const signal = io.watchSignals();
  const administration = await administer(io, options);
  let from = 0;
  let tail: AnswerObject[] = [];
  let printed = 0;
  const show = async (record: AnswerObject): Promise<void> => {
    printed++;
    await (options.json === true ? printJson(io, record) : print(io, line(record)));
  };
  do {
    const page = await read(administration, wanted, from);
    for (const record of page.records) {
      if (options.last === undefined) await show(record);
      else tail.push(record);
    }
    if (options.last !== undefined) tail = tail.slice(-options.last);
    from = page.next;
    if (page.more) continue;
    for (const record of tail) await show(record);
    tail = [];
    if (options.follow !== true) break;
    await sleep(followMs, undefined, { signal }).catch(() => undefined);
  } while (!signal.aborted);
  if (printed === 0 && options.follow !== true) note(io, "no such records");
}

async function read(
  administration: Administration,
  wanted: Readonly<Record<string, string>>,
  from: number,
): Promise<{ readonly records: readonly AnswerObject[]; readonly next: number; readonly more: boolean }> {
  const query = new URLSearchParams({ ...wanted, from: String(from), limit: String(pageItems) });
  const page = objectFrom(await administration.request({ method: "GET", path: `/v1/audit?${query}` }));
  return { records: objectsField(page, "records"), next: numberField(page, "next"), more: page["more"] === true };
}

function wish(options: AuditOptions, now: number): Record<string, string> {
  const { event, principal, since, until } = options;
  return {
    ...(event !== undefined && { event }),
    ...(principal !== undefined && { principal }),
    ...(since !== undefined && { since: timeOf(since, now) }),
    ...(until !== undefined && { until: timeOf(until, now) }),
  };
}

/** `2026-01-31T12:00:00Z`, or `2h` ago. */
function timeOf(text: string, now: number): string {
  return /^\d{4}-/u.test(text) ? parseTime(text) : new Date(now - parseDuration(text)).toISOString();
}

/** One line a record, whatever is in it (threat A3). */
function line(record: AnswerObject): string {
  const detail = Object.entries(objectFrom(record["detail"])).map(
    ([name, value]) => `${name}=${JSON.stringify(value)}`,
  );
  return `${printable([shownField(record, "at"), textField(record, "event"), ...detail].join("  "))}\n`;
}
