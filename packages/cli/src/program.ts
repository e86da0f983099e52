import type { Command } from "commander";
import { registerAudit } from "./commands/audit.ts";
import { registerBackup } from "./commands/backup.ts";
import { registerBench } from "./commands/bench.ts";
import { registerCert } from "./commands/cert.ts";
import { registerCompletion } from "./commands/completion.ts";
import { registerDataKey } from "./commands/data-key.ts";
import { registerDead } from "./commands/dead.ts";
import { registerDelayed } from "./commands/delayed.ts";
import { registerDoctor } from "./commands/doctor.ts";
import { registerErase } from "./commands/erase.ts";
import { registerKek } from "./commands/kek.ts";
import { registerKey } from "./commands/key.ts";
import { registerPair } from "./commands/pair.ts";
import { registerPassword } from "./commands/password.ts";
import { registerPolicy } from "./commands/policy.ts";
import { registerProof } from "./commands/proof.ts";
import { registerPub } from "./commands/pub.ts";
import { registerRepair } from "./commands/repair.ts";
import { registerRestore } from "./commands/restore.ts";
import { registerServe } from "./commands/serve.ts";
import { registerSigningKey } from "./commands/signing-key.ts";
import { registerSub } from "./commands/sub.ts";
import { registerSubscription } from "./commands/subscription.ts";
import { registerToken } from "./commands/token.ts";
import { registerTopic } from "./commands/topic.ts";
import { registerVerify } from "./commands/verify.ts";
import { registerWhoCan } from "./commands/who-can.ts";
import { registerWhy } from "./commands/why.ts";
import { emptyProgram } from "./empty-program.ts";
import type { Io } from "./io.ts";

/**
 * The command tree. The files it loads hold words and options only; what a command does is loaded when it runs, so that
 * help and completion cost nothing of it.
 */
export function createProgram(io: Io, version: string): Command {
  const program = emptyProgram(io, version);
  for (const register of registrations) register(program, io);
  return program;
}

const registrations: readonly ((program: Command, io: Io) => void)[] = [
  registerServe,
  registerPub,
  registerSub,
  registerSubscription,
  registerTopic,
  registerDead,
  registerDelayed,
  registerErase,
  registerKey,
  registerSigningKey,
  registerPassword,
  registerToken,
  registerCert,
  registerPolicy,
  registerWhy,
  registerWhoCan,
  registerAudit,
  registerPair,
  registerDoctor,
  registerVerify,
  registerProof,
  registerBackup,
  registerRestore,
  registerRepair,
  registerKek,
  registerDataKey,
  registerBench,
  registerCompletion,
];
