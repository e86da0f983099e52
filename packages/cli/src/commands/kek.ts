import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { addKekOptions, type KekFlags } from "../kek-options.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { wholeNumber } from "../units.ts";

export interface KekExportOptions extends KekFlags {
  readonly data?: string;
  readonly out?: string;
}

export interface KekNewOptions {
  readonly out?: string;
}

export interface KekRotateOptions extends TargetOptions, KekFlags {
  readonly offline?: boolean;
  readonly newKekFile?: string;
  readonly newKekFd?: number;
  readonly newKekCommand?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `mess kek new|export|rotate` */
export function registerKek(program: Command, io: Io): void {
  const kek = program
    .command("kek")
    .summary("the key-encryption key")
    .description("The key that opens the data directory.");
  kek
    .command("new")
    .summary("make a key")
    .description(
      "Print a new key-encryption key, or write it to a new file (0400), for a server that gets its key by --kek-file, --kek-fd or --kek-command.",
    )
    .option("--out <file>", "write it to a new file instead of stdout")
    .addHelpText("after", examples(["mess kek new --out /etc/mess/kek"]))
    .action(async (options: KekNewOptions) => {
      const { makeKey } = await import("../actions/kek.ts");
      await makeKey(io, options);
    });
  registerRotate(kek, io);
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

function registerRotate(kek: Command, io: Io): void {
  const rotate = kek
    .command("rotate")
    .summary("put another key in its place")
    .description(
      "Wrap the data keys by another key-encryption key, while the server serves (needs admin.storage): a new key in the place " +
        "of the key file, or what the key command gives by now. With --offline on a data directory that no server uses; then " +
        "--new-kek-file, --new-kek-fd or --new-kek-command may name the new key. The data are not written again. Backups made " +
        "before need the key before, which stays beside the key file as FILE.old-1.",
    )
    .option("--offline", "on the data directory, while no server runs")
    .option("--new-kek-file <file>", "the new key in a file, which is made if it is not there (offline)")
    .option(
      "--new-kek-fd <n>",
      "the new key from an open file descriptor (offline)",
      wholeNumber("--new-kek-fd", 0, 1_048_576),
    )
    .option("--new-kek-command <command>", "the new key from the output of a command (offline)")
    .option("-y, --yes", "do not ask")
    .option("--json", "print where the keys are as JSON");
  addKekOptions(addTargetOptions(rotate))
    .addHelpText(
      "after",
      examples(["mess kek rotate", "mess kek rotate --offline --data ./mess-data --new-kek-file /media/safe/new.kek"]),
    )
    .action(async (options: KekRotateOptions) => {
      const { rotateKey } = await import("../actions/kek.ts");
      await rotateKey(io, options);
    });
}
