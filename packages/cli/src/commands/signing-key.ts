import { type Command, Option } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";

export interface SigningKeyAddOptions extends TargetOptions {
  readonly publicKey?: string;
  readonly hmac?: boolean;
  readonly name?: string;
  readonly out?: string;
  readonly json?: boolean;
}

export interface SigningKeyListOptions extends TargetOptions {
  readonly json?: boolean;
  readonly jwks?: boolean;
}

export interface SigningKeyRemoveOptions extends TargetOptions {
  readonly yes?: boolean;
}

/** `mess signing-key add|list|remove` */
export function registerSigningKey(program: Command, io: Io): void {
  const key = program
    .command("signing-key")
    .summary("keys that messages are signed with")
    .description("Add, list and remove the keys that verify signed messages.");
  registerAdd(key, io);
  registerListAndRemove(key, io);
}

function registerAdd(key: Command, io: Io): void {
  const add = key
    .command("add")
    .summary("give a principal a key to sign with")
    .description(
      "Add a key of PRINCIPAL, which must exist. Without --public-key and --hmac an Ed25519 key is made here: the server gets " +
        "its public half, and the private one is printed, or written to --out, as a JSON Web Key for mess pub --sign-key.",
    )
    .argument("<principal>", "whose messages it signs")
    .option("--public-key <file>", "add this Ed25519 public key (SPKI in PEM) instead of making one")
    .addOption(
      new Option("--hmac", "have the server make a shared secret for HMAC-SHA-256 instead").conflicts("publicKey"),
    )
    .option("--name <name>", "a name for people")
    .option("--out <file>", "write the key to a new file (0600) instead of stdout")
    .option("--json", "print id, principal and algorithm as JSON; with the key, where it is not written to a file");
  addTargetOptions(add)
    .addHelpText(
      "after",
      examples([
        "mess signing-key add sensor-7 --out sensor-7.jwk",
        "mess signing-key add sensor-8 --public-key sensor-8.pem",
      ]),
    )
    .action(async (principal: string, options: SigningKeyAddOptions) => {
      const { addSigningKey } = await import("../actions/signing-key.ts");
      await addSigningKey(io, principal, options);
    });
}

function registerListAndRemove(key: Command, io: Io): void {
  const list = key
    .command("list")
    .alias("ls")
    .summary("list signing keys")
    .description("List the keys that verify signed messages; secrets are not shown.")
    .addOption(new Option("--json", "print an object a line").conflicts("jwks"))
    .option("--jwks", "print the public keys as a JSON Web Key Set, for mess sub --verify");
  addTargetOptions(list).action(async (options: SigningKeyListOptions) => {
    const { listSigningKeys } = await import("../actions/signing-key.ts");
    await listSigningKeys(io, options);
  });
  const remove = key
    .command("remove")
    .alias("rm")
    .summary("remove a signing key")
    .description("Remove a key: nothing that it signed is taken any more.")
    .argument("<id>", "id of the key");
  addTargetOptions(remove.option("-y, --yes", "do not ask")).action(
    async (id: string, options: SigningKeyRemoveOptions) => {
      const { removeSigningKey } = await import("../actions/signing-key.ts");
      await removeSigningKey(io, id, options);
    },
  );
}
