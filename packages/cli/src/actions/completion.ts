import type { Command } from "commander";
import { usageError } from "../cli-error.ts";
import { bashCompletion } from "../completion/bash.ts";
import { commandTree } from "../completion/command-tree.ts";
import { fishCompletion } from "../completion/fish.ts";
import { zshCompletion } from "../completion/zsh.ts";
import type { Io } from "../io.ts";
import { print } from "../terminal/print.ts";

export async function completion(io: Io, program: Command, shell: string): Promise<void> {
  const generators = new Map([
    ["bash", bashCompletion],
    ["zsh", zshCompletion],
    ["fish", fishCompletion],
  ]);
  const generate = generators.get(shell);
  if (generate === undefined) throw usageError(`there is no completion for "${shell}"`, "choose bash, zsh or fish");
  await print(io, generate(commandTree(program)));
}
