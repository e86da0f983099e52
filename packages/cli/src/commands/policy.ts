import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";

export interface PolicyApplyOptions extends TargetOptions {
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly json?: boolean;
}

export interface PolicyShowOptions extends TargetOptions {
  readonly json?: boolean;
}

/** `mess policy apply|show` */
export function registerPolicy(program: Command, io: Io): void {
  const policy = program
    .command("policy")
    .summary("roles, principals, declarations")
    .description("Show and replace the policy: roles, grants and principals, declared topics and subscriptions.");
  const apply = policy
    .command("apply")
    .summary("replace the policy")
    .description(
      "Replace the policy with a TOML file (or JSON, when its name ends so); - is stdin. Prints what changes.",
    )
    .argument("<file>", "policy file; - is stdin")
    .option("--dry-run", "print what would change, change nothing")
    .option("-y, --yes", "do not ask")
    .option("--json", "print the outcome as JSON");
  addTargetOptions(apply)
    .addHelpText("after", examples(["mess policy apply policy.toml --dry-run", "mess policy apply policy.toml --yes"]))
    .action(async (file: string, options: PolicyApplyOptions) => {
      const { applyPolicy } = await import("../actions/policy.ts");
      await applyPolicy(io, file, options);
    });
  const show = policy
    .command("show")
    .summary("print the policy")
    .description("Print the policy as TOML, fit for mess policy apply.");
  addTargetOptions(show.option("--json", "print it as JSON")).action(async (options: PolicyShowOptions) => {
    const { showPolicy } = await import("../actions/policy.ts");
    await showPolicy(io, options);
  });
}
