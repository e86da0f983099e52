import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { wholeNumber } from "../units.ts";
import {
  addConfirmedOptions,
  addJsonOptions,
  addListOptions,
  type ConfirmedOptions,
  type JsonOptions,
  type ListOptions,
} from "./list-options.ts";

export interface DeadListOptions extends ListOptions {
  readonly reason?: string;
}

/** Which dead letters. */
export interface DeadSelectionOptions extends ConfirmedOptions {
  readonly offset?: readonly number[];
  readonly reason?: string;
  readonly all?: boolean;
}

const offset = wholeNumber("the offset", 1, Number.MAX_SAFE_INTEGER);

/** `mess dead ls|show|redrive|purge` */
export function registerDead(program: Command, io: Io): void {
  const dead = program
    .command("dead")
    .summary("dead letters")
    .description("Messages of a declared subscription that failed too often, or were rejected.");
  addListOptions(
    dead
      .command("ls")
      .alias("list")
      .summary("list dead letters")
      .description("List the dead letters of a subscription, oldest first.")
      .argument("<subscription>", "name of the subscription")
      .option("--reason <text>", "only those whose reason holds this text"),
  ).action(async (name: string, options: DeadListOptions) => {
    const { listDead } = await import("../actions/dead.ts");
    await listDead(io, name, options);
  });
  addJsonOptions(
    dead
      .command("show")
      .summary("show a dead letter")
      .description("Show a dead letter: why it failed, where it came from, headers and payload.")
      .argument("<subscription>", "name of the subscription")
      .argument("<offset>", "its offset, from mess dead ls", offset),
  ).action(async (name: string, at: number, options: JsonOptions) => {
    const { showDead } = await import("../actions/dead.ts");
    await showDead(io, name, at, options);
  });
  registerSelecting(dead, io);
}

function registerSelecting(dead: Command, io: Io): void {
  addSelectionOptions(
    dead
      .command("redrive")
      .summary("try dead letters again")
      .description(
        "Put dead letters back into the subscription they failed in, and no other; their attempts start anew.",
      ),
  )
    .addHelpText(
      "after",
      examples(["mess dead redrive billing --reason ECONNREFUSED", "mess dead redrive billing --all --yes"]),
    )
    .action(async (name: string, options: DeadSelectionOptions) => {
      const { redriveDead } = await import("../actions/dead.ts");
      await redriveDead(io, name, options);
    });
  addSelectionOptions(dead.command("purge").summary("delete dead letters").description("Delete dead letters for good."))
    .addHelpText("after", examples(["mess dead purge billing --offset 88 --offset 91"]))
    .action(async (name: string, options: DeadSelectionOptions) => {
      const { purgeDead } = await import("../actions/dead.ts");
      await purgeDead(io, name, options);
    });
}

function addSelectionOptions(command: Command): Command {
  return addConfirmedOptions(
    command
      .argument("<subscription>", "name of the subscription")
      .option("--offset <n>", "this one; repeatable", (text, others: readonly number[] = []) => [
        ...others,
        offset(text),
      ])
      .option("--reason <text>", "those whose reason holds this text")
      .option("--all", "all of them"),
  );
}
