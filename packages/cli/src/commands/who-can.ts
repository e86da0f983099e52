import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";

export interface WhoCanOptions extends TargetOptions {
  readonly json?: boolean;
}

/** `mess who-can ACTION TOPIC` */
export function registerWhoCan(program: Command, io: Io): void {
  const command = program
    .command("who-can")
    .summary("list who may do something")
    .description("List every principal that may do something, each with the grant that decides.")
    .argument("<action>", "publish, subscribe, retain, will, share, consume, create, manage or admin.…")
    .argument("[topic]", "topic name, or topic filter for subscribe", "")
    .option("--json", "print the list as JSON, one principal a line");
  addTargetOptions(command)
    .addHelpText("after", examples(["mess who-can publish orders/created", "mess who-can admin.policy"]))
    .action(async (action: string, topic: string, options: WhoCanOptions) => {
      const { whoCan } = await import("../actions/who-can.ts");
      await whoCan(io, { action, topic }, options);
    });
}
