import { execFileSync } from "node:child_process";
import { cpus, loadavg, release, totalmem } from "node:os";
import { repository } from "./repository.ts";

/** What a figure means nothing without: the machine, the versions, the commit. One line each. */
export function describeMachine(): string {
  const [first] = cpus();
  return [
    `machine  ${cpus().length} x ${first?.model.trim() ?? "unknown CPU"}, ${Math.round(totalmem() / 2 ** 30)} GiB, Linux ${release()}`,
    `node     ${process.version}`,
    `commit   ${commit()}`,
    `when     ${new Date().toISOString()}, load average ${loadAverage()}`,
  ].join("\n");
}

/** Of the last minute: how many processes wanted a core, this bench among them. */
export function loadAverage(): string {
  return (loadavg()[0] ?? 0).toFixed(1);
}

function commit(): string {
  const git = (...words: string[]): string => execFileSync("git", words, { cwd: repository, encoding: "utf8" }).trim();
  try {
    const isChanged = git("status", "--porcelain", "--untracked-files=no") !== "";
    return `${git("log", "-1", "--format=%h %s")}${isChanged ? " (with changes that are not committed)" : ""}`;
  } catch {
    return "unknown (not a git checkout)";
  }
}
