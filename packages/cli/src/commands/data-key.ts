import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";

export interface DataKeyRotateOptions extends TargetOptions {
  readonly json?: boolean;
}

/** `mess data-key rotate` */
export function registerDataKey(program: Command, io: Io): void {
  const group = program
    .command("data-key")
    .summary("the key that seals what is written")
    .description("The key that seals what is written. The key-encryption key wraps it.");
  const rotate = group
    .command("rotate")
    .summary("seal what is written from now on with a new key")
    .description(
      "Seal what is written from now on with a new data key, while the server serves (needs admin.storage). The server does so " +
        "by itself after 90 days, and before 2^32 frames.",
    )
    .option("--json", "print the number of the new key as JSON");
  addTargetOptions(rotate)
    .addHelpText("after", examples(["mess data-key rotate"]))
    .action(async (options: DataKeyRotateOptions) => {
      const { rotateDataKey } = await import("../actions/data-key.ts");
      await rotateDataKey(io, options);
    });
}
