import { readFileSync } from "node:fs";

/** Linux: USER_HZ, the unit of times in /proc, is 100 on every architecture. */
const ticksPerSecond = 100;

export interface Memory {
  /** Bytes resident now. */
  readonly resident: number;
  /** The most there ever were. */
  readonly peak: number;
}

/** Seconds of CPU that a process used, all its threads, user and kernel. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The second field is the program's name in parentheses, and may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}

export function memory(pid: number): Memory {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const kilobytes = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(status)?.[1] ?? 0);
  return { resident: kilobytes("VmRSS") * 1_024, peak: kilobytes("VmHWM") * 1_024 };
}
