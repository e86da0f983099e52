import type { Timer } from "./host.ts";
import { SimulatedQueue } from "./simulated-queue.ts";

/** Events run without a look at the rest of the process; then it gets its turn. */
const EVENTS_A_TURN = 1_000;

/**
 * A simulated queue that runs what is due by itself, from the event loop, never inside the caller. Its time stands
 * still until somebody moves it, so that what lies in the future waits for that.
 */
export class DueQueue extends SimulatedQueue {
  #planned = false;

  override schedule(owner: number, delay: number, run: () => void): Timer {
    const timer = super.schedule(owner, delay, run);
    this.#plan();
    return timer;
  }

  override soon(owner: number, run: () => void): Timer {
    const timer = super.soon(owner, run);
    this.#plan();
    return timer;
  }

  #plan(): void {
    if (this.#planned || !this.#isDue) return;
    this.#planned = true;
    setImmediate(this.#run);
  }

  get #isDue(): boolean {
    const next = this.nextAt();
    return next !== undefined && next <= this.now;
  }

  readonly #run = (): void => {
    this.#planned = false;
    try {
      for (let count = 0; count < EVENTS_A_TURN && this.#isDue; count++) this.step();
    } finally {
      // Also when one of them threw: the others must not wait for ever.
      this.#plan();
    }
  };
}
