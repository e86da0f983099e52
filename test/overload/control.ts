/** The control client as the runner sees it. */
import { type ChildProcess, spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { cleanEnvironment } from "../support/server.ts";
import type { ControlAnswer, ControlRequest, ControlStart, LedgerFigures, PhaseFigures } from "./control-protocol.ts";
import { pinned } from "./pin.ts";

const script = fileURLToPath(new URL("./control-main.ts", import.meta.url));

export class Control {
  readonly #child: ChildProcess;
  #waiting: { resolve(answer: ControlAnswer): void; reject(error: Error): void } | undefined;

  private constructor(child: ChildProcess) {
    this.#child = child;
    child.on("message", (answer: ControlAnswer) => {
      const waiting = this.#waiting;
      this.#waiting = undefined;
      if (answer.about === "failed") waiting?.reject(new Error(`control client: ${answer.reason}`));
      else waiting?.resolve(answer);
    });
    child.on("exit", () => this.#waiting?.reject(new Error("the control client has ended")));
  }

  static async start(start: ControlStart): Promise<Control> {
    const [command = "", ...args] = pinned("load", [process.execPath, "--import", "tsx", script]);
    const child = spawn(command, args, { stdio: ["ignore", "ignore", "inherit", "ipc"], env: cleanEnvironment() });
    const control = new Control(child);
    await control.#ask({ verb: "start", start });
    return control;
  }

  async phase(): Promise<PhaseFigures> {
    const answer = await this.#ask({ verb: "phase" });
    if (answer.about !== "phase") throw new Error(`unexpected answer: ${answer.about}`);
    return answer.figures;
  }

  /** Publishes no more; the ledger is closed. */
  async stop(): Promise<void> {
    await this.#ask({ verb: "stop" });
  }

  async drain(): Promise<LedgerFigures> {
    const answer = await this.#ask({ verb: "drain" });
    if (answer.about !== "drained") throw new Error(`unexpected answer: ${answer.about}`);
    return answer.ledger;
  }

  close(): void {
    this.#child.kill("SIGKILL");
  }

  #ask(request: ControlRequest): Promise<ControlAnswer> {
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
      this.#child.send(request);
    });
  }
}
