/** What test doubles are made of: a machine whose time stands still until a test moves it. Nothing here is for serving. */

import { FakeTimeHost } from "./host/fake-time-host.ts";
import type { Host } from "./host/host.ts";
import { parseDuration } from "./model/quantity.ts";

export interface TestMachineOptions {
  /** 32 bits; the same seed and the same calls give the same history. */
  readonly seed: number;
  /** Wall-clock milliseconds at the start. */
  readonly startAt: number;
}

const capacityBytes = 2 ** 30;

/** A clock that stands still. `advance` lets time pass; `jump` only sets the wall clock, as an operator does. */
export class TestClock {
  readonly #machine: FakeTimeHost;

  constructor(options: TestMachineOptions) {
    this.#machine = new FakeTimeHost({ ...options, capacityBytes });
  }

  /** For `Broker.open`. */
  get host(): Host {
    return this.#machine.host;
  }

  /** Wall-clock milliseconds. */
  now(): number {
    return this.#machine.now();
  }

  /**
   * Lets time pass, with all that happens in it: leases expire, retries and delayed messages come, handlers run.
   * Resolves when it has passed. What a handler awaits outside (a file, `setTimeout`) takes real time, for which the
   * clock does not wait.
   *
   * @param duration milliseconds, or text with a unit: "1h", "90s", "500ms"
   */
  advance(duration: number | string): Promise<void> {
    return this.#machine.advance(millisecondsOf(duration));
  }

  /** Moves the wall clock, also back, without letting time pass. */
  jump(duration: number | string): void {
    this.#machine.jump(typeof duration === "number" ? duration : millisecondsOf(duration));
  }
}

function millisecondsOf(duration: number | string): number {
  const milliseconds = typeof duration === "number" ? duration : parseDuration(duration);
  if (milliseconds !== undefined && milliseconds >= 0) return milliseconds;
  throw new RangeError(`${JSON.stringify(duration)} is no duration: write "1h", "90s", "500ms", or milliseconds`);
}
