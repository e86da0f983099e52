import { usageError } from "../cli-error.ts";
import type { DeadListOptions, DeadSelectionOptions } from "../commands/dead.ts";
import type { JsonOptions } from "../commands/list-options.ts";
import type { Io } from "../io.ts";
import type { Administration } from "../target/administration.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { ProgressBar } from "../terminal/progress-bar.ts";
import { formatFields, printable } from "../terminal/table.ts";
import { formatAge, formatCount } from "../units.ts";
import { administer } from "./administer.ts";
import { type AnswerObject, numberField, objectFrom, shownField } from "./answer.ts";
import { deathOf, httpMessageJson, messageFields, payloadOf } from "./http-message.ts";
import { allPages, printList } from "./pages.ts";
import { deadCount, subscriptionHints, subscriptionPath } from "./subscription.ts";

/** Dead letters are counted up to this before it is asked; beyond, "more than" is enough. */
const countedMax = 1000;

const listOf = (name: string): { path: string; items: string; hints: Readonly<Record<number, string>> } => ({
  path: `${subscriptionPath(name)}/dead`,
  items: "messages",
  hints: subscriptionHints,
});

export async function listDead(io: Io, name: string, options: DeadListOptions): Promise<void> {
  const administration = await administer(io, options);
  const now = Date.now();
  await printList(io, options, {
    items: withReason(allPages(administration, listOf(name)), options.reason),
    columns: [
      { title: "OFFSET", align: "right" },
      { title: "TOPIC" },
      { title: "ATTEMPTS", align: "right" },
      { title: "REASON" },
      { title: "AGE", align: "right" },
    ],
    row: (message) => {
      const death = deathOf(message);
      const topic = shownField(death, "topic") || shownField(message, "topic");
      const age = now - Date.parse(shownField(message, "time"));
      const shownAge = Number.isNaN(age) ? "" : formatAge(age);
      return [
        shownField(message, "offset"),
        topic,
        shownField(death, "attempts"),
        shownField(death, "reason"),
        shownAge,
      ];
    },
    json: httpMessageJson,
    none: `${name} has no dead letters${options.reason === undefined ? "" : " with this reason"}`,
  });
}

async function* withReason(
  messages: AsyncIterable<AnswerObject>,
  reason: string | undefined,
): AsyncGenerator<AnswerObject, void, undefined> {
  for await (const message of messages) {
    if (reason === undefined || shownField(deathOf(message), "reason").includes(reason)) yield message;
  }
}

export async function showDead(io: Io, name: string, offset: number, options: JsonOptions): Promise<void> {
  const administration = await administer(io, options);
  const hints = { 404: `mess dead ls ${name} lists them; it may have been redriven or purged` };
  const request = { method: "GET", path: `${subscriptionPath(name)}/dead/${offset}`, hints } as const;
  const message = objectFrom(await administration.request(request));
  if (options.json === true) return printJson(io, httpMessageJson(message));
  await print(io, `${formatFields(messageFields(message))}\n`);
  const payload = payloadOf(message);
  const terminal = io.stdout.isTTY === true;
  await print(io, terminal ? `${printable(payload.toString("utf8"))}\n` : Buffer.concat([payload, Buffer.from("\n")]));
}

export function redriveDead(io: Io, name: string, options: DeadSelectionOptions): Promise<void> {
  return work(io, name, options, { verb: "redrive", done: "redriven" });
}

export function purgeDead(io: Io, name: string, options: DeadSelectionOptions): Promise<void> {
  return work(io, name, options, { verb: "purge", done: "purged" });
}

interface Work {
  readonly verb: "redrive" | "purge";
  readonly done: string;
}

async function work(io: Io, name: string, options: DeadSelectionOptions, { verb, done }: Work): Promise<void> {
  const selection = selectionOf(options);
  const administration = await administer(io, options);
  const what = options.yes === true ? "" : await describeSelection(io, name, options, administration);
  if (!(await confirm(io, `${verb} ${what}`, options.yes ?? false))) return note(io, "nothing was changed");
  const bar = new ProgressBar(io.stderr, done);
  const request = { method: "POST", path: `${subscriptionPath(name)}/dead/${verb}`, body: selection } as const;
  let sum = 0;
  let total = Number.POSITIVE_INFINITY;
  try {
    // What is redriven may fail again at once: that is not to be redriven for ever.
    while (sum < total) {
      const answer = objectFrom(await administration.request({ ...request, hints: subscriptionHints }));
      const one = numberField(answer, "done");
      if (total === Number.POSITIVE_INFINITY) total = one + numberField(answer, "remaining");
      sum += one;
      bar.update(sum, total);
      if (one === 0) break;
    }
  } finally {
    bar.clear();
  }
  if (options.json === true) return printJson(io, { done: sum, remaining: Math.max(0, total - sum) });
  await print(io, `${done} ${formatCount(sum)}\n`);
}

function selectionOf({ offset, reason, all }: DeadSelectionOptions): AnswerObject {
  const given = [offset, reason, all].filter((one) => one !== undefined && one !== false).length;
  if (given !== 1) throw usageError("say which dead letters", "pass one of --offset, --reason and --all");
  if (offset !== undefined) return { offsets: offset };
  return reason === undefined ? { all: true } : { reason };
}

async function describeSelection(
  io: Io,
  name: string,
  options: DeadSelectionOptions,
  administration: Administration,
): Promise<string> {
  const { offset, reason } = options;
  if (offset !== undefined) return letters(offset.length);
  if (reason === undefined) return letters(await deadCount(io, name, options));
  let count = 0;
  for await (const _ of withReason(allPages(administration, listOf(name)), reason)) {
    count += 1;
    if (count > countedMax) return `more than ${letters(countedMax)}`;
  }
  return letters(count);
}

function letters(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "message" : "messages"}`;
}
