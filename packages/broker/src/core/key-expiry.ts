/**
 * Keys and tokens whose time is over leave the state, and their connections end. Expiry is not revocation: what was said
 * with the key stands, its will goes out. The end is a record, so that a clock set back brings no key back.
 */
import type { Deadline } from "../delivery/deadlines.ts";
import type { KeyRecord } from "../model/policy.ts";
import type { KeyRevoked } from "../model/record.ts";
import type { Attaching } from "./attaching.ts";
import type { Audit } from "./audit.ts";
import { expiredText } from "./credential-deadline.ts";
import type { QueueConsuming } from "./queue-consuming.ts";
import type { State } from "./state.ts";

export interface KeyExpiryParts {
  readonly state: State;
  readonly audit: Audit;
  readonly attaching: Attaching;
  readonly consuming: QueueConsuming;
  /** Writes the record and applies it. */
  readonly end: (ended: KeyRevoked) => void;
}

/** Keys that end in one turn of the loop; one walk over all sessions serves them together. */
const atOnce = 1_000;
/** Not more often than this, for the same reason. The door refuses a key at its very end. */
const pauseMs = 1_000;
/** Nor more seldom: the wall clock may be set, and timers do not know. */
const lookMs = 60_000;

export class KeyExpiry {
  readonly #parts: KeyExpiryParts;
  readonly #state: State;
  #alarm: Deadline<() => void> | undefined;
  #ranAt = Number.NEGATIVE_INFINITY;

  constructor(parts: KeyExpiryParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  /** After recovery, and when keys came or went. */
  schedule(): void {
    const { clock, deadlines, keys } = this.#state;
    if (this.#alarm !== undefined) deadlines.cancel(this.#alarm);
    this.#alarm = undefined;
    const end = keys.earliestEnd();
    if (end === undefined) return;
    const now = clock.monotonic();
    const soonest = now + Math.min(Math.max(0, end - clock.now()), lookMs);
    this.#alarm = deadlines.set(Math.max(soonest, this.#ranAt + pauseMs), () => this.#run());
  }

  #run(): void {
    const { clock, keys, journal } = this.#state;
    this.#ranAt = clock.monotonic();
    this.#alarm = undefined;
    const over = new Map(keys.due(clock.now(), atOnce).map((key) => [key.id, key]));
    if (over.size > 0) {
      this.#endSessions(over);
      for (const key of over.values()) this.#end(key);
      this.#parts.consuming.keysEnded(new Set(over.keys()), expiredText);
      journal.commit();
    }
    this.schedule();
  }

  /** Before the keys go: a will is sent with the rights that its key gave. */
  #endSessions(over: Map<string, KeyRecord>): void {
    const { clock, keys, sessionsByNumber } = this.#state;
    for (const session of [...sessionsByNumber.values()]) {
      const key = over.get(session.keyId);
      if (key === undefined) continue;
      this.#parts.attaching.kick(session, "not-authorized", expiredText);
      // After a crash, a will that waits for its client to come back.
      if (session.ended || session.will === undefined || key.scope === undefined) continue;
      keys.endAt(key, clock.now() + pauseMs);
      over.delete(key.id);
    }
  }

  #end({ id, principal, isToken }: KeyRecord): void {
    this.#parts.end({ id, by: "mess", expired: true });
    // When a token ends is in the record of its making.
    if (isToken !== true) this.#parts.audit.act("key.expired", { id, principal });
  }
}
