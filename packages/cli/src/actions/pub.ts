import type { MqttClient, MqttPublishOptions, MqttPublishResult } from "@mess/client";
import type { MessageSigner } from "@mess/client/signing";
import { CliError, usageError } from "../cli-error.ts";
import type { MessageOptions } from "../commands/message-options.ts";
import type { PubOptions } from "../commands/pub.ts";
import { describeError } from "../describe-error.ts";
import type { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { ProgressCount } from "../terminal/progress-count.ts";
import { formatCount, formatMilliseconds } from "../units.ts";
import { atLine, batchMessage } from "./batch-line.ts";
import { messageProperties, metaOf, metaProperties } from "./message-properties.ts";
import { publishAtomically } from "./pub-atomic.ts";
import { readLines, readPayload } from "./read-stdin.ts";
import { readSigner } from "./signing-files.ts";
import { withClient } from "./with-client.ts";

/** Unacknowledged publishes kept open: enough to fill the server's frames, few enough to name the one that failed. */
const windowMax = 1000;
const windowBytesMax = 4 * 1024 * 1024;

/** `topic` is undefined with --batch only. */
export async function pub(
  io: Io,
  topic: string | undefined,
  payload: string | undefined,
  options: PubOptions,
): Promise<void> {
  checkOptions(topic, payload, options);
  if (options.atomic === true) return publishAtomically(io, topic, options);
  const version = options.protocol === 4 ? 4 : 5;
  const source = await sourceOf(io, topic, payload, options);
  const signer = options.signKey === undefined ? undefined : await readSigner(io, options.signKey);
  await withClient(io, options, { version, ...(version === 5 && { properties: metaProperties }) }, async (client) => {
    const progress = new ProgressCount(io.stderr, "published");
    const outcome = await publishAll(publisher(client, signer), source, (count) => progress.update(count)).finally(() =>
      progress.clear(),
    );
    await report(io, topic, outcome, options);
  });
}

function checkOptions(topic: string | undefined, payload: string | undefined, options: PubOptions): void {
  const { lines = false, batch = false, count } = options;
  if (topic === undefined && !batch) throw usageError("the topic is missing", "mess pub TOPIC [PAYLOAD]");
  if (lines && batch) throw usageError("--lines and --batch exclude each other");
  const streaming = lines ? "--lines" : batch ? "--batch" : undefined;
  if (streaming !== undefined && payload !== undefined && payload !== "-") {
    throw usageError(`${streaming} reads stdin: leave the payload out`);
  }
  if (streaming !== undefined && count > 1) throw usageError(`${streaming} and --count exclude each other`);
  if (options.atomic === true && streaming === undefined) throw usageError("--atomic needs --batch or --lines");
  if (options.signKey !== undefined && (options.atomic === true || options.protocol === 4)) {
    throw usageError("--sign-key goes neither with --atomic nor with --protocol 4");
  }
  if (options.protocol === 4 && (batch || messageProperties(options) !== undefined)) {
    throw usageError(
      "--batch, --header, --key, --id, --delay, --at, --priority, --expiry and --content-type need MQTT 5",
      "leave out --protocol 4",
    );
  }
  if (!batch) return;
  const { id: _prefix, ...others } = options;
  if (messageProperties(others) === undefined && options.retain !== true) return;
  throw usageError(
    "with --batch each line says what holds for its message",
    "of the message's options only --id goes with it",
  );
}

/** A message that is to be published, and where it came from, for messages about it. */
interface Outgoing {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly options: MqttPublishOptions;
  /** Line of stdin; 0 for none. */
  readonly line: number;
}

async function sourceOf(
  io: Io,
  topic: string | undefined,
  payload: string | undefined,
  options: PubOptions,
): Promise<AsyncIterable<Outgoing>> {
  if (options.batch === true) return batchSource(io, topic, options);
  const name = topic ?? "";
  if (options.lines === true) return lineSource(io, name, options);
  return repeated(name, await onePayload(io, payload), options);
}

async function onePayload(io: Io, payload: string | undefined): Promise<Uint8Array> {
  if (payload !== undefined && payload !== "-") return Buffer.from(payload);
  if (io.stdin.isTTY === true) note(io, "reading the payload from the terminal; Ctrl-D ends it");
  return readPayload(io);
}

async function* repeated(topic: string, payload: Uint8Array, options: PubOptions): AsyncGenerator<Outgoing> {
  const { count } = options;
  for (let index = 1; index <= count; index += 1) {
    yield { topic, payload, options: publishOptions(options, options, count > 1 ? index : 0), line: 0 };
  }
}

async function* lineSource(io: Io, topic: string, options: PubOptions): AsyncGenerator<Outgoing> {
  let line = 0;
  for await (const payload of readLines(io)) {
    line += 1;
    yield { topic, payload, options: publishOptions(options, options, line), line };
  }
}

async function* batchSource(io: Io, topic: string | undefined, options: PubOptions): AsyncGenerator<Outgoing> {
  let line = 0;
  for await (const bytes of readLines(io)) {
    line += 1;
    const text = Buffer.from(bytes).toString("utf8").trim();
    if (text === "") continue;
    let message: ReturnType<typeof batchMessage>;
    try {
      message = batchMessage(text, topic);
    } catch (error) {
      throw atLine(line, error);
    }
    const id = message.options.id ?? (options.id === undefined ? undefined : `${options.id}:${line}`);
    const said = { ...message.options, ...(id !== undefined && { id }) };
    yield { ...message, options: publishOptions({ ...options, retain: message.retain }, said, 0), line };
  }
}

/** @param number of many messages with one `--id`: each gets its own; 0 leaves the id as it is */
function publishOptions(
  { qos, retain }: Pick<PubOptions, "qos" | "retain">,
  said: MessageOptions,
  number: number,
): MqttPublishOptions {
  const { id } = said;
  const properties = messageProperties(id === undefined || number === 0 ? said : { ...said, id: `${id}:${number}` });
  return {
    qos: qos === 0 ? 0 : qos === 1 ? 1 : 2,
    retain: retain ?? false,
    ...(properties !== undefined && { properties }),
  };
}

interface Outcome {
  readonly published: number;
  /** Messages the server stored although nobody subscribes (5.0, code 0x10). */
  readonly unread: number;
  /** Messages whose ids were published before: nothing was stored for them. */
  readonly repeated: number;
  /** Of the last message, when the server said it. */
  readonly offset: number | undefined;
  readonly milliseconds: number;
}

type Publish = (message: Outgoing) => Promise<MqttPublishResult>;

/** Signing takes time, and keeps the order. */
function publisher(client: MqttClient, signer: MessageSigner | undefined): Publish {
  if (signer === undefined) return ({ topic, payload, options }) => client.publish(topic, payload, options);
  return async ({ topic, payload, options }) => {
    const properties = await signer({ topic, payload, properties: options.properties ?? {} }, Date.now());
    return client.publish(topic, payload, { ...options, properties });
  };
}

async function publishAll(
  publish: Publish,
  messages: AsyncIterable<Outgoing>,
  progress: (published: number) => void,
): Promise<Outcome> {
  const open = new Set<Promise<void>>();
  const outcome = { published: 0, unread: 0, repeated: 0, offset: undefined as number | undefined };
  let openBytes = 0;
  let failure: { error: unknown; line: number } | undefined;
  const started = performance.now();
  const take = ({ reasonCode, properties = {} }: MqttPublishResult): void => {
    const { offset, duplicate } = metaOf(properties);
    outcome.published += 1;
    if (reasonCode === 0x10) outcome.unread += 1;
    if (duplicate === true) outcome.repeated += 1;
    if (typeof offset === "number") outcome.offset = offset;
    progress(outcome.published);
  };
  try {
    for await (const message of messages) {
      if (failure !== undefined) break;
      const { payload, line } = message;
      openBytes += payload.length;
      const settled = publish(message)
        .then(take, (error: unknown) => {
          failure ??= { error, line };
        })
        .finally(() => {
          openBytes -= payload.length;
          open.delete(settled);
        });
      open.add(settled);
      while (open.size >= windowMax || (openBytes > windowBytesMax && open.size > 0)) await Promise.race(open);
    }
  } catch (error) {
    // A line that is no message: what came before it is published all the same.
    failure ??= { error, line: 0 };
  }
  await Promise.all(open);
  if (failure !== undefined) throw failed(failure, outcome.published);
  return { ...outcome, milliseconds: performance.now() - started };
}

/** Of many messages: which one failed, and how many are published. */
function failed({ error, line }: { error: unknown; line: number }, published: number): unknown {
  const { exitCode, message, hint, stack } = describeError(error);
  if (stack !== undefined || (line === 0 && published === 0)) return error;
  const where = line === 0 ? "" : `line ${line}: `;
  const before = `${formatCount(published)} ${published === 1 ? "message is" : "messages are"} published`;
  return new CliError(exitCode as ExitCode, `${where}${message} (${before})`, hint, error);
}

async function report(io: Io, topic: string | undefined, outcome: Outcome, options: PubOptions): Promise<void> {
  const { published, unread, repeated: again, offset, milliseconds } = outcome;
  if (options.json === true) {
    const rounded = Math.round(milliseconds * 1000) / 1000;
    return printJson(io, {
      ...(topic !== undefined && { topic }),
      qos: options.qos,
      published,
      unread,
      ...(again > 0 && { repeated: again }),
      ...(offset !== undefined && { offset }),
      milliseconds: rounded,
    });
  }
  // QoS 0 promises nothing: it was handed over, no more.
  const word = options.qos === 0 ? "sent" : "durable";
  const many = published === 1 ? "" : ` ${formatCount(published)} messages`;
  const place = published === 1 && offset !== undefined ? ` at offset ${offset}` : "";
  const remarks = [
    ...(again === 0 ? [] : [published === 1 ? "published before" : `${formatCount(again)} published before`]),
    ...(unread === 0
      ? []
      : [unread === published ? "nobody subscribes yet" : `${formatCount(unread)} without a subscriber`]),
  ];
  await print(io, `${[`${word}${many}${place} (${formatMilliseconds(milliseconds)})`, ...remarks].join(", ")}\n`);
}
