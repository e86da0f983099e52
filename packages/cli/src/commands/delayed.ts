import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { wholeNumber } from "../units.ts";
import { addConfirmedOptions, addListOptions, type ConfirmedOptions, type ListOptions } from "./list-options.ts";

/** `mess delayed ls|cancel` */
export function registerDelayed(program: Command, io: Io): void {
  const delayed = program
    .command("delayed")
    .summary("messages to be delivered later")
    .description("Messages that were published to be delivered later.");
  addListOptions(
    delayed
      .command("ls")
      .alias("list")
      .summary("list delayed messages")
      .description("List delayed messages of the topics you may publish or subscribe to, the next one due first."),
  ).action(async (options: ListOptions) => {
    const { listDelayed } = await import("../actions/delayed.ts");
    await listDelayed(io, options);
  });
  addConfirmedOptions(
    delayed
      .command("cancel")
      .summary("cancel a delayed message")
      .description("Cancel a delayed message: it is never delivered.")
      .argument("<offset>", "its offset, from mess delayed ls", wholeNumber("the offset", 1, Number.MAX_SAFE_INTEGER)),
  )
    .addHelpText("after", examples(["mess delayed cancel 4711"]))
    .action(async (offset: number, options: ConfirmedOptions) => {
      const { cancelDelayed } = await import("../actions/delayed.ts");
      await cancelDelayed(io, offset, options);
    });
}
