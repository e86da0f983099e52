import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { addKekOptions, type KekFlags } from "../kek-options.ts";

export interface RestoreOptions extends KekFlags {
  readonly data?: string;
  readonly json?: boolean;
}

/** `mess restore FILE` */
export function registerRestore(program: Command, io: Io): void {
  const command = program
    .command("restore")
    .summary("make a data directory from a backup")
    .description(
      "Make a data directory from a backup: into an empty or new directory only. The whole file is checked before anything is " +
        "written, and the journal is verified after. Exit code 65: the backup is damaged, and nothing was restored.",
    )
    .argument("<file>", "file made by mess backup")
    .option("--data <dir>", "data directory to make, ./mess-data if not given (env MESS_DATA)")
    .option("--json", "print what was restored as JSON");
  addKekOptions(command)
    .addHelpText(
      "after",
      examples(["mess restore /backup/mess-2030-01-31.tar --data ./mess-data --kek-file mess-escrow.kek"]),
    )
    .action(async (file: string, options: RestoreOptions) => {
      const { restore } = await import("../actions/restore.ts");
      await restore(io, file, options);
    });
}
