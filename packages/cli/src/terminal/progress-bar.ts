export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

/** At most ten drawings a second: a terminal is slower than a disk. */
const drawEveryMs = 100;

/** A bar on a terminal, nothing elsewhere. */
export class ProgressBar {
  readonly #stream: ProgressStream;
  readonly #label: string;
  readonly #now: () => number;
  #drawnAt = Number.NEGATIVE_INFINITY;
  #drawn = false;

  constructor(stream: ProgressStream, label: string, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#label = label;
    this.#now = now;
  }

  /** `done` of `total`, in any unit. */
  update(done: number, total: number): void {
    if (this.#stream.isTTY !== true) return;
    const now = this.#now();
    if (now - this.#drawnAt < drawEveryMs && done < total) return;
    this.#drawnAt = now;
    this.#drawn = true;
    this.#stream.write(`\r${barText(this.#label, done, total, this.#stream.columns ?? 80)}\u001b[K`);
  }

  /** Removes the bar, so that what follows begins on a clean line. */
  clear(): void {
    if (!this.#drawn) return;
    this.#drawn = false;
    this.#stream.write("\r\u001b[K");
  }
}

export function barText(label: string, done: number, total: number, columns: number): string {
  const share = total <= 0 ? 1 : Math.min(1, Math.max(0, done / total));
  const percent = `${Math.floor(share * 100)} %`.padStart(5);
  const width = Math.max(0, Math.min(40, columns - label.length - percent.length - 4));
  const full = Math.round(share * width);
  return `${label} ${"█".repeat(full)}${"░".repeat(width - full)} ${percent}`;
}
