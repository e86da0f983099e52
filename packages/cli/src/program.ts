import { Command, Help } from "commander";
import { registerBench } from "./commands/bench.ts";
import { registerCompletion } from "./commands/completion.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerKek } from "./commands/kek.ts";
import { registerKey } from "./commands/key.ts";
import { registerPair } from "./commands/pair.ts";
import { registerPolicy } from "./commands/policy.ts";
import { registerPub } from "./commands/pub.ts";
import { registerServe } from "./commands/serve.ts";
import { registerSub } from "./commands/sub.ts";
import { registerVerify } from "./commands/verify.ts";
import { registerWhy } from "./commands/why.ts";
import type { Io } from "./io.ts";

const footer = `
Environment: MESS_URL, MESS_HTTP_URL, MESS_CA, MESS_KEY or MESS_KEY_FILE, MESS_CONTEXT, MESS_DATA; NO_COLOR, FORCE_COLOR.
Exit codes: 0 done, 64 usage, 65 damaged data, 69 unreachable, 70 internal error, 74 I/O failure, 75 data in use,
77 not permitted, 78 configuration, 130 interrupted, 143 terminated.

On the machine that serves, no options are needed:
  $ mess sub 'a/#'
  $ mess pub a/b hello`;

/**
 * The command tree. The files it loads hold words and options only; what a command does is loaded when it runs, so that
 * help and completion cost nothing of it.
 */
export function createProgram(io: Io, version: string): Command {
  const program = new Command("mess")
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
    .configureHelp({ sortSubcommands: false, sortOptions: false, subcommandTerm: (command) => new Help().subcommandTerm(command) })
    .exitOverride();
  for (const register of registrations) register(program, io);
  return program;
}

const registrations: readonly ((program: Command, io: Io) => void)[] = [
  registerServe,
  registerPub,
  registerSub,
  registerKey,
  registerPolicy,
  registerWhy,
  registerPair,
  registerDoctor,
  registerVerify,
  registerKek,
  registerBench,
  registerCompletion,
];
