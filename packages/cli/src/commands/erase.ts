import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { addConfirmedOptions, type ConfirmedOptions } from "./list-options.ts";

/** `mess erase topic|key` */
export function registerErase(program: Command, io: Io): void {
  const erase = program
    .command("erase")
    .summary("make stored messages unreadable for good")
    .description(
      "Destroy the keys of stored messages. They were published while their topic had the setting erasure; headers and payload " +
        "of what is erased can never be read again, by nobody, and the journal still verifies. Topics, ordering keys, publishers " +
        "and times stay known until retention drops them. Backups made before hold the keys as they were.",
    );
  const topic = erase
    .command("topic")
    .summary("erase the messages on topics")
    .description("Erase what was published on the topics that a filter matches, and under declarations that it covers.")
    .argument("<filter>", "topic filter; quote it");
  addConfirmedOptions(topic)
    .addHelpText("after", examples(["mess erase topic users/4711", "mess erase topic 'users/+/position' --yes"]))
    .action(async (filter: string, options: ConfirmedOptions) => {
      const { eraseMessages } = await import("../actions/erase.ts");
      await eraseMessages(io, { filter }, options);
    });
  const key = erase
    .command("key")
    .summary("erase the messages of an ordering key")
    .description("Erase what was published with an ordering key on the topics of a declaration.")
    .argument("<filter>", "topic filter, as it was declared")
    .argument("<key>", "ordering key; empty for the messages that had none");
  addConfirmedOptions(key)
    .addHelpText("after", examples(["mess erase key 'orders/#' customer-4711"]))
    .action(async (filter: string, name: string, options: ConfirmedOptions) => {
      const { eraseMessages } = await import("../actions/erase.ts");
      await eraseMessages(io, { filter, key: name }, options);
    });
}
