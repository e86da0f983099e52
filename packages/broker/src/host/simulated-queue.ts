import type { Clock, Timer, Timers } from "./host.ts";
import type { SeededRandom } from "./simulated-random.ts";

/** The owner of events that belong to the world (clients, faults): they survive a crash of the machine. */
export const WORLD = -1;

/** 0: input, timers and disk completions; 1: `soon`, which waits for the input that is due at the same instant. */
type Phase = 0 | 1;

class QueuedEvent implements Timer {
  readonly at: number;
  readonly phase: Phase;
  readonly order: number;
  readonly owner: number;
  run: (() => void) | undefined;

  constructor(place: { at: number; phase: Phase; order: number; owner: number }, run: () => void) {
    this.at = place.at;
    this.phase = place.phase;
    this.order = place.order;
    this.owner = place.owner;
    this.run = run;
  }

  cancel(): void {
    this.run = undefined;
  }
}

function before(a: QueuedEvent, b: QueuedEvent): boolean {
  if (a.at !== b.at) return a.at < b.at;
  if (a.phase !== b.phase) return a.phase < b.phase;
  return a.order < b.order;
}

/** Everything that will happen, ordered by simulated time (whole microseconds since the start of the simulation). */
export class SimulatedQueue {
  #now = 0;
  #order = 0;
  readonly #heap: QueuedEvent[] = [];

  get now(): number {
    return this.#now;
  }

  schedule(owner: number, delay: number, run: () => void): Timer {
    const at = this.#now + Math.max(0, Math.round(delay));
    return this.#push(new QueuedEvent({ at, phase: 0, order: this.#order++, owner }, run));
  }

  soon(owner: number, run: () => void): Timer {
    return this.#push(new QueuedEvent({ at: this.#now, phase: 1, order: this.#order++, owner }, run));
  }

  /** Time of the next event; `undefined` when nothing is left. */
  nextAt(): number | undefined {
    for (;;) {
      const first = this.#heap[0];
      if (first === undefined) return undefined;
      if (first.run !== undefined) return first.at;
      this.#pop();
    }
  }

  /** Runs the next event and returns its owner, or `undefined` when there is none. */
  step(): number | undefined {
    if (this.nextAt() === undefined) return undefined;
    const event = this.#pop();
    this.#now = event.at;
    const run = event.run;
    event.run = undefined;
    run?.();
    return event.owner;
  }

  /** Lets time pass without an event. */
  advanceTo(at: number): void {
    if (at > this.#now) this.#now = at;
  }

  /** Forgets what a dead incarnation had waiting. */
  cancelAll(owner: number): void {
    for (const event of this.#heap) if (event.owner === owner) event.run = undefined;
  }

  #push(event: QueuedEvent): QueuedEvent {
    const heap = this.#heap;
    let index = heap.length;
    heap.push(event);
    while (index > 0) {
      const parent = (index - 1) >> 1;
      const above = heap[parent] as QueuedEvent;
      if (!before(event, above)) break;
      heap[index] = above;
      index = parent;
    }
    heap[index] = event;
    return event;
  }

  #pop(): QueuedEvent {
    const heap = this.#heap;
    const first = heap[0] as QueuedEvent;
    const last = heap.pop() as QueuedEvent;
    if (heap.length === 0) return first;
    let index = 0;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && before(heap[child + 1] as QueuedEvent, heap[child] as QueuedEvent)) child++;
      if (!before(heap[child] as QueuedEvent, last)) break;
      heap[index] = heap[child] as QueuedEvent;
      index = child;
    }
    heap[index] = last;
    return first;
  }
}

/** Monotonic time is the queue's; wall time is that plus an offset that tests move. */
export class SimulatedClock implements Clock {
  /** Wall-clock milliseconds at simulated time zero. */
  wallStart: number;
  readonly #queue: SimulatedQueue;

  constructor(queue: SimulatedQueue, wallStart: number) {
    this.#queue = queue;
    this.wallStart = wallStart;
  }

  now(): number {
    return this.wallStart + Math.floor(this.#queue.now / 1_000);
  }

  monotonic(): number {
    return this.#queue.now / 1_000;
  }
}

/** Timers of one incarnation; late by up to a millisecond and now and then a little early, as Node's are. */
export class SimulatedTimers implements Timers {
  readonly #queue: SimulatedQueue;
  readonly #random: SeededRandom;
  readonly #owner: number;
  readonly #alive: () => boolean;

  constructor(queue: SimulatedQueue, random: SeededRandom, owner: number, alive: () => boolean) {
    this.#queue = queue;
    this.#random = random;
    this.#owner = owner;
    this.#alive = alive;
  }

  after(milliseconds: number, run: () => void): Timer {
    if (!this.#alive()) return { cancel: () => undefined };
    // setTimeout takes whole milliseconds, at least one, and libuv may fire a fraction early by the fine clock.
    const whole = Math.max(1, Math.floor(milliseconds)) * 1_000;
    const jitter = this.#random.chance(0.1) ? -this.#random.below(300) : this.#random.below(1_000);
    return this.#queue.schedule(this.#owner, whole + jitter, run);
  }

  soon(run: () => void): void {
    if (this.#alive()) this.#queue.soon(this.#owner, run);
  }
}
