import { Fifo } from "./fifo.ts";
import type { MessError } from "./mess-error.ts";

/** Those who wait for the next value, in the order in which they came. */
export class Takers<T> {
  readonly #waiting = new Fifo<{ resolve(value: T | undefined): void; reject(error: MessError): void }>();

  /** Whether anybody waits. */
  get any(): boolean {
    return this.#waiting.length > 0;
  }

  wait(): Promise<T | undefined> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  /** False when nobody waits for it. */
  give(value: T): boolean {
    const taker = this.#waiting.shift();
    taker?.resolve(value);
    return taker !== undefined;
  }

  /** Nothing comes any more: undefined for all, or the error. */
  end(failure: MessError | undefined): void {
    for (let taker = this.#waiting.shift(); taker !== undefined; taker = this.#waiting.shift()) {
      if (failure === undefined) taker.resolve(undefined);
      else taker.reject(failure);
    }
  }
}
