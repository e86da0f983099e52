import { allNodes, type CommandNode } from "./command-tree.ts";

/** A bash completion script: walks the words before the cursor to a command, then offers its verbs and options. */
export function bashCompletion(tree: CommandNode): string {
  const nodes = allNodes(tree);
  const verbs = nodes
    .map((node) =>
      bashCase(
        node.path,
        node.children.map((child) => child.name),
      ),
    )
    .join("\n");
  const flags = nodes
    .map((node) =>
      bashCase(
        node.path,
        node.options.flatMap(({ long, short }) => (short ? [long, `-${short}`] : [long])),
      ),
    )
    .join("\n");
  const long = (kind: "file" | "dir"): string => {
    const found = nodes.flatMap(({ options }) =>
      options.filter(({ value }) => value === kind).map((option) => option.long),
    );
    return [...new Set(found)].join("|");
  };
  return `# bash completion for mess
_mess_verbs() {
  case "$1" in
${verbs}
  esac
}
_mess_flags() {
  case "$1" in
${flags}
  esac
}
_mess() {
  local current="\${COMP_WORDS[COMP_CWORD]}" previous="\${COMP_WORDS[COMP_CWORD-1]}" path="" word verb
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    for verb in $(_mess_verbs "$path"); do
      if [ "$verb" = "$word" ]; then path="\${path:+$path }$word"; break; fi
    done
  done
  case "$previous" in
    ${long("file")}) COMPREPLY=($(compgen -f -- "$current")); return ;;
    ${long("dir")}) COMPREPLY=($(compgen -d -- "$current")); return ;;
  esac
  case "$current" in
    -*) COMPREPLY=($(compgen -W "$(_mess_flags "$path")" -- "$current")) ;;
    *) COMPREPLY=($(compgen -W "$(_mess_verbs "$path")" -- "$current")) ;;
  esac
}
complete -o default -F _mess mess
`;
}

function bashCase(path: string, words: readonly string[]): string {
  return `    "${path}") echo "${words.join(" ")}" ;;`;
}
