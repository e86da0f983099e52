import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import { addKekOptions, type KekFlags } from "../kek-options.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { parseDuration } from "../units.ts";

export interface KeyCreateOptions extends TargetOptions {
  readonly role: readonly string[];
  /** Milliseconds. */
  readonly expires?: number;
  readonly out?: string;
  readonly json?: boolean;
}

export interface KeyRotateOptions extends TargetOptions {
  /** Milliseconds. */
  readonly overlap: number;
  readonly expires?: number;
  readonly out?: string;
  readonly json?: boolean;
}

export interface KeyListOptions extends TargetOptions {
  readonly json?: boolean;
}

export interface KeyRevokeOptions extends TargetOptions {
  readonly yes?: boolean;
}

export interface KeyResetOptions extends KekFlags {
  readonly offline?: boolean;
  readonly data?: string;
  readonly yes?: boolean;
  readonly json?: boolean;
}

/** `mess key create|rotate|list|revoke|reset` */
export function registerKey(program: Command, io: Io): void {
  const key = program
    .command("key")
    .summary("make, rotate, list and revoke API keys")
    .description("Make, rotate, list and revoke API keys.");
  registerCreate(key, io);
  registerRotate(key, io);
  registerListAndRevoke(key, io);
  registerReset(key, io);
}

function registerCreate(key: Command, io: Io): void {
  const create = key
    .command("create")
    .summary("make a key")
    .description(
      "Make a key for the principal NAME, which is created if it is new. The secret is shown once: the server keeps a hash.",
    )
    .argument("<name>", "principal the key belongs to")
    .option(
      "--role <role...>",
      "role the principal gets; repeatable",
      (role, others: readonly string[]) => [...others, role],
      [],
    )
    .option(
      "--expires <duration>",
      "when the key ends, from now, as 90d; left out: it counts until it is revoked",
      parseDuration,
    )
    .option("--out <file>", "write the key to a new file (0600) instead of stdout")
    .option("--json", "print id, secret and principal as JSON");
  addTargetOptions(create)
    .addHelpText(
      "after",
      examples([
        "mess key create dev7 --role device --expires 90d",
        "mess key create billing --role billing --out billing.key",
      ]),
    )
    .action(async (name: string, options: KeyCreateOptions) => {
      const { createKey } = await import("../actions/key.ts");
      await createKey(io, name, options);
    });
}

function registerRotate(key: Command, io: Io): void {
  const rotate = key
    .command("rotate")
    .summary("make a key that takes the place of another")
    .description(
      "Make a key for the same principal. The old one goes on to count beside it for the overlap, so that its users change over without a break; then it ends, and its connections with it.",
    )
    .argument("<id>", "id of the key to replace")
    .option("--overlap <duration>", "how long the old key goes on to count", parseDuration, 24 * 3_600_000)
    .option(
      "--expires <duration>",
      "when the new key ends; left out: it lives as long as the old one was to",
      parseDuration,
    )
    .option("--out <file>", "write the key to a new file (0600) instead of stdout")
    .option("--json", "print the new key, and when the old one ends, as JSON");
  const overlap = rotate.options.find(({ long }) => long === "--overlap");
  if (overlap !== undefined) overlap.defaultValueDescription = "24h";
  addTargetOptions(rotate)
    .addHelpText(
      "after",
      examples(["mess key rotate k_7yqk2 --overlap 24h --out dev7.key", "mess key rotate k_7yqk2 --overlap 0s"]),
    )
    .action(async (id: string, options: KeyRotateOptions) => {
      const { rotateKey } = await import("../actions/key.ts");
      await rotateKey(io, id, options);
    });
}

function registerListAndRevoke(key: Command, io: Io): void {
  const list = key
    .command("list")
    .alias("ls")
    .summary("list keys")
    .description("List the keys; secrets are not kept and so not shown.");
  addTargetOptions(list.option("--json", "print an object a line")).action(async (options: KeyListOptions) => {
    const { listKeys } = await import("../actions/key.ts");
    await listKeys(io, options);
  });
  const revoke = key
    .command("revoke")
    .summary("revoke a key")
    .description("Revoke a key: connections made with it end within a second.")
    .argument("<id>", "id of the key");
  addTargetOptions(revoke.option("-y, --yes", "do not ask")).action(async (id: string, options: KeyRevokeOptions) => {
    const { revokeKey } = await import("../actions/key.ts");
    await revokeKey(io, id, options);
  });
}

function registerReset(key: Command, io: Io): void {
  const reset = key
    .command("reset")
    .summary("make a new admin key when the old one is lost")
    .description(
      "Make a new admin key in the data directory of a server that is not running, and write it to admin.key there.",
    )
    .option("--offline", "needed: says that no server runs on the data")
    .option("--data <dir>", "data directory, ./mess-data if not given (env MESS_DATA)")
    .option("-y, --yes", "do not ask")
    .option("--json", "print the id of the key and where it is as JSON");
  addKekOptions(reset).action(async (options: KeyResetOptions) => {
    const { resetKey } = await import("../actions/key.ts");
    await resetKey(io, options);
  });
}
