import type { Command } from "commander";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { wholeNumber } from "../units.ts";

export interface JsonOptions extends TargetOptions {
  readonly json?: boolean;
}

export interface ListOptions extends JsonOptions {
  readonly limit?: number;
}

export interface ConfirmedOptions extends JsonOptions {
  readonly yes?: boolean;
}

/** Of a list: a table stays within what a person reads, JSON lines go on to the end. */
export function addListOptions(command: Command): Command {
  return addTargetOptions(
    command
      .option(
        "-n, --limit <n>",
        "at most n; 1,000 without, or all with --json",
        wholeNumber("--limit", 1, 1_000_000_000),
      )
      .option("--json", "print an object a line"),
  );
}

export function addJsonOptions(command: Command): Command {
  return addTargetOptions(command.option("--json", "print it as JSON"));
}

/** Of what cannot be undone. */
export function addConfirmedOptions(command: Command): Command {
  return addTargetOptions(command.option("-y, --yes", "do not ask").option("--json", "print the outcome as JSON"));
}
