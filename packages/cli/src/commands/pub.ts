import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { wholeNumber } from "../units.ts";
import { addMessageOptions, type MessageOptions } from "./message-options.ts";

export interface PubOptions extends TargetOptions, MessageOptions {
  readonly qos: number;
  readonly retain?: boolean;
  readonly count: number;
  readonly lines?: boolean;
  readonly batch?: boolean;
  readonly atomic?: boolean;
  readonly signKey?: string;
  readonly protocol: number;
  readonly json?: boolean;
}

/** `mess pub TOPIC [PAYLOAD|-]` */
export function registerPub(program: Command, io: Io): void {
  const command = program
    .command("pub")
    .summary("publish messages")
    .description(
      "Publish a message, and report when the server has it on disk, and where. Without PAYLOAD, or with -, it is read from " +
        "stdin. With --lines each line of stdin is a message, with --batch each line is a JSON object that says all of one: " +
        "topic, payload (or json, or payloadBase64), key, id, delay, at, priority, expiry, retain, contentType, headers.",
    )
    .argument("[topic]", "topic name; with --batch only for lines that name none")
    .argument("[payload]", "payload; - is stdin")
    .option("-q, --qos <0|1|2>", "quality of service", wholeNumber("--qos", 0, 2), 1)
    .option("-r, --retain", "keep as the topic's retained message; an empty payload removes it");
  addMessageOptions(command)
    .option("-n, --count <n>", "publish the payload n times", wholeNumber("--count", 1, 1_000_000_000), 1)
    .option("-l, --lines", "publish each line of stdin as a message")
    .option("-b, --batch", "publish each line of stdin, a JSON object, as the message that it describes")
    .option("--atomic", "with --batch or --lines: all or none, in one step over HTTP; at most 1,000 messages")
    .option("--sign-key <file>", "sign each message with this key (mess signing-key add)")
    .option("--protocol <4|5>", "MQTT version: 5, or 4 for 3.1.1", wholeNumber("--protocol", 4, 5), 5)
    .option("--json", "print the outcome as JSON");
  addTargetOptions(command)
    .addHelpText(
      "after",
      examples([
        "mess pub a/b hello",
        "date | mess pub clock",
        "mess pub orders/eu/created '{\"id\":7}' --key customer-7 --id order-7",
        "mess pub mail/send hello --delay 1h",
        "mess pub --lines logs/app < app.log",
        'echo \'{"topic":"orders/1","json":{"id":1},"key":"c1"}\' | mess pub --batch',
      ]),
    )
    .action(async (topic: string | undefined, payload: string | undefined, options: PubOptions) => {
      const { pub } = await import("../actions/pub.ts");
      await pub(io, topic, payload, options);
    });
}
