import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";

export interface WhyOptions extends TargetOptions {
  readonly json?: boolean;
}

/** `mess why PRINCIPAL ACTION TOPIC` */
export function registerWhy(program: Command, io: Io): void {
  const command = program
    .command("why")
    .summary("explain a decision")
    .description("Say whether a principal may do something, and which grant decides.")
    .argument("<principal>", "name of the principal")
    .argument("<action>", "publish, subscribe, retain, will, share, consume, create, manage or admin.…")
    .argument("[topic]", "topic name, or topic filter for subscribe", "")
    .option("--json", "print the decision as JSON");
  addTargetOptions(command)
    .addHelpText("after", examples(["mess why dev7 publish plant/8/temp"]))
    .action(async (principal: string, action: string, topic: string, options: WhyOptions) => {
      const { why } = await import("../actions/why.ts");
      await why(io, { principal, action, topic }, options);
    });
}
