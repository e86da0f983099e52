import { type Command, Option } from "commander";

export interface SettlingOptions {
  /** False with --no-ack. */
  readonly ack: boolean;
  readonly nack?: boolean;
  readonly reject?: boolean;
}

/** What is done with a message of a declared subscription after it was printed. */
export function addSettlingOptions(command: Command): Command {
  return command
    .option("--no-ack", "leave messages unsettled: they come again")
    .addOption(new Option("--nack", "for tests: say of each message that it failed").conflicts("reject"))
    .addOption(new Option("--reject", "for tests: make each message a dead letter").conflicts("nack"));
}
