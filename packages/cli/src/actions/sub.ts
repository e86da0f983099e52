import { MessError, type MqttClient, type MqttConnectOptions, type MqttMessage } from "@mess/client";
import type { MessageVerifier } from "@mess/client/signing";
import { CliError, usageError } from "../cli-error.ts";
import type { SubOptions } from "../commands/sub.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { printable } from "../terminal/table.ts";
import { parsePosition } from "../units.ts";
import { messageJson, messageText } from "./format-message.ts";
import { metaProperties } from "./message-properties.ts";
import { readVerifier } from "./signing-files.ts";
import { withClient } from "./with-client.ts";

const queuePrefix = "$mess/queue/";
/** Messages that the server may send ahead of what is printed. */
const creditMax = 100;
/** MQTT 5.0: a negative acknowledgement; "payload format invalid" is taken as final. */
const nackCode = 0x80;
const rejectCode = 0x99;

export async function sub(io: Io, filters: readonly string[], options: SubOptions): Promise<void> {
  const reading = readingOf(filters, options);
  const verifier = options.verify === undefined ? undefined : await readVerifier(io, options.verify);
  await withClient(io, options, connectOptions(options), async (client) => {
    await subscribe(client, reading, options);
    if (options.quiet !== true) note(io, reading.note);
    await printMessages(io, client, { ...reading, verifier }, options);
  });
}

/** What is subscribed to, and how. */
interface Reading {
  readonly filters: readonly string[];
  readonly properties: readonly (readonly [name: string, value: string])[];
  /** Goes before each topic, and is not part of it. */
  readonly prefix: string;
  readonly note: string;
}

