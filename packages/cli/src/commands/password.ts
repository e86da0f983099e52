import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";

export interface PasswordSetOptions extends TargetOptions {
  readonly iterations?: string;
}

export interface PasswordListOptions extends TargetOptions {
  readonly json?: boolean;
}

export interface PasswordRemoveOptions extends TargetOptions {
  readonly yes?: boolean;
}

/** `mess password set|list|remove` */
export function registerPassword(program: Command, io: Io): void {
  const password = program
    .command("password")
    .summary("set, list and remove passwords (SCRAM)")
    .description("Set, list and remove passwords, by which MQTT 5 clients log in with SCRAM-SHA-256.");
  registerSet(password, io);
  const list = password.command("list").alias("ls").summary("list who has one").description("List who has a password.");
  addTargetOptions(list.option("--json", "print an object a line")).action(async (options: PasswordListOptions) => {
    const { listPasswords } = await import("../actions/password.ts");
    await listPasswords(io, options);
  });
  const remove = password
    .command("remove")
    .alias("rm")
    .summary("remove a password")
    .description("Remove a password: connections made with it end within a second.")
    .argument("<principal>", "whose");
  addTargetOptions(remove.option("-y, --yes", "do not ask")).action(
    async (principal: string, options: PasswordRemoveOptions) => {
      const { removePassword } = await import("../actions/password.ts");
      await removePassword(io, principal, options);
    },
  );
}

function registerSet(password: Command, io: Io): void {
  const set = password
    .command("set")
    .summary("set or change a password")
    .description(
      "Set or change the password of a principal. It is asked for, or read from stdin, and does not leave this machine: the server gets what it can be checked by. Connections made with the one before end within a second.",
    )
    .argument("<principal>", "whose; a name of the policy")
    .option("--iterations <n>", "work of each login and of each guess; less for devices without much power", "600000");
  addTargetOptions(set)
    .addHelpText(
      "after",
      examples(["mess password set dev7", "mess password set dev7 --iterations 15000 < dev7.password"]),
    )
    .action(async (principal: string, options: PasswordSetOptions) => {
      const { setPassword } = await import("../actions/password.ts");
      await setPassword(io, principal, options);
    });
}
