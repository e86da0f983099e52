import { type ChildProcess, spawn } from "node:child_process";

const living = new Set<ChildProcess>();
process.on("exit", () => {
  for (const child of living) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(130));

const stopDeadlineMs = 60_000;
const outputMax = 64 * 1024;

/** A process of this bench. It does not outlive it. */
export class StartedProcess {
  /** The end of what it wrote, to both streams. */
  output = "";
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  #hasEnded = false;

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], env: { ...process.env, ...env } });
    living.add(this.#child);
    const keep = (bytes: Buffer): void => {
      this.output = (this.output + bytes.toString()).slice(-outputMax);
    };
    this.#child.stdout?.on("data", keep);
    this.#child.stderr?.on("data", keep);
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#hasEnded = true;
        living.delete(this.#child);
        resolve();
      };
      this.#child.once("close", end);
      this.#child.once("error", (error) => {
        this.output += error.message;
        end();
      });
    });
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`not running: ${this.output}`);
    return this.#child.pid;
  }

  /** Resolves when `isReady` says so; asks after every output and every few milliseconds. */
  async until(isReady: () => boolean | Promise<boolean>, deadlineMs: number): Promise<void> {
    const until = performance.now() + deadlineMs;
    while (!(await isReady())) {
      if (this.#hasEnded || performance.now() > until) {
        await this.kill();
        throw new Error(`${this.#child.spawnfile} did not get ready: ${this.output.slice(-500)}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }

  /** SIGTERM, and the time it took to end in seconds. */
  async stop(): Promise<number> {
    const began = performance.now();
    this.#child.kill("SIGTERM");
    const deadline = setTimeout(() => this.#child.kill("SIGKILL"), stopDeadlineMs);
    await this.#ended;
    clearTimeout(deadline);
    return (performance.now() - began) / 1_000;
  }

  /** kill -9. */
  async kill(): Promise<void> {
    if (!this.#hasEnded) this.#child.kill("SIGKILL");
    await this.#ended;
  }
}
