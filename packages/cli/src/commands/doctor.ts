import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";
import type { TargetOptions } from "../target/target.ts";
import { addTargetOptions } from "../target/target-options.ts";

export interface DoctorOptions extends TargetOptions {
  readonly only?: readonly string[];
  readonly json?: boolean;
}

/** `mess doctor` */
export function registerDoctor(program: Command, io: Io): void {
  const command = program
    .command("doctor")
    .summary("check this installation")
    .description(
      "Check the data directory, the machine and the server, a line a check: ok, warn or fail. Exit code 0 unless one fails.",
    )
    .option("--only <id...>", "these checks alone: server.ready")
    .option("--json", "print an object a check");
  addTargetOptions(command)
    .addHelpText(
      "after",
      examples(["mess doctor", "mess doctor --data /var/lib/mess --json", "mess doctor --only server.ready"]),
    )
    .action(async (options: DoctorOptions) => {
      const { doctor } = await import("../actions/doctor.ts");
      await doctor(io, options);
    });
}
