import type { Command } from "commander";

/** What a shell can be told of one command. */
export interface CommandNode {
  /** Words after `mess`: "key create"; "" is `mess` itself. */
  readonly path: string;
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionNode[];
  readonly children: readonly CommandNode[];
}

export interface OptionNode {
  readonly long: string;
  /** One letter, if it has one. */
  readonly short: string | undefined;
  readonly description: string;
  /** "file" and "dir" are completed by the shell; "none" takes no value. */
  readonly value: "none" | "file" | "dir" | "other";
}

/** The tree that completion scripts and the documentation are made from. */
export function commandTree(command: Command, parents: readonly string[] = []): CommandNode {
  const help = command.createHelp();
  const children = help.visibleCommands(command).filter((child) => child.name() !== "help");
  return {
    path: parents.join(" "),
    name: command.name(),
    summary: command.summary() || command.description(),
    options: help.visibleOptions(command).map((option) => ({
      long: option.long ?? "",
      short: option.short?.slice(1),
      description: option.description,
      value: valueKind(option.flags),
    })),
    children: children.map((child) => commandTree(child, [...parents, child.name()])),
  };
}

/** Every command below, itself first. */
export function allNodes(node: CommandNode): readonly CommandNode[] {
  return [node, ...node.children.flatMap(allNodes)];
}

function valueKind(flags: string): OptionNode["value"] {
  const value = /<([^>]+)>/u.exec(flags)?.[1];
  if (value === undefined) return "none";
  if (value === "file") return "file";
  return value === "dir" ? "dir" : "other";
}
