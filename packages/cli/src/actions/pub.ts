import type { MqttClient, MqttPublishOptions } from "@mess/client";
import { usageError } from "../cli-error.ts";
import type { PubOptions } from "../commands/pub.ts";
import type { Io } from "../io.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatCount, formatMilliseconds } from "../units.ts";
import { readLines, readPayload } from "./read-stdin.ts";
import { withClient } from "./with-client.ts";

/** Unacknowledged publishes kept open: enough to fill the server's frames, few enough to name the one that failed. */
const windowMax = 1000;

export async function pub(io: Io, topic: string, payload: string | undefined, options: PubOptions): Promise<void> {
  const { lines = false, count } = options;
  if (lines && payload !== undefined && payload !== "-") throw usageError("--lines reads stdin: leave the payload out");
  if (lines && count > 1) throw usageError("--lines and --count exclude each other");
  if (options.protocol === 4 && needsVersion5(options)) {
    throw usageError("--property, --content-type and --expiry need MQTT 5", "leave out --protocol 4");
  }
  const source = lines ? readLines(io) : repeat(await onePayload(io, payload), count);
  const version = options.protocol === 4 ? 4 : 5;
  await withClient(io, options, { version }, async (client) => {
    const outcome = await publishAll(client, topic, source, publishOptions(options));
    await report(io, topic, outcome, options);
  });
}

async function onePayload(io: Io, payload: string | undefined): Promise<Uint8Array> {
  if (payload !== undefined && payload !== "-") return Buffer.from(payload);
  if (io.stdin.isTTY === true) note(io, "reading the payload from the terminal; Ctrl-D ends it");
  return readPayload(io);
}

async function* repeat(payload: Uint8Array, count: number): AsyncGenerator<Uint8Array, void, undefined> {
  for (let index = 0; index < count; index += 1) yield payload;
}

interface Outcome {
  readonly published: number;
  /** Messages the server stored although nobody subscribes (5.0, code 0x10). */
  readonly unread: number;
  readonly milliseconds: number;
}

async function publishAll(
  client: MqttClient,
  topic: string,
  payloads: AsyncIterable<Uint8Array>,
  options: MqttPublishOptions,
): Promise<Outcome> {
  const open = new Set<Promise<void>>();
  let published = 0;
  let unread = 0;
  let failure: { error: unknown } | undefined;
  const started = performance.now();
  for await (const payload of payloads) {
    if (failure !== undefined) break;
    const one = client.publish(topic, payload, options).then(
      ({ reasonCode }) => {
        published += 1;
        if (reasonCode === 0x10) unread += 1;
      },
      (error: unknown) => {
        failure ??= { error };
      },
    );
    const settled = one.finally(() => open.delete(settled));
    open.add(settled);
    if (open.size >= windowMax) await Promise.race(open);
  }
  await Promise.all(open);
  if (failure !== undefined) throw failure.error;
  return { published, unread, milliseconds: performance.now() - started };
}

function publishOptions(options: PubOptions): MqttPublishOptions {
  const qos = options.qos === 0 ? 0 : options.qos === 1 ? 1 : 2;
  const properties = {
    ...(options.property.length > 0 && { userProperties: options.property }),
    ...(options.contentType !== undefined && { contentType: options.contentType }),
    ...(options.expiry !== undefined && { messageExpiryInterval: options.expiry }),
  };
  return { qos, retain: options.retain ?? false, ...(needsVersion5(options) && { properties }) };
}

function needsVersion5({ property, contentType, expiry }: PubOptions): boolean {
  return property.length > 0 || contentType !== undefined || expiry !== undefined;
}

async function report(io: Io, topic: string, outcome: Outcome, options: PubOptions): Promise<void> {
  const { published, unread, milliseconds } = outcome;
  if (options.json === true) {
    const rounded = Math.round(milliseconds * 1000) / 1000;
    return printJson(io, { topic, qos: options.qos, published, unread, milliseconds: rounded });
  }
  // QoS 0 promises nothing: it was handed over, no more.
  const word = options.qos === 0 ? "sent" : "durable";
  const many = published === 1 ? "" : ` ${formatCount(published)} messages`;
  const nobody =
    unread === 0
      ? ""
      : unread === published
        ? ", nobody subscribes yet"
        : `, ${formatCount(unread)} without a subscriber`;
  await print(io, `${word}${many} (${formatMilliseconds(milliseconds)})${nobody}\n`);
}
