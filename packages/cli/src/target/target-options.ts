import type { Command } from "commander";

/** Adds the options that say where the server is. */
export function addTargetOptions(command: Command): Command {
  return command
    .option("--url <url>", "address of the server, mqtts://HOST:PORT (env MESS_URL)")
    .option("--http-url <url>", "address of its HTTP side, https://HOST:PORT (env MESS_HTTP_URL)")
    .option("--ca <file>", "PEM file of the certificates to trust (env MESS_CA)")
    .option("--key-file <file>", "file with the key, id.secret (env MESS_KEY_FILE, or MESS_KEY for the key itself)")
    .option("--cert <file>", "client certificate to be known by, PEM (env MESS_CERT)")
    .option("--cert-key <file>", "its private key, PEM (env MESS_CERT_KEY)")
    .option("--context <name>", 'what mess pair remembered under this name, "default" if not given (env MESS_CONTEXT)')
    .option("--data <dir>", "data directory of a server on this machine, ./mess-data if not given (env MESS_DATA)");
}
