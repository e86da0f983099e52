import type { Command } from "commander";

/** The reference `docs/cli.md`, made from the command tree, so that the two cannot differ. */
export function documentation(program: Command): string {
  const parts = [
    intro,
    contents(program),
    ...commandsOf(program, []).map(({ command, path }) => chapter(command, path)),
  ];
  return `${parts.join("\n")}`;
}

const intro = `# Command line

<!-- Made from the command tree by packages/cli/src/write-documentation.ts; a test keeps it current. -->

Data goes to stdout, everything else to stderr. \`--json\` prints one JSON object, or one a line where there are many.
Colours and progress bars appear on a terminal only; \`NO_COLOR\`, \`FORCE_COLOR\`, \`CI\` and \`TERM=dumb\` are honoured.
What cannot be undone asks on a terminal and needs \`--yes\` without one. Secrets are read from files, stdin or the
environment, never from arguments. \`--\` ends the options, \`-\` is stdin.

## Where the server is

In this order: the options \`--url\`, \`--http-url\`, \`--ca\`, \`--key-file\`, \`--cert\` and \`--cert-key\`; the
environment \`MESS_URL\`, \`MESS_HTTP_URL\`, \`MESS_CA\`, \`MESS_KEY\` or \`MESS_KEY_FILE\`, \`MESS_CERT\` and
\`MESS_CERT_KEY\`; the context that \`mess pair\` remembered (\`--context\`, \`MESS_CONTEXT\`, or
\`default\`, in \`$XDG_CONFIG_HOME/mess/contexts\`); the data directory of a server on this machine (\`--data\`,
\`MESS_DATA\`, or \`./mess-data\`), with its \`ca.pem\`, \`admin.key\` and \`server.json\`. A data directory that is named wins
over a context that is not. A remembered key goes only to the address remembered with it, or, over TLS, to a server that
proves itself with the CA remembered with it.

## Exit codes

| code | meaning |
| ---: | --- |
| 0 | done |
| 64 | the command line, or what was sent, is wrong |
| 65 | data on disk is damaged |
| 69 | the server cannot be reached, or does not answer |
| 70 | a defect of mess |
| 74 | reading or writing failed, or there is no room: the disk, a quota |
| 75 | the data directory is in use |
| 77 | not permitted |
| 78 | a setting, file or certificate is wrong |
| 130, 143 | ended by SIGINT, SIGTERM |
`;

interface Entry {
  readonly command: Command;
  readonly path: string;
}

function commandsOf(command: Command, parents: readonly string[]): readonly Entry[] {
  const help = command.createHelp();
  return help
    .visibleCommands(command)
    .filter((child) => child.name() !== "help")
    .flatMap((child) => {
      const path = [...parents, child.name()];
      const below = commandsOf(child, path);
      return below.length > 0 ? below : [{ command: child, path: path.join(" ") }];
    });
}

function contents(program: Command): string {
  const rows = commandsOf(program, []).map(({ command, path }) => {
    return `| [\`mess ${path}\`](#mess-${path.replaceAll(" ", "-")}) | ${command.summary()} |`;
  });
  return `## Commands\n\n| command | what it does |\n| --- | --- |\n${rows.join("\n")}\n`;
}

function chapter(command: Command, path: string): string {
  const help = command.createHelp();
  const words = command.registeredArguments.map((argument) => {
    const word = `${argument.name()}${argument.variadic ? "..." : ""}`;
    return argument.required ? ` <${word}>` : ` [${word}]`;
  });
  const alias = command.alias() === undefined ? "" : `Also \`${command.alias()}\`. `;
  const rows = [
    ...help
      .visibleArguments(command)
      .map((argument) => `| \`${argument.name()}\` | ${cell(help.argumentDescription(argument))} |`),
    ...help
      .visibleOptions(command)
      .map((option) => `| \`${option.flags}\` | ${cell(help.optionDescription(option))} |`),
  ];
  return `### mess ${path}

\`\`\`
mess ${path} [options]${words.join("")}
\`\`\`

${alias}${command.description()}

| argument or option | meaning |
| --- | --- |
${rows.join("\n")}
`;
}

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}
