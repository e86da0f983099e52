import { DueQueue } from "./due-queue.ts";
import type { Host, Timer, Timers } from "./host.ts";
import { memoryDisk } from "./memory-disk.ts";
import { SimulatedClock } from "./simulated-queue.ts";
import { SeededRandom } from "./simulated-random.ts";

export interface FakeTimeOptions {
  /** 32 bits. The same seed and the same calls give the same history. */
  readonly seed: number;
  /** Wall-clock milliseconds at the start. */
  readonly startAt: number;
  readonly capacityBytes: number;
}

const owner = 0;
/** Timers of one advance come at most so many times: whoever lets a year pass does not wait for each tenth second of it. */
const STEPS_AN_ADVANCE = 36_000;
/** Towards its end an advance is exact again, so that all that is due within it has happened. */
const EXACT_MS = 1_000;

/**
 * A machine for tests: disk in memory, seeded randomness, and a clock that stands still until it is moved. What takes
 * no time (the disk, bytes of connections) goes on by itself meanwhile.
 */
export class FakeTimeHost {
  readonly host: Host;
  readonly #queue: DueQueue = new DueQueue();
  readonly #clock: SimulatedClock;
  /** Until when timers may be late, and by how much; both microseconds. */
  #coarseUntil = 0;
  #coarseBy = 0;
  #running: Promise<void> = Promise.resolve();

  constructor({ seed, startAt, capacityBytes }: FakeTimeOptions) {
    const random = new SeededRandom(seed);
    this.#clock = new SimulatedClock(this.#queue, startAt);
    const timers: Timers = {
      after: (milliseconds, run) => this.#after(milliseconds, run),
      soon: (run) => void this.#queue.soon(owner, run),
      isStill: true,
    };
    const disk = memoryDisk({ queue: this.#queue, seed: random.next(), capacityBytes });
    this.host = { disk, clock: this.#clock, timers, random: { bytes: (length) => random.bytes(length) } };
  }

  /** Wall-clock milliseconds. */
  now(): number {
    return this.#clock.now();
  }

  /** Lets so much time pass, with all that happens in it; whoever waits for a promise of it gets its turn in between. */
  advance(milliseconds: number): Promise<void> {
    const next = this.#running.then(() => this.#run(milliseconds));
    // A failed advance is told to whoever asked for it, and not to the next.
    this.#running = next.catch(() => undefined);
    return next;
  }

  /** Moves the wall clock alone, as an operator or NTP does. */
  jump(milliseconds: number): void {
    this.#clock.wallStart += milliseconds;
  }

  async #run(milliseconds: number): Promise<void> {
    const queue = this.#queue;
    const end = queue.now + Math.round(milliseconds * 1_000);
    this.#coarseBy = Math.floor((milliseconds * 1_000) / STEPS_AN_ADVANCE);
    this.#coarseUntil = end - EXACT_MS * 1_000;
    await turn();
    for (let next = queue.nextAt(); next !== undefined && next <= end; next = queue.nextAt()) {
      queue.step();
      await turn();
    }
    queue.advanceTo(end);
  }

  #after(milliseconds: number, run: () => void): Timer {
    const { now } = this.#queue;
    // What waits for no time at all must not wait for a test to move it.
    if (milliseconds <= 0) return this.#queue.schedule(owner, 0, run);
    const exact = now + Math.max(1, Math.floor(milliseconds)) * 1_000;
    const late = Math.min(Math.max(exact, now + this.#coarseBy), this.#coarseUntil);
    return this.#queue.schedule(owner, Math.max(exact, late) - now, run);
  }
}

/** Everything that waits for a resolved promise or for input runs. */
function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
