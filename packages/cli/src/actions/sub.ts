import type { MqttClient, MqttConnectOptions, MqttMessage } from "@mess/client";
import { CliError } from "../cli-error.ts";
import type { SubOptions } from "../commands/sub.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { messageJson, messageText } from "./format-message.ts";
import { withClient } from "./with-client.ts";

export async function sub(io: Io, filters: readonly string[], options: SubOptions): Promise<void> {
  await withClient(io, options, sessionOptions(options), async (client) => {
    await subscribe(client, filters, options);
    if (options.quiet !== true) note(io, `subscribed to ${filters.join(" ")}`);
    await printMessages(io, client, options);
  });
}

function sessionOptions({ session, sessionExpiry, protocol }: SubOptions): MqttConnectOptions {
  const version = protocol === 4 ? 4 : 5;
  // By hand: a message counts as taken when it was written out, not when it arrived.
  const common: MqttConnectOptions = { version, acknowledge: "manual", receiveMaximum: 100 };
  if (session === undefined) return common;
  return { ...common, clientId: session, cleanStart: false, sessionExpiry: Math.ceil(sessionExpiry / 1000) };
}

async function subscribe(client: MqttClient, filters: readonly string[], options: SubOptions): Promise<void> {
  const qos = options.qos === 0 ? 0 : options.qos === 1 ? 1 : 2;
  const retainHandling = options.retained ? 0 : 2;
  const codes = await client.subscribe(filters.map((filter) => ({ filter, qos, retainHandling })));
  const refused = filters.flatMap((filter, index) => {
    const code = codes[index] ?? 0x80;
    return code >= 0x80 ? [{ filter, code }] : [];
  });
  if (refused.length === 0) return;
  const list = refused.map(({ filter, code }) => `"${filter}" (0x${code.toString(16)})`).join(", ");
  // 3.1.1 has one code for every refusal; a right that lacks is by far the likeliest.
  const permitted = refused.every(({ code }) => code !== 0x87 && code !== 0x80);
  throw new CliError(
    permitted ? ExitCode.usage : ExitCode.notPermitted,
    `the server refused the subscription to ${list}`,
    permitted ? "is the topic filter well formed?" : "mess why PRINCIPAL subscribe FILTER explains",
  );
}

async function printMessages(io: Io, client: MqttClient, options: SubOptions): Promise<void> {
  const limit = options.limit ?? options.count;
  let printed = 0;
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
      if (options.retained || !message.retain) {
        await printMessage(io, message, options);
        printed += 1;
      }
      message.ack();
      if (printed === limit) return;
    }
  } finally {
    clearTimeout(timer);
  }
  if (late && limit !== undefined) {
    throw new CliError(ExitCode.unreachable, `${printed} of ${limit} messages came within the time`);
  }
}

async function printMessage(io: Io, message: MqttMessage, options: SubOptions): Promise<void> {
  if (options.json === true) return printJson(io, messageJson(message));
  await print(io, messageText(message, options.verbose ?? false, io.stdout.isTTY === true));
}
