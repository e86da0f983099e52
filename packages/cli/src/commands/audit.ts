import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";
import { wholeNumber } from "../units.ts";

export interface AuditOptions extends TargetOptions {
  readonly event?: string;
  readonly principal?: string;
  readonly since?: string;
  readonly until?: string;
  readonly last?: number;
  readonly follow?: boolean;
  readonly json?: boolean;
}

/** `mess audit` */
export function registerAudit(program: Command, io: Io): void {
  const command = program
    .command("audit")
    .summary("read the audit trail")
    .description(
      "Print what the broker wrote down of administrative acts, refusals and failed logins, oldest first. Needs admin.audit.",
    )
    .option("--event <name>", "one event, or all that begin alike: acl.*")
    .option("--principal <name>", "who did it, or to whom it was done")
    .option("--since <time>", "not before: RFC 3339, or so long ago, such as 2h")
    .option("--until <time>", "before, in the same form")
    .option("--last <n>", "the last ones only", wholeNumber("--last", 1, 100_000))
    .option("-f, --follow", "go on with what comes")
    .option("--json", "print a JSON object a record");
  addTargetOptions(command)
    .addHelpText(
      "after",
      examples([
        "mess audit --event auth.fail --since 1h",
        "mess audit --principal dev7 --last 20",
        "mess audit -f --json",
      ]),
    )
    .action(async (options: AuditOptions) => {
      const { audit } = await import("../actions/audit.ts");
      await audit(io, options);
    });
}
