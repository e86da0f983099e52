/** Cores: the server has the first one for itself, load and control client share the second. Before other work, if we may. */
import { spawnSync } from "node:child_process";
import { availableParallelism, setPriority } from "node:os";
import { tool } from "../support/tools.ts";

const taskset = tool("taskset");
const nice = tool("nice");
/** Of the server and the load, where the superuser runs this: a machine with other work would make the broker look slow. */
const priority = -10;
const canHurry = process.getuid?.() === 0;

/** True where the server can be held to one core and the load kept off it. */
export const canPin: boolean = taskset !== undefined && availableParallelism() > 1;

const coreOf = { server: "0", load: "1" } as const;

/** The command, held to its core where that can be done. */
export function pinned(role: keyof typeof coreOf, command: readonly string[]): string[] {
  return [...pinWrapper(role), ...command];
}

/** What to put before a command. */
export function pinWrapper(role: keyof typeof coreOf): string[] {
  const hurry = canHurry && nice !== undefined ? [nice, "-n", String(priority)] : [];
  return canPin && taskset !== undefined ? [...hurry, taskset, "-c", coreOf[role]] : hurry;
}

/** Holds this process to the core of the load. */
export function pinThisProcess(): void {
  if (canHurry) setPriority(priority);
  if (canPin && taskset !== undefined) spawnSync(taskset, ["-a", "-p", "-c", coreOf.load, String(process.pid)]);
}
