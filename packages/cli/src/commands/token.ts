import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { parseDuration } from "../units.ts";

export interface TokenCreateOptions extends TargetOptions {
  readonly allow: readonly string[];
  /** Milliseconds. */
  readonly expires: number;
  readonly out?: string;
  readonly json?: boolean;
}

export interface TokenListOptions extends TargetOptions {
  readonly json?: boolean;
}

/** `mess token [create]|list|revoke` */
export function registerToken(program: Command, io: Io): void {
  const token = program
    .command("token")
    .summary("make short-lived tokens of your own key")
    .description("Make, list and revoke short-lived tokens: what a browser or a job gets in place of the key.");
  registerCreate(token, io);
  const list = token
    .command("list")
    .alias("ls")
    .summary("list your tokens")
    .description("List the tokens of the key's principal that have not ended.");
  addTargetOptions(list.option("--json", "print an object a line")).action(async (options: TokenListOptions) => {
    const { listTokens } = await import("../actions/token.ts");
    await listTokens(io, options);
  });
  const revoke = token
    .command("revoke")
    .summary("revoke a token")
    .description("Revoke a token: connections made with it end within a second.")
    .argument("<id>", "id of the token");
  addTargetOptions(revoke).action(async (id: string, options: TargetOptions) => {
    const { revokeToken } = await import("../actions/token.ts");
    await revokeToken(io, id, options);
  });
}

function registerCreate(token: Command, io: Io): void {
  const create = token
    .command("create", { isDefault: true })
    .summary("make a token (the word create may be left out)")
    .description(
      "Make a token for the principal of your key. It may what you may; with --allow only so much of it, and then it has no " +
        "lasting sessions. It makes no keys and no tokens, and ends with your key at the latest.",
    )
    .option(
      "--allow <action=filter>",
      "narrow it to this, as subscribe=orders/#, consume=billing, admin=metrics; repeatable",
      (grant: string, others: readonly string[]) => [...others, grant],
      [],
    )
    .option("--expires <duration>", "when it ends, from now; 24h at most", parseDuration, 15 * 60_000)
    .option("--out <file>", "write it to a new file (0600) instead of stdout")
    .option("--json", "print id, secret, principal and end as JSON");
  const expires = create.options.find(({ long }) => long === "--expires");
  if (expires !== undefined) expires.defaultValueDescription = "15m";
  addTargetOptions(create)
    .addHelpText(
      "after",
      examples(["mess token --allow 'subscribe=orders/#' --expires 15m", "mess token --allow consume=billing --json"]),
    )
    .action(async (options: TokenCreateOptions) => {
      const { createToken } = await import("../actions/token.ts");
      await createToken(io, options);
    });
}
