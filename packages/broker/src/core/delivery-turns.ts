import type { Session } from "./session.ts";

/** Messages delivered in one turn of the loop: some milliseconds of work, after which others are heard. */
const perTurn = 1_024;
/** Of them one session may have so many, while others wait. */
const perSession = 128;

/**
 * Whose turn it is to be sent what waits. A hundred clients that each have a hundred thousand messages waiting would
 * otherwise be served one after the other, and everybody else after them (THREATS A14).
 */
export class DeliveryTurns {
  readonly #defer: (run: () => void) => void;
  readonly #deliver: (session: Session) => void;
  /** In order of waiting. */
  readonly #waiting: Set<Session> = new Set();
  #left = perTurn;
  /** What is left when the session being served has had its share. */
  #until = 0;
  #isDue = false;

  constructor(defer: (run: () => void) => void, deliver: (session: Session) => void) {
    this.#defer = defer;
    this.#deliver = deliver;
  }

  /** A session is to be served. False: not in this turn; it will be asked for again. */
  begin(session: Session): boolean {
    if (this.#left <= 0) return this.#wait(session);
    this.#until = Math.max(0, this.#left - perSession);
    return true;
  }

  /** It is about to be sent a message. False: the rest in a later turn; it will be asked for again. */
  take(session: Session): boolean {
    if (this.#left <= this.#until) return this.#wait(session);
    this.#left--;
    this.#due();
    return true;
  }

  #wait(session: Session): false {
    this.#waiting.add(session);
    this.#due();
    return false;
  }

  #due(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#defer(() => this.#next());
  }

  #next(): void {
    this.#isDue = false;
    this.#left = perTurn;
    // Who has to wait once more is added behind: only those who wait now are looked at.
    const waiting = this.#waiting.size;
    let served = 0;
    for (const session of this.#waiting) {
      if (served++ >= waiting || this.#left <= 0) break;
      this.#waiting.delete(session);
      this.#deliver(session);
    }
    if (this.#waiting.size > 0) this.#due();
  }
}
