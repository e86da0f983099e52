import { allNodes, type CommandNode, type OptionNode } from "./command-tree.ts";

/** A zsh completion script: one function a command. */
export function zshCompletion(tree: CommandNode): string {
  return `#compdef mess\n# zsh completion for mess\n\n${allNodes(tree).map(zshFunction).join("\n")}\ncompdef _mess mess\n`;
}

function functionName(path: string): string {
  return path === "" ? "_mess" : `_mess_${path.replaceAll(" ", "_")}`;
}

function zshFunction(node: CommandNode): string {
  const options = node.options.flatMap(optionSpecs);
  if (node.children.length === 0) {
    return `${functionName(node.path)}() {\n  _arguments -s ${[...options, "'*:argument:_files'"].join(" \\\n    ")}\n}\n`;
  }
  const verbs = node.children.map((child) => quote(`${child.name}:${child.summary.replaceAll(":", "\\:")}`)).join(" ");
  const calls = node.children.map((child) => `        ${child.name}) ${functionName(child.path)} ;;`).join("\n");
  return `${functionName(node.path)}() {
  local line state
  _arguments -C ${options.join(" \\\n    ")} \\
    '1: :->verb' '*::arg:->rest'
  case "$state" in
    verb)
      local -a verbs=(${verbs})
      _describe 'command' verbs ;;
    rest)
      case "$line[1]" in
${calls}
      esac ;;
  esac
}
`;
}

function optionSpecs(option: OptionNode): readonly string[] {
  const value = { none: "", other: ":value:", file: ":file:_files", dir: ":directory:_files -/" }[option.value];
  const description = option.description.replace(/[[\]:\\]/gu, (character) => `\\${character}`);
  const names = option.short === undefined ? [option.long] : [option.long, `-${option.short}`];
  return names.map((name) => quote(`${name}[${description}]${value}`));
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}
