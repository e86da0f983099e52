import type { Limits } from "./config/limits.ts";
import type { InputNumbers } from "./door-metrics.ts";
import { CredentialThrottle } from "./identity/credential-throttle.ts";
import type { ConnectionLimit, InputCounters } from "./input/admission.ts";

const throttledAddressesMax = 65_536;

/** The setting behind each name that the input counts by. */
const settings: Readonly<Record<ConnectionLimit, keyof Limits>> = {
  connections: "connectionsMax",
  connections_per_address: "connectionsPerAddressMax",
  connects_per_address: "connectsPerAddressPerSecond",
  handshakes: "handshakesMax",
  handshakes_per_address: "handshakesPerAddressMax",
  handshake_deadline: "handshakeDeadlineMs",
};

/** What the input counts, as plain numbers. */
export class InputTally implements InputCounters, InputNumbers {
  readonly limitHits: Map<keyof Limits | "rate", number> = new Map();
  handshakesFailed = 0;

  limitHit(limit: ConnectionLimit): void {
    this.count(settings[limit]);
  }

  handshakeFailed(): void {
    this.handshakesFailed++;
  }

  count(limit: keyof Limits | "rate"): void {
    this.limitHits.set(limit, (this.limitHits.get(limit) ?? 0) + 1);
  }
}

/** The throttle of all doors: whoever guesses must not get its tries anew at the next door. Refusals by it are counted. */
export class CountingThrottle extends CredentialThrottle {
  readonly #tally: InputTally;

  constructor(limits: Limits, tally: InputTally) {
    super({ failuresPerMinute: limits.authFailuresPerAddressPerMinute, addressesMax: throttledAddressesMax });
    this.#tally = tally;
  }

  override retryAfterMs(address: string, nowMs: number): number {
    const waitMs = super.retryAfterMs(address, nowMs);
    if (waitMs > 0) this.#tally.count("authFailuresPerAddressPerMinute");
    return waitMs;
  }
}
