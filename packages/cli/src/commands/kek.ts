import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { addKekOptions, type KekFlags } from "../kek-options.ts";

export interface KekExportOptions extends KekFlags {
  readonly data?: string;
  readonly out?: string;
}

/** `mess kek export` */
export function registerKek(program: Command, io: Io): void {
  const kek = program
    .command("kek")
    .summary("the key-encryption key")
    .description("The key that opens the data directory.");
  const exporting = kek
    .command("export")
    .summary("make an escrow copy")
    .description(
      "Print the key-encryption key, or write it to a new file (0600). Keep it apart from the data: with both, everything can be read.",
    )
    .option("--data <dir>", "data directory, ./mess-data if not given (env MESS_DATA)")
    .option("--out <file>", "write it to a new file instead of stdout");
  addKekOptions(exporting)
    .addHelpText("after", examples(["mess kek export --out /media/safe/mess.kek"]))
    .action(async (options: KekExportOptions) => {
      const { exportKey } = await import("../actions/kek.ts");
      await exportKey(io, options);
    });
}
