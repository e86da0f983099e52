/** Programs of the machine that tests use when they are there. */
import { spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { cleanEnvironment } from "./server.ts";

/** The path of a program, or undefined when it is not installed. */
export function tool(
  name: string,
  places: readonly string[] = (process.env["PATH"] ?? "").split(":"),
): string | undefined {
  for (const place of [...places, "/usr/bin", "/usr/sbin"]) {
    const path = join(place, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // the next place
    }
  }
  return undefined;
}

export interface RunOptions {
  readonly input?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Milliseconds until SIGKILL. */
  readonly timeout?: number;
  /** Called with all of stdout so far, each time it grows. */
  readonly onOutput?: (stdout: string) => void;
}

export interface Ran {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end. Variables of mess are taken out of its environment. */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      stdio: ["pipe", "pipe", "pipe"],
      env: { ...cleanEnvironment(), ...options.env },
      cwd: options.cwd,
    });
    const timer = setTimeout(() => child.kill("SIGKILL"), options.timeout ?? 20_000);
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (bytes: Buffer) => {
      stdout += bytes.toString();
      options.onOutput?.(stdout);
    });
    child.stderr.on("data", (bytes: Buffer) => {
      stderr += bytes.toString();
    });
    child.on("error", reject);
    child.on("close", (code) => {
      clearTimeout(timer);
      resolve({ code, stdout, stderr });
    });
    child.stdin.on("error", () => {});
    child.stdin.end(options.input ?? "");
  });
}
