import type { Timer, Timers } from "../host/host.ts";

/** Something that is told when its time is up. An object and not a closure, so that a connection can be its own. */
export interface DeadlineTarget {
  deadlineReached(): void;
}

/** A running deadline; opaque to its owner. */
export interface Deadline {
  readonly target: DeadlineTarget;
  readonly tick: number;
}

const TICK_MS = 100;
const SLOTS = 64;

/**
 * Deadlines of many connections on one timer (a timer wheel), because a timer a socket costs more memory than an
 * idle connection may have. Coarse: a deadline fires at its time or up to 100 ms later, never earlier.
 * The timer runs only while something waits.
 */
export class Deadlines {
  readonly #timers: Timers;
  readonly #slots: Set<Deadline>[] = Array.from({ length: SLOTS }, () => new Set<Deadline>());
  #tick = 0;
  #waiting = 0;
  #timer: Timer | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  /** Deadlines that wait now. */
  get waiting(): number {
    return this.#waiting;
  }

  start(milliseconds: number, target: DeadlineTarget): Deadline {
    // One tick more than the quotient: the current tick has already begun.
    const deadline: Deadline = { target, tick: this.#tick + Math.ceil(milliseconds / TICK_MS) + 1 };
    this.#slot(deadline.tick).add(deadline);
    this.#waiting += 1;
    this.#timer ??= this.#timers.after(TICK_MS, () => this.#turn());
    return deadline;
  }

  /** Harmless on a deadline that has fired or was cancelled. */
  cancel(deadline: Deadline): void {
    if (this.#slot(deadline.tick).delete(deadline)) this.#waiting -= 1;
  }

  #slot(tick: number): Set<Deadline> {
    return this.#slots[tick % SLOTS] as Set<Deadline>;
  }

  #turn(): void {
    this.#timer = undefined;
    this.#tick += 1;
    for (const deadline of this.#slot(this.#tick)) {
      if (deadline.tick > this.#tick) continue;
      this.cancel(deadline);
      deadline.target.deadlineReached();
    }
    if (this.#waiting > 0) this.#timer ??= this.#timers.after(TICK_MS, () => this.#turn());
  }
}
