import type { SubscriptionPullOptions } from "../commands/subscription.ts";
import type { Io } from "../io.ts";
import type { Administration } from "../target/administration.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { administer } from "./administer.ts";
import { type AnswerObject, objectFrom, objectsField, textField } from "./answer.ts";
import { httpMessageJson, httpMessageText } from "./http-message.ts";
import { subscriptionHints, subscriptionPath } from "./subscription.ts";

/** Leases taken at a time: what is printed and not settled yet is lost to others for that long. */
const pullMax = 100;
/** The server's longest wait. */
const waitMaxMs = 30_000;

export async function pullSubscription(io: Io, name: string, options: SubscriptionPullOptions): Promise<void> {
  const administration = await administer(io, options);
  const until = performance.now() + options.wait;
  let printed = 0;
  while (printed < options.limit) {
    const waitMs = printed > 0 ? 0 : Math.min(waitMaxMs, Math.max(0, Math.ceil(until - performance.now())));
    const messages = await take(administration, name, Math.min(pullMax, options.limit - printed), waitMs);
    for (const message of messages) await printOne(io, message, options);
    await settle(io, administration, { name, options }, messages);
    printed += messages.length;
    if (messages.length === 0 && (printed > 0 || performance.now() >= until)) return;
  }
}

async function take(
  administration: Administration,
  name: string,
  max: number,
  waitMs: number,
): Promise<readonly AnswerObject[]> {
  const answer = await administration.request({
    method: "POST",
    path: `${subscriptionPath(name)}/pull`,
    body: { max, waitMs },
    patience: waitMs,
    hints: subscriptionHints,
  });
  return objectsField(objectFrom(answer), "messages");
}

async function printOne(io: Io, message: AnswerObject, options: SubscriptionPullOptions): Promise<void> {
  if (options.json !== true) {
    return print(io, httpMessageText(message, options.verbose ?? false, io.stdout.isTTY === true));
  }
  const { token, ...rest } = httpMessageJson(message);
  // A token that was used is of no use.
  await printJson(io, options.ack ? rest : { token, ...rest });
}

async function settle(
  io: Io,
  administration: Administration,
  { name, options }: { readonly name: string; readonly options: SubscriptionPullOptions },
  messages: readonly AnswerObject[],
): Promise<void> {
  if (!options.ack || messages.length === 0) return;
  const verb = options.nack === true ? "nack" : options.reject === true ? "reject" : "ack";
  const tokens = messages.map((message) => textField(message, "token"));
  const request = { method: "POST", path: `${subscriptionPath(name)}/${verb}`, body: { tokens } } as const;
  const hints = { 410: "the leases ran out before the messages were printed: they come again" };
  const results = objectsField(objectFrom(await administration.request({ ...request, hints })), "results");
  const gone = results.filter(({ result }) => result !== "done" && result !== "dead").length;
  if (gone > 0)
    note(io, `${gone} of ${tokens.length} could not be settled: their leases are gone, and they come again`);
}
