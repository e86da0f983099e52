import type { Command } from "commander";
import { examples } from "../help-text.ts";
import type { Io } from "../io.ts";

/** `mess completion bash|zsh|fish` */
export function registerCompletion(program: Command, io: Io): void {
  program
    .command("completion")
    .summary("print a completion script")
    .description("Print a script that completes commands and options in your shell.")
    .argument("<shell>", "bash, zsh or fish")
    .addHelpText("after", examples(["mess completion bash > ~/.local/share/bash-completion/completions/mess"]))
    .action(async (shell: string) => {
      const { completion } = await import("../actions/completion.ts");
      await completion(io, program, shell);
    });
}
