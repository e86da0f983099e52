import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { addKekOptions, type KekFlags } from "../kek-options.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";

export interface BackupOptions extends TargetOptions, KekFlags {
  readonly offline?: boolean;
  readonly json?: boolean;
}

/** `mess backup FILE` */
export function registerBackup(program: Command, io: Io): void {
  const command = program
    .command("backup")
    .summary("copy a server's data into one file")
    .description(
      "Copy a server's data, as they are at one moment, into a new file, while it serves (needs admin.storage). With --offline " +
        "from a data directory that no server uses. The file is encrypted as the data are, and holds neither the key-encryption " +
        "key nor admin.key: keep a copy of that key elsewhere (mess kek export).",
    )
    .argument("<file>", "new file; - is stdout")
    .option("--offline", "from the data directory, while no server runs")
    .option("--json", "print what was backed up as JSON");
  addKekOptions(addTargetOptions(command))
    .addHelpText(
      "after",
      examples(["mess backup /backup/mess-2030-01-31.tar", "mess backup --offline --data ./mess-data copy.tar"]),
    )
    .action(async (file: string, options: BackupOptions) => {
      const { backup } = await import("../actions/backup.ts");
      await backup(io, file, options);
    });
}
