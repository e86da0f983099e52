import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { parseDuration, parseSize, wholeNumber } from "../units.ts";

export interface BenchOptions extends TargetOptions {
  readonly publishers: number;
  readonly subscribers: number;
  readonly size: number;
  readonly qos: number;
  readonly duration: number;
  readonly topics: number;
  readonly window: number;
  readonly rate?: number;
  readonly drain: number;
  readonly prefix: string;
  readonly json?: boolean;
}

/** `mess bench` */
export function registerBench(program: Command, io: Io): void {
  const command = program
    .command("bench")
    .summary("measure a server")
    .description(
      "Load a server and report rate, loss, duplicates and latency. Without --rate each publisher keeps --window messages " +
        "open (as fast as it goes); with --rate messages are sent on a clock, and latency counts from the time a message was " +
        "due, so that a stall of the server is not hidden.",
    )
    .option("--publishers <n>", "connections that publish", wholeNumber("--publishers", 1, 10_000), 1)
    .option(
      "--subscribers <n>",
      "connections that each subscribe to all topics",
      wholeNumber("--subscribers", 0, 10_000),
      1,
    )
    .option("--size <bytes>", "payload size, at least 24", parseSize, 128)
    .option("-q, --qos <0|1|2>", "quality of service, both ways", wholeNumber("--qos", 0, 2), 1)
    .option("--duration <duration>", "how long to publish", parseDuration, 10_000)
    .option("--topics <n>", "topics, used in turn", wholeNumber("--topics", 1, 1_000_000), 1)
    .option("--window <n>", "unacknowledged messages a publisher keeps open", wholeNumber("--window", 1, 65_535), 100)
    .option("--rate <n>", "messages a second of all publishers together", wholeNumber("--rate", 1, 100_000_000))
    .option("--drain <duration>", "how long to wait for the last messages", parseDuration, 10_000)
    .option("--prefix <topic>", "topics are PREFIX/RUN/N", "bench")
    .option("--json", "print the result as JSON");
  addTargetOptions(command)
    .addHelpText(
      "after",
      examples(["mess bench --publishers 50 --duration 10s", "mess bench --rate 1000 --qos 2 --json"]),
    )
    .action(async (options: BenchOptions) => {
      const { bench } = await import("../actions/bench.ts");
      await bench(io, options);
    });
}
