import { formatCount } from "../units.ts";
import type { ProgressStream } from "./progress-bar.ts";

const drawEveryMs = 100;

/** How many so far and how fast, where nobody knows of how many: on a terminal, nothing elsewhere. */
export class ProgressCount {
  readonly #stream: ProgressStream;
  readonly #label: string;
  readonly #now: () => number;
  readonly #began: number;
  #drawnAt: number;
  #drawn = false;

  constructor(stream: ProgressStream, label: string, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#label = label;
    this.#now = now;
    this.#began = now();
    // What is done at once needs no progress.
    this.#drawnAt = this.#began;
  }

  update(done: number): void {
    if (this.#stream.isTTY !== true) return;
    const now = this.#now();
    if (now - this.#drawnAt < drawEveryMs) return;
    this.#drawnAt = now;
    this.#drawn = true;
    const rate = (done / (now - this.#began)) * 1000;
    this.#stream.write(`\r${this.#label} ${formatCount(done)}, ${formatCount(rate)}/s\u001b[K`);
  }

  /** Removes the line, so that what follows begins on a clean one. */
  clear(): void {
    if (!this.#drawn) return;
    this.#drawn = false;
    this.#stream.write("\r\u001b[K");
  }
}
