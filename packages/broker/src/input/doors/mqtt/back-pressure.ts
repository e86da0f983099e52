/** Why a connection is not read from for a moment, and whom a slow receiver holds back. */
import type { Timer, Timers } from "../../../host/host.ts";
import type { Transport } from "../../transport.ts";

/** A congested receiver holds its publishers back this long at most, so that one that stalls harms nobody (THREATS A14). */
const slowDownMs = 100;

/**
 * Of one connection, as publisher and as receiver. As publisher it is paused while at least one holds it back: a slow
 * receiver, the journal, or what it sent itself. As receiver it holds back others until it has drained, or they waited
 * long enough; then it counts as stalled and holds nobody until it has drained.
 */
export class BackPressure {
  readonly #transport: Transport;
  readonly #timers: Timers;
  #pauses = 0;
  #isClosed = false;
  #waitsForCalm = false;
  #isStalled = false;
  /** Publishers that wait for this receiver, with what ends their wait. */
  #held: Map<BackPressure, Timer> | undefined;

  constructor(transport: Transport, timers: Timers) {
    this.#transport = transport;
    this.#timers = timers;
  }

  get isPaused(): boolean {
    return this.#pauses > 0;
  }

  /** This receiver let somebody wait in vain since it last drained. */
  get isStalled(): boolean {
    return this.#isStalled;
  }

  /** As receiver: it takes less than `publisher` sends it. */
  hold(publisher: BackPressure): void {
    if (publisher === this || this.#held?.has(publisher) === true) return;
    this.#held ??= new Map();
    const timer = this.#timers.after(slowDownMs, () => {
      if (this.#held?.delete(publisher) !== true) return;
      this.#isStalled = true;
      publisher.goOn();
    });
    this.#held.set(publisher, timer);
    publisher.wait();
  }

  /** As receiver: everything is out. */
  drained(): void {
    this.#isStalled = false;
    const held = this.#held;
    if (held === undefined) return;
    this.#held = undefined;
    for (const [publisher, timer] of held) {
      timer.cancel();
      publisher.goOn();
    }
  }

  /** As publisher: more waits for the disk than should; `whenCalm` is told once what to run then. */
  waitForCalm(whenCalm: (run: () => void) => void): void {
    if (this.#waitsForCalm) return;
    this.#waitsForCalm = true;
    this.wait();
    whenCalm(() => {
      this.#waitsForCalm = false;
      this.goOn();
    });
  }

  /** The connection is gone: it holds nobody back and is not read from again. */
  close(): void {
    this.#isClosed = true;
    this.drained();
  }

  /** As publisher: nothing is read until `goOn` was called as often. */
  wait(): void {
    this.#pauses++;
    if (this.#pauses === 1) this.#transport.pause();
  }

  goOn(): void {
    this.#pauses--;
    if (this.#pauses === 0 && !this.#isClosed) this.#transport.resume();
  }
}
