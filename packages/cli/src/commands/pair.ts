import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";

export interface PairOptions {
  readonly url?: string;
  readonly httpUrl?: string;
  readonly ca?: string;
  readonly caSha256?: string;
  readonly keyFile?: string;
  readonly context: string;
  readonly data?: string;
  /** False with --no-check. */
  readonly check: boolean;
  readonly json?: boolean;
}

/** `mess pair` */
export function registerPair(program: Command, io: Io): void {
  program
    .command("pair")
    .summary("remember a server, its CA and a key")
    .description(
      "Remember a server's address, pin its CA and keep a key, in a file only you can read. The key is read from --key-file, " +
        "or else from stdin. Without --url the server of the data directory on this machine is taken.",
    )
    .option("--url <url>", "address of the server, mqtts://HOST:PORT")
    .option("--http-url <url>", "address of its HTTP side (default: the same host, port 8443)")
    .option("--ca <file>", "the server's CA certificate, PEM")
    .option("--ca-sha256 <hex>", "or its SHA-256 fingerprint, when the server presents it")
    .option("--key-file <file>", "file with the key, id.secret")
    .option("--context <name>", "name to remember it under", "default")
    .option("--data <dir>", "data directory on this machine, ./mess-data if not given (env MESS_DATA)")
    .option("--no-check", "do not connect to try the key")
    .option("--json", "print what was remembered as JSON, without the secret")
    .addHelpText("after", examples(["mess pair", "mess pair --url mqtts://broker.example:8883 --ca ca.pem < dev7.key"]))
    .action(async (options: PairOptions) => {
      const { pair } = await import("../actions/pair.ts");
      await pair(io, options);
    });
}
