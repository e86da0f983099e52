import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { strace } from "../test/support/break-calls.ts";
import type { Arena } from "./support/arena.ts";
import { attack, CannotTry, hasNone, hold } from "./support/attack.ts";
import { scratch } from "./support/files.ts";

const notOurs = hasNone("what others depend on is not judged here");
const root = fileURLToPath(new URL("..", import.meta.url));

export const d08 = attack({
  id: "D8",
  title: "Review and update dependencies",
  threat: "What is installed with mess runs code at install, comes from elsewhere, or calls home.",
  mitigation:
    "A small list of packages with a reason each, a lock file with sums, no scripts at install, no connection that nobody asked for.",
  ways: ["process", "source"],
  steps: [
    { name: "packages outside the policy", run: policy, elsewhere: notOurs },
    { name: "packages without a sum, or with a script, in the lock file", run: lockFile, elsewhere: notOurs },
    { name: "a start that connects to somewhere", run: callsHome, elsewhere: notOurs },
  ],
});

interface LockEntry {
  readonly integrity?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
}

async function policy(): Promise<void> {
  const tool = join(root, "tools", "check-dependencies.ts");
  const { status, stdout } = spawnSync(process.execPath, ["--import", "tsx", tool], { cwd: root, encoding: "utf8" });
  hold(status === 0, stdout);
}

async function lockFile(): Promise<void> {
  const lock = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Readonly<Record<string, LockEntry>>;
  };
  for (const [path, entry] of Object.entries(lock.packages)) {
    if (!path.includes("node_modules/") || entry.link === true) continue;
    hold(/^sha512-/.test(entry.integrity ?? ""), `${path} has no sum in the lock file`);
    hold(entry.dev === true || entry.hasInstallScript !== true, `${path} runs a script at install`);
  }
  for (const name of ["wire", "broker", "client", "cli"]) {
    const { scripts = {} } = JSON.parse(readFileSync(join(root, "packages", name, "package.json"), "utf8")) as {
      scripts?: Readonly<Record<string, string>>;
    };
    const hooks = Object.keys(scripts).filter((script) => /^(pre|post)?install$|^prepare$/.test(script));
    hold(hooks.length === 0, `packages/${name} runs ${hooks.join()} at install`);
  }
}

/** All that the process connects to while it starts and serves a client. */
async function callsHome(outer: Arena): Promise<void> {
  if (strace === undefined) throw new CannotTry("strace is not installed");
  const trace = join(scratch(), "trace");
  const wrapper = [strace, "-D", "-f", "-e", "trace=connect", "-e", "signal=none", "-o", trace];
  const arena = await outer.own({ wrapper });
  await arena.connect(await arena.principal());
  await arena.broker.stop();
  const calls = readFileSync(trace, "utf8")
    .split("\n")
    .filter((line) => /connect\(.*AF_INET/.test(line));
  hold(calls.length === 0, `it connects: ${calls.slice(0, 3).join("; ")}`);
}
