import { readFileSync } from "node:fs";

/**
 * How many files and sockets this process may have open (RLIMIT_NOFILE; Node has raised the soft limit to the hard one
 * by now). `undefined` where the operating system does not say: there is no such file outside Linux.
 */
export function descriptorLimit(file: string = "/proc/self/limits"): number | undefined {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
  const limit = /^Max open files\s+(\d+)\s/m.exec(text)?.[1];
  return limit === undefined ? undefined : Number(limit);
}
