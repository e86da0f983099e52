import { allNodes, type CommandNode, type OptionNode } from "./command-tree.ts";

/** A fish completion script. */
export function fishCompletion(tree: CommandNode): string {
  const lines = ["# fish completion for mess", "complete -c mess -f"];
  for (const node of allNodes(tree)) {
    const condition = conditionFor(node);
    for (const child of node.children) {
      lines.push(`complete -c mess -n ${condition} -a ${child.name} -d ${quote(child.summary)}`);
    }
    for (const option of node.options) lines.push(optionLine(condition, option));
  }
  return `${lines.join("\n")}\n`;
}

function conditionFor(node: CommandNode): string {
  if (node.path === "") return "__fish_use_subcommand";
  const seen = node.path.split(" ").map((word) => `__fish_seen_subcommand_from ${word}`);
  const verbs = node.children.map((child) => child.name).join(" ");
  return quote([...seen, ...(verbs === "" ? [] : [`not __fish_seen_subcommand_from ${verbs}`])].join("; and "));
}

function optionLine(condition: string, option: OptionNode): string {
  const short = option.short === undefined ? "" : ` -s ${option.short}`;
  const value = { none: "", other: " -x", file: " -r -F", dir: " -x -a '(__fish_complete_directories)'" }[option.value];
  return `complete -c mess -n ${condition} -l ${option.long.slice(2)}${short}${value} -d ${quote(option.description)}`;
}

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
