/** When the credential that a connection came with counts no more: the connection ends then. */
import type { Deadline } from "../delivery/deadlines.ts";
import type { State } from "./state.ts";

/** Looked at least this often: the wall clock may be set, and deadlines do not know. */
const lookMs = 60_000;
export const expiredText = "the credential has expired";

export class CredentialDeadline {
  readonly #state: State;
  readonly #expiresAt: number;
  readonly #end: () => void;
  #deadline: Deadline<() => void>;

  /** `expiresAt` in wall-clock milliseconds. */
  constructor(state: State, expiresAt: number, end: () => void) {
    this.#state = state;
    this.#expiresAt = expiresAt;
    this.#end = end;
    this.#deadline = this.#set();
  }

  cancel(): void {
    this.#state.deadlines.cancel(this.#deadline);
  }

  #set(): Deadline<() => void> {
    const { clock, deadlines } = this.#state;
    const left = Math.max(0, this.#expiresAt - clock.now());
    return deadlines.set(clock.monotonic() + Math.min(left, lookMs), () => this.#look());
  }

  #look(): void {
    if (hasExpired(this.#state, this.#expiresAt)) this.#end();
    else this.#deadline = this.#set();
  }
}

export function hasExpired(state: State, expiresAt: number | undefined): boolean {
  return expiresAt !== undefined && state.clock.now() >= expiresAt;
}
