import type { Command } from "commander";
import { usageError } from "../cli-error.ts";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { wholeNumber } from "../units.ts";

export interface PubOptions extends TargetOptions {
  readonly qos: number;
  readonly retain?: boolean;
  readonly property: readonly (readonly [name: string, value: string])[];
  readonly contentType?: string;
  readonly expiry?: number;
  readonly count: number;
  readonly lines?: boolean;
  readonly protocol: number;
  readonly json?: boolean;
}

/** `mess pub TOPIC [PAYLOAD|-]` */
export function registerPub(program: Command, io: Io): void {
  const command = program
    .command("pub")
    .summary("publish messages")
    .description(
      "Publish a message, and report when the server has it on disk. Without PAYLOAD, or with -, it is read from stdin.",
    )
    .argument("<topic>", "topic name")
    .argument("[payload]", "payload; - is stdin")
    .option("-q, --qos <0|1|2>", "quality of service", wholeNumber("--qos", 0, 2), 1)
    .option("-r, --retain", "keep as the topic's retained message; an empty payload removes it")
    .option("-p, --property <name=value>", "user property; repeatable", addProperty, [])
    .option("--content-type <type>", "content type of the payload")
    .option("--expiry <seconds>", "seconds until the message expires", wholeNumber("--expiry", 1, 4_294_967_295))
    .option("-n, --count <n>", "publish the payload n times", wholeNumber("--count", 1, 1_000_000_000), 1)
    .option("-l, --lines", "publish each line of stdin as a message")
    .option("--protocol <4|5>", "MQTT version: 5, or 4 for 3.1.1", wholeNumber("--protocol", 4, 5), 5)
    .option("--json", "print the outcome as JSON");
  addTargetOptions(command)
    .addHelpText(
      "after",
      examples(["mess pub a/b hello", "date | mess pub clock", "mess pub --lines logs/app < app.log"]),
    )
    .action(async (topic: string, payload: string | undefined, options: PubOptions) => {
      const { pub } = await import("../actions/pub.ts");
      await pub(io, topic, payload, options);
    });
}

function addProperty(text: string, others: PubOptions["property"]): PubOptions["property"] {
  const equals = text.indexOf("=");
  if (equals <= 0) throw usageError(`--property "${text}" is not name=value`);
  return [...others, [text.slice(0, equals), text.slice(equals + 1)]];
}
