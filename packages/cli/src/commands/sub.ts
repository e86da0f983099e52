import { type Command, Option } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { parseDuration, wholeNumber } from "../units.ts";
import { addSettlingOptions, type SettlingOptions } from "./settling-options.ts";

export interface SubOptions extends TargetOptions, SettlingOptions {
  readonly qos: number;
  readonly queue?: string;
  readonly from?: string;
  readonly limit?: number;
  readonly count?: number;
  readonly timeout?: number;
  readonly verbose?: boolean;
  readonly quiet?: boolean;
  /** False with --no-retained. */
  readonly retained: boolean;
  readonly session?: string;
  readonly sessionExpiry: number;
  readonly verify?: string;
  readonly protocol: number;
  readonly json?: boolean;
}

/** `mess sub FILTER...` */
export function registerSub(program: Command, io: Io): void {
  const limit = wholeNumber("--limit", 1, 1_000_000_000_000);
  const command = program
    .command("sub")
    .summary("print messages as they come")
    .description(
      "Subscribe and print each message: its payload as a line, or with --json an object a line. With --queue the messages of " +
        "a declared subscription are taken from it: each is acknowledged once it is printed.",
    )
    .argument("[filter...]", "topic filters; quote them: + and # are wildcards")
    .option("--queue <name>", "read this declared subscription instead of filters")
    .option("--from <place>", "begin with what is stored: earliest, latest, an offset, a time, or -1h")
    .option("-q, --qos <0|1|2>", "highest quality of service", wholeNumber("--qos", 0, 2), 1);
  addSettlingOptions(command)
    .option("-n, --limit <n>", "end after n messages", limit)
    .option("--count <n>", "the same as --limit", limit)
    .option(
      "-t, --timeout <duration>",
      "end after this time (10s, 5m); exit code 69 when --limit was not reached",
      parseDuration,
    )
    .option("-v, --verbose", "print the topic before the payload")
    .option("--quiet", "no line on stderr once subscribed")
    .option("--no-retained", "leave out retained messages")
    .addOption(
      new Option(
        "--session <id>",
        "keep a session of this client id: what comes while away is delivered later",
      ).conflicts(["queue", "from"]),
    )
    .option(
      "--session-expiry <duration>",
      "how long the session is kept without a connection",
      parseDuration,
      parseDuration("7d"),
    )
    .option("--verify <file>", "print only what one of these keys signed (mess signing-key list --jwks)")
    .option("--protocol <4|5>", "MQTT version: 5, or 4 for 3.1.1", wholeNumber("--protocol", 4, 5), 5)
    .option("--json", "print each message as a JSON object");
  addTargetOptions(command)
    .addHelpText(
      "after",
      examples([
        "mess sub 'plant/+/temp'",
        "mess sub --json --limit 2 '#' | jq .payload",
        "mess sub --session worker-1 'jobs/#'",
        "mess sub --queue billing",
        "mess sub 'orders/#' --from -1h --json",
      ]),
    )
    .action(async (filters: string[], options: SubOptions) => {
      const { sub } = await import("../actions/sub.ts");
      await sub(io, filters, options);
    });
}
