import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { addKekOptions, type KekFlags } from "../kek-options.ts";

export interface RepairOptions extends KekFlags {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `mess repair DATA` */
export function registerRepair(program: Command, io: Io): void {
  const command = program
    .command("repair")
    .summary("go on with what is left of damaged data")
    .description(
      "Make a data directory that a server refuses as damaged (exit code 65) one that opens again, with everything that can " +
        "still be read, while no server runs. Better restore a backup, if there is one. The damaged directory stays as it was, " +
        "as DATA.damaged-TIME, so twice the room is needed; what is lost is told, in a signed note beside it and in the audit " +
        "trail. Messages keep their offsets.",
    )
    .argument("[data]", "data directory (default ./mess-data; env MESS_DATA)")
    .option("--dry-run", "only tell what would be lost")
    .option("-y, --yes", "do not ask")
    .option("--json", "print what was done as JSON");
  addKekOptions(command)
    .addHelpText("after", examples(["mess repair --dry-run ./mess-data", "mess repair ./mess-data"]))
    .action(async (data: string | undefined, options: RepairOptions) => {
      const { repair } = await import("../actions/repair.ts");
      await repair(io, data, options);
    });
}
