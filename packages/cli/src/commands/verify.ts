import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { addKekOptions, type KekFlags } from "../kek-options.ts";

export interface VerifyOptions extends KekFlags {
  readonly checkpoint?: string;
  readonly withoutKey?: boolean;
  readonly json?: boolean;
}

/** `mess verify DATA` */
export function registerVerify(program: Command, io: Io): void {
  const command = program
    .command("verify")
    .summary("check a data directory")
    .description(
      "Check frames, hash chain and keys of a journal while no server runs on it. Exit code 65 names the first damaged place.",
    )
    .argument("[data]", "data directory (default ./mess-data; env MESS_DATA)")
    .option("--checkpoint <file>", "a signed checkpoint from outside, to find that the whole directory was rolled back")
    .option("--without-key", "check chain, sums and places alone, for who may not read the data")
    .option("--json", "print the result as JSON");
  addKekOptions(command)
    .addHelpText(
      "after",
      examples([
        "mess verify ./mess-data",
        "mess verify --without-key ./mess-data",
        "mess verify --checkpoint /mnt/elsewhere/checkpoint ./mess-data",
        "mess verify --json /backup/mess-data",
      ]),
    )
    .action(async (data: string | undefined, options: VerifyOptions) => {
      const { verify } = await import("../actions/verify.ts");
      await verify(io, data, options);
    });
}
