import type { Command } from "commander";
import { wholeNumber } from "./units.ts";

/** Where the key-encryption key comes from, for commands that open the data directory. The key itself is never an argument. */
export function addKekOptions(command: Command): Command {
  return command
    .option("--kek-file <file>", "key-encryption key in a file (default: DIR.kek beside the data directory)")
    .option("--kek-fd <n>", "key-encryption key from an open file descriptor", wholeNumber("--kek-fd", 0, 1_048_576))
    .option("--kek-command <command>", "key-encryption key from the output of a command");
}

/** A type, not an interface: it is handed on as a record of flags. */
export type KekFlags = {
  readonly kekFile?: string;
  readonly kekFd?: number;
  readonly kekCommand?: string;
};

/** Of a command's options those that name the key-encryption key, and only those: the server refuses what it does not know. */
export function kekFlags({ kekFile, kekFd, kekCommand }: KekFlags): KekFlags {
  return {
    ...(kekFile !== undefined && { kekFile }),
    ...(kekFd !== undefined && { kekFd }),
    ...(kekCommand !== undefined && { kekCommand }),
  };
}
