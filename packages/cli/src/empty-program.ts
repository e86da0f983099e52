import { Command, Help } from "commander";
import type { Io } from "./io.ts";

const footer = `
Environment: MESS_URL, MESS_HTTP_URL, MESS_CA, MESS_KEY or MESS_KEY_FILE, MESS_CERT and MESS_CERT_KEY, MESS_CONTEXT,
MESS_DATA; NO_COLOR, FORCE_COLOR.
Exit codes: 0 done, 64 usage, 65 damaged data, 69 unreachable, 70 internal error, 74 I/O failure, 75 data in use,
77 not permitted, 78 configuration, 130 interrupted, 143 terminated.

On the machine that serves, no options are needed:
  $ mess sub 'a/#'
  $ mess pub a/b hello`;

/** The program without its commands. */
export function emptyProgram(io: Io, version: string): Command {
  return new Command("mess")
    .description("A message queue that is secure and durable by default.")
    .version(version, "-V, --version", "print the version")
    .helpOption("-h, --help", "print help")
    .addHelpText("after", footer)
    .showHelpAfterError("(mess --help lists commands, mess COMMAND --help options)")
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
      // Piped help is not wrapped to a guess of a width.
      getOutHelpWidth: () => (io.stdout.isTTY === true ? (io.stderr.columns ?? 100) : 120),
      getErrHelpWidth: () => io.stderr.columns ?? 120,
    })
    .configureHelp({
      sortSubcommands: false,
      sortOptions: false,
      subcommandTerm: (command) => new Help().subcommandTerm(command),
    })
    .exitOverride();
}
