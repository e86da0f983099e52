import { readFileSync } from "node:fs";

/** The most memory a process has had resident so far, MB. Linux only. */
export function peakMb(pid: number): number {
  const found = /VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, "utf8"));
  return Math.round(Number(found?.[1] ?? 0) / 1024);
}
