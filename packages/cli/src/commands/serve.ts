import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { addKekOptions } from "../kek-options.ts";
import { wholeNumber } from "../units.ts";

const port = (name: string): ((text: string) => number) => wholeNumber(name, 0, 65_535);

function collect(value: string, others: readonly string[] | undefined): readonly string[] {
  return [...(others ?? []), value];
}

/** `mess serve`. Every option also exists as MESS_… in the environment and in the configuration file; flags win. */
export function registerServe(program: Command, io: Io): void {
  const command = program
    .command("serve")
    .summary("run the server")
    .description(
      "Run the server. Without options: on this machine only, over TLS, data in ./mess-data, all keys made at the first start.",
    )
    .option("--data <dir>", "data directory (default ./mess-data)")
    .option("--config <file>", "configuration, TOML")
    .option("--listen <address>", "address to listen on (default 127.0.0.1)")
    .option("--mqtt-port <n>", "MQTT over TLS (default 8883; 0 picks a free one)", port("--mqtt-port"))
    .option("--http-port <n>", "HTTPS: API, WebSocket, metrics (default 8443; 0 picks a free one)", port("--http-port"))
    .option("--mqtts-port <n>", "with --insecure-dev: a TLS listener too", port("--mqtts-port"))
    .option("--host-name <name>", "a further name for the certificate; repeatable", collect)
    .option("--tls-cert <file>", "your own certificate chain, PEM")
    .option("--tls-key <file>", "its private key, PEM")
    .option("--client-ca <file>", "authorities of yours whose client certificates count, PEM")
    .option("--client-crl <file>", "their revocation lists, PEM")
    .option("--policy-file <file>", "policy to apply at start and on SIGHUP, TOML")
    .option("--checkpoint-file <file>", "signed checkpoints go there too; a start compares, and finds a rollback")
    .option("--witness-keys-file <file>", "verifier keys of witnesses, one a line: whose cosignatures are kept")
    .option("--log-level <level>", "fatal, error, warn, info, debug, trace or silent (default info)");
  addKekOptions(command)
    .option("--insecure-dev", "for experiments: no TLS, no authentication, everything allowed, loopback only")
    .addHelpText(
      "after",
      examples(["mess serve", "mess serve --listen 0.0.0.0 --host-name broker.example", "mess serve --insecure-dev"]),
    )
    .action(async (options: Record<string, unknown>) => {
      const { loadBroker } = await import("../actions/broker-library.ts");
      const { serve } = await loadBroker();
      io.exitCode = await serve({ flags: options, env: io.env, stdout: io.stdout, stderr: io.stderr });
    });
}