function readingOf(filters: readonly string[], options: SubOptions): Reading {
  const { queue, from, protocol, verify } = options;
  if (verify !== undefined && protocol === 4) throw usageError("--verify needs MQTT 5", "leave out --protocol 4");
  if (from !== undefined && protocol === 4) throw usageError("--from needs MQTT 5", "leave out --protocol 4");
  const settles = !options.ack || options.nack === true || options.reject === true;
  if (queue === undefined) {
    if (filters.length === 0)
      throw usageError("what to subscribe to is missing", "name a topic filter, or --queue NAME");
    if (settles) throw usageError("--no-ack, --nack and --reject need --queue");
    const place = from === undefined ? undefined : parsePosition(from, Date.now());
    return {
      filters,
      properties: place === undefined ? [] : [["mess-from", place]],
      prefix: "",
      note: `subscribed to ${filters.join(" ")}${place === undefined ? "" : ` from ${place}`}`,
    };
  }
  if (filters.length > 0) throw usageError("--queue reads a declared subscription, which has filters of its own");
  if (from !== undefined) {
    throw usageError("--queue goes on where it is", `mess subscription reset ${queue} --to ${from} sets its position`);
  }
  if (/[/+#]/u.test(queue)) throw usageError(`"${queue}" is not the name of a declared subscription`);
  if (protocol === 4 && settles) throw usageError("--nack and --reject need MQTT 5", "leave out --protocol 4");
  return {
    filters: [`${queuePrefix}${queue}/#`],
    properties: protocol === 4 ? [] : [["mess-credit", String(creditOf(options))]],
    prefix: `${queuePrefix}${queue}/`,
    note: `consuming from ${queue}`,
  };
}

/** No more than are printed: what is sent beyond goes back, and others wait for it meanwhile. */
function creditOf({ limit, count }: SubOptions): number {
  return Math.min(creditMax, limit ?? count ?? creditMax);
}

function connectOptions({ session, sessionExpiry, protocol, json, queue }: SubOptions): MqttConnectOptions {
  const version = protocol === 4 ? 4 : 5;
  const meta = version === 5 && (json === true || queue !== undefined);
  // By hand: a message counts as taken when it was written out, not when it arrived.
  const common: MqttConnectOptions = {
    version,
    acknowledge: "manual",
    receiveMaximum: creditMax,
    ...(meta && { properties: metaProperties }),
  };
  if (session === undefined) return common;
  return { ...common, clientId: session, cleanStart: false, sessionExpiry: Math.ceil(sessionExpiry / 1000) };
}

async function subscribe(client: MqttClient, reading: Reading, options: SubOptions): Promise<void> {
  const { filters, properties: userProperties } = reading;
  const qos = options.qos === 0 ? 0 : options.qos === 1 ? 1 : 2;
  const retainHandling = options.retained ? 0 : 2;
  const { reasonCodes, properties } = await client.subscribeAnswer(
    filters.map((filter) => ({ filter, qos, retainHandling })),
    userProperties.length === 0 ? undefined : { userProperties },
  );
  const refused = filters.flatMap((filter, index) => {
    const code = reasonCodes[index] ?? 0x80;
    return code >= 0x80 ? [{ filter, code }] : [];
  });
  if (refused.length === 0) return;
  throw refusal(refused, properties.reasonString, options.queue);
}

function refusal(
  refused: readonly { readonly filter: string; readonly code: number }[],
  reason: string | undefined,
  queue: string | undefined,
): CliError {
  const list = refused.map(({ filter, code }) => `"${filter}" (0x${code.toString(16)})`).join(", ");
  // 3.1.1 has one code for every refusal; a right that lacks is by far the likeliest.
  const permitted = refused.every(({ code }) => code !== 0x87 && code !== 0x80);
  const why = reason === undefined ? "" : `: ${reason}`;
  const hint =
    queue !== undefined
      ? permitted
        ? "mess subscription ls lists those that you may see"
        : `mess why PRINCIPAL consume ${queue} explains`
      : permitted
        ? "is the topic filter well formed?"
        : "mess why PRINCIPAL subscribe FILTER explains";
  return new CliError(
    permitted ? ExitCode.usage : ExitCode.notPermitted,
    `the server refused the subscription to ${list}${why}`,
    hint,
  );
}

async function printMessages(io: Io, client: MqttClient, reading: Verified, options: SubOptions): Promise<void> {
  const limit = options.limit ?? options.count;
  let printed = 0;
  let refused = 0;
  let late = false;
  let timer: NodeJS.Timeout | undefined;
  if (options.timeout !== undefined) {
    timer = setTimeout(() => {
      late = true;
      void client.disconnect();
    }, options.timeout);
  }
  try {
    for await (const message of client) {
      const problem = await problemOf(message, reading);
      if (problem !== undefined) {
        refused += 1;
        note(io, `a message on ${printable(message.topic)} is not shown: ${problem}`);
        if (reading.prefix !== "" && options.ack) message.ack(rejectCode);
        else settle(message, options);
        continue;
      }
      if (options.retained || !message.retain) {
        await printMessage(io, message, reading, options);
        printed += 1;
      }
      settle(message, options);
      if (printed === limit) break;
    }
  } finally {
    clearTimeout(timer);
  }
  if (refused > 0) {
    const what = refused === 1 ? "1 message does" : `${refused} messages do`;
    throw new CliError(ExitCode.notPermitted, `${what} not bear a signature that holds`);
  }
  if (late && limit !== undefined) {
    throw new CliError(ExitCode.unreachable, `${printed} of ${limit} messages came within the time`);
  }
}

interface Verified extends Reading {
  readonly verifier: MessageVerifier | undefined;
}

/** Why the message is not shown. */
async function problemOf(
  { topic, payload, properties }: MqttMessage,
  { verifier }: Verified,
): Promise<string | undefined> {
  try {
    await verifier?.({ topic, payload, properties });
    return undefined;
  } catch (error) {
    if (error instanceof MessError) return error.message;
    throw error;
  }
}

function settle(message: MqttMessage, { ack, nack, reject }: SubOptions): void {
  if (nack === true) message.ack(nackCode);
  else if (reject === true) message.ack(rejectCode);
  else if (ack) message.ack();
}

async function printMessage(io: Io, message: MqttMessage, { prefix }: Reading, options: SubOptions): Promise<void> {
  const { topic } = message;
  const shown = topic.startsWith(prefix) ? { ...message, topic: topic.slice(prefix.length) } : message;
  if (options.json === true) return printJson(io, messageJson(shown));
  await print(io, messageText(shown, options.verbose ?? false, io.stdout.isTTY === true));
}
