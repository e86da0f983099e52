/** System calls of a running process that fail from now on. */
import { type ChildProcess, spawn } from "node:child_process";
import { sleep } from "./names.ts";
import { tool } from "./tools.ts";

/** Undefined where it is not installed (Debian: strace). */
export const strace: string | undefined = tool("strace");

/** Makes every further call of a running process fail. Undefined when this user may not trace it. */
export async function breakCalls(pid: number, call: string, error: string): Promise<ChildProcess | undefined> {
  const inject = ["-e", `trace=${call}`, "-e", `inject=${call}:error=${error}`];
  const tracer = spawn(strace ?? "", ["-f", "-p", String(pid), ...inject, "-o", "/dev/null"]);
  let said = "";
  tracer.stderr.on("data", (bytes: Buffer) => {
    said += bytes.toString();
  });
  for (let waited = 0; waited < 100; waited += 1) {
    if (/attached/.test(said)) {
      // threads attach one after the other
      await sleep(200);
      return tracer;
    }
    if (tracer.exitCode !== null) return undefined;
    await sleep(50);
  }
  tracer.kill();
  return undefined;
}
