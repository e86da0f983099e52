import type { Limits } from "../config/limits.ts";
import { addressGroup } from "../identity/address-group.ts";

/** Names of limits in `mess_limit_hits_total{limit}`, as far as connections are refused by them. */
export type ConnectionLimit =
  | "connections"
  | "connections_per_address"
  | "connects_per_address"
  | "handshakes"
  | "handshakes_per_address"
  | "handshake_deadline";

/** Where the input counts what it refused. */
export interface InputCounters {
  limitHit(limit: ConnectionLimit): void;
  /** A TLS handshake that failed before its deadline: wrong protocol, no common version, untrusted by the client. */
  handshakeFailed(): void;
}

export interface AdmissionOptions {
  readonly limits: Limits;
  readonly counters: InputCounters;
  /** Milliseconds that never go back. */
  readonly monotonic: () => number;
  /** Descriptors the process may open; 64 of them are kept for files and the like. Default: no such bound. */
  readonly descriptorsMax?: number;
  /** False in insecure development mode: limits per address do not count, those of the whole process do. */
  readonly perAddress: boolean;
}

/** State of one address. Whole buckets without connections are the same as no state and may be forgotten. */
interface AddressState {
  connections: number;
  handshakes: number;
  tokens: number;
  /** When `tokens` was true. */
  at: number;
}

const DESCRIPTORS_KEPT = 64;
/** Seconds of its rate that an address may open at once. */
const BURST_SECONDS = 10;
/** Addresses without a connection that are remembered for their rate. */
const IDLE_ADDRESSES_MAX = 65_536;
/** Old addresses looked at for each new one; more than one, so that the table shrinks. */
const SWEEP_STEPS = 4;

/**
 * Decides whether a new connection may stay, before anything is read from it or allocated for it (THREATS A1).
 * All listeners share one, since descriptors and memory are shared.
 */
export class Admission {
  readonly connectionsMax: number;
  readonly #limits: Limits;
  readonly #counters: InputCounters;
  readonly #monotonic: () => number;
  readonly #perAddress: boolean;
  readonly #addresses = new Map<string, AddressState>();
  #sweeper = this.#addresses.entries();
  #connections = 0;
  #handshakes = 0;

  constructor(options: AdmissionOptions) {
    this.#limits = options.limits;
    this.#counters = options.counters;
    this.#monotonic = options.monotonic;
    this.#perAddress = options.perAddress;
    const descriptors = (options.descriptorsMax ?? Number.POSITIVE_INFINITY) - DESCRIPTORS_KEPT;
    this.connectionsMax = Math.max(1, Math.min(options.limits.connectionsMax, descriptors));
  }

  get connections(): number {
    return this.#connections;
  }

  get handshakes(): number {
    return this.#handshakes;
  }

  get addresses(): number {
    return this.#addresses.size;
  }

  get counters(): InputCounters {
    return this.#counters;
  }

  /** Takes a place for a connection from `address` (none: from our own process); false (and counted) when there is none. */
  admit(address: string | undefined): boolean {
    if (this.#connections >= this.connectionsMax) return this.#refuse("connections");
    if (this.#perAddress && address !== undefined && !this.#admitAddress(addressGroup(address))) return false;
    this.#connections += 1;
    return true;
  }

  /** Gives back the place of a connection that was admitted. */
  release(address: string | undefined): void {
    this.#connections -= 1;
    const state = this.#stateOf(address);
    if (state !== undefined) state.connections -= 1;
  }

  /** As many TLS handshakes are under way as may be. */
  get areHandshakesFull(): boolean {
    return this.#handshakes >= this.#limits.handshakesMax;
  }

  /**
   * Takes a place for a TLS handshake of a connection that was admitted; false (and counted) when too many are under way,
   * in all or from its address.
   */
  startHandshake(address: string | undefined): boolean {
    const state = this.#stateOf(address);
    if (state !== undefined && state.handshakes >= this.#limits.handshakesPerAddressMax) {
      return this.#refuse("handshakes_per_address");
    }
    if (this.areHandshakesFull) return this.#refuse("handshakes");
    this.#handshakes += 1;
    if (state !== undefined) state.handshakes += 1;
    return true;
  }

  endHandshake(address: string | undefined): void {
    this.#handshakes -= 1;
    const state = this.#stateOf(address);
    if (state !== undefined && state.handshakes > 0) state.handshakes -= 1;
  }

  /** Milliseconds that never go back. */
  now(): number {
    return this.#monotonic();
  }

  #stateOf(address: string | undefined): AddressState | undefined {
    return this.#perAddress && address !== undefined ? this.#addresses.get(addressGroup(address)) : undefined;
  }

  #refuse(limit: ConnectionLimit): false {
    this.#counters.limitHit(limit);
    return false;
  }

  #admitAddress(group: string): boolean {
    const rate = this.#limits.connectsPerAddressPerSecond;
    const now = this.#monotonic();
    let state = this.#addresses.get(group);
    if (state === undefined) {
      this.#sweep(now);
      state = { connections: 0, handshakes: 0, tokens: rate * BURST_SECONDS, at: now };
      this.#addresses.set(group, state);
    }
    state.tokens = Math.min(rate * BURST_SECONDS, state.tokens + ((now - state.at) / 1_000) * rate);
    state.at = now;
    if (state.tokens < 1) return this.#refuse("connects_per_address");
    // A refused connection costs a token too: whoever keeps trying at the cap is slowed down.
    state.tokens -= 1;
    if (state.connections >= this.#limits.connectionsPerAddressMax) return this.#refuse("connections_per_address");
    state.connections += 1;
    return true;
  }

  /** Forgets idle addresses, looking at a few for each new one, round and round. */
  #sweep(now: number): void {
    if (this.#addresses.size < IDLE_ADDRESSES_MAX) return;
    // Past this there are more idle addresses than we keep, so that they go even while their rate is being counted.
    const crowded = this.#addresses.size >= IDLE_ADDRESSES_MAX + this.#connections;
    for (let step = 0; step < SWEEP_STEPS; step += 1) {
      // The iterator is kept: a new one would pass over the gaps of all that was deleted before.
      const next = this.#sweeper.next();
      if (next.done === true) {
        this.#sweeper = this.#addresses.entries();
        continue;
      }
      const [group, state] = next.value;
      const whole = now - state.at >= BURST_SECONDS * 1_000;
      if (state.connections === 0 && (whole || crowded)) this.#addresses.delete(group);
    }
  }
}
