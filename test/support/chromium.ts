/** A headless Chromium that tests look through, spoken to by its own pipe (Chrome DevTools Protocol). */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable, Writable } from "node:stream";
import { tool } from "./tools.ts";

/** Undefined where it is not installed (Debian: chromium). */
export const chromium: string | undefined = tool("chromium") ?? tool("chromium-browser");

interface Answer {
  readonly id?: number;
  readonly method?: string;
  readonly params?: { readonly args?: readonly { readonly value?: unknown }[]; readonly exceptionDetails?: unknown };
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly message: string };
}

const askMs = 20_000;

export class Browser {
  /** What the page wrote to its console, and what it threw. */
  readonly console: string[] = [];
  readonly #child: ChildProcess;
  readonly #profile: string;
  readonly #input: Writable;
  readonly #asked = new Map<number, (answer: Answer) => void>();
  #held = "";
  #lastId = 0;
  #session: string | undefined;

  private constructor(child: ChildProcess, profile: string) {
    this.#child = child;
    this.#profile = profile;
    this.#input = child.stdio[3] as Writable;
    this.#input.on("error", () => undefined);
    (child.stdio[4] as Readable).on("data", (bytes: Buffer) => this.#take(bytes.toString("utf8")));
  }

  static open(): Browser {
    if (chromium === undefined) throw new Error("chromium is not installed");
    const profile = mkdtempSync(join(tmpdir(), "mess-chromium-"));
    const flags = [
      "--headless=new",
      "--disable-gpu",
      "--disable-dev-shm-usage",
      "--no-first-run",
      "--disable-extensions",
    ];
    // Its sandbox needs a user that is not root, or namespaces that a container may not have; it only sees our own page.
    flags.push("--no-sandbox", "--remote-debugging-pipe", `--user-data-dir=${profile}`, "about:blank");
    return new Browser(spawn(chromium, flags, { stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"] }), profile);
  }

  /** Opens a page; its scripts may still be running. */
  async goto(url: string): Promise<void> {
    const { targetId } = await this.#ask("Target.createTarget", { url: "about:blank" });
    const { sessionId } = await this.#ask("Target.attachToTarget", { targetId, flatten: true });
    this.#session = String(sessionId);
    await this.#ask("Runtime.enable");
    await this.#ask("Page.enable");
    await this.#ask("Page.navigate", { url });
  }

  /** The value of an expression in the page; promises are awaited. */
  async evaluate(expression: string): Promise<unknown> {
    const answer = await this.#ask("Runtime.evaluate", { expression, awaitPromise: true, returnByValue: true });
    if (answer["exceptionDetails"] !== undefined) throw new Error(JSON.stringify(answer["exceptionDetails"]));
    return (answer["result"] as { value?: unknown } | undefined)?.value;
  }

  /** Waits until an expression in the page is true. */
  async until(expression: string, milliseconds = 15_000): Promise<void> {
    const deadline = Date.now() + milliseconds;
    while ((await this.evaluate(expression).catch(() => false)) !== true) {
      if (Date.now() > deadline) {
        const text = await this.evaluate("document.body.innerText").catch(() => "");
        throw new Error(
          `${expression} did not come true; the page: ${String(text)}; console: ${this.console.join(" | ")}`,
        );
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }

  async close(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once("close", resolve));
    this.#child.kill("SIGKILL");
    await gone;
    rmSync(this.#profile, { recursive: true, force: true, maxRetries: 5, retryDelay: 50 });
  }

  #ask(method: string, params: Readonly<Record<string, unknown>> = {}): Promise<Readonly<Record<string, unknown>>> {
    const id = ++this.#lastId;
    const session = this.#session === undefined ? {} : { sessionId: this.#session };
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`chromium did not answer ${method}`)), askMs);
      this.#asked.set(id, ({ result, error }) => {
        clearTimeout(timer);
        if (error === undefined) resolve(result ?? {});
        else reject(new Error(`${method}: ${error.message}`));
      });
      this.#input.write(`${JSON.stringify({ id, method, params, ...session })}\0`);
    });
  }

  #take(text: string): void {
    const parts = (this.#held + text).split("\0");
    this.#held = parts.pop() ?? "";
    for (const part of parts) {
      const answer = JSON.parse(part) as Answer;
      if (answer.id !== undefined) this.#asked.get(answer.id)?.(answer);
      else if (answer.method === "Runtime.consoleAPICalled") {
        this.console.push((answer.params?.args ?? []).map(({ value }) => String(value)).join(" "));
      } else if (answer.method === "Runtime.exceptionThrown") {
        this.console.push(JSON.stringify(answer.params?.exceptionDetails));
      }
    }
  }
}
