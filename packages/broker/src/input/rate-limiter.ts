import type { Limits } from "../config/limits.ts";
import { addressGroup } from "../identity/address-group.ts";
import { ownerOf } from "../model/derived-principal.ts";
import type { DeclaredRate } from "../model/engine.ts";
import { Meter, type Rate } from "../model/meter.ts";
import type { Peer } from "./transport.ts";

/** Whom a limit is counted for. */
type Scope = "client" | "principal" | "address";

/** Settings of the messages and of the bytes of each scope. */
const settings = {
  client: ["clientMessagesPerSecondMax", "clientBytesPerSecondMax"],
  principal: ["principalMessagesPerSecondMax", "principalBytesPerSecondMax"],
  address: ["addressMessagesPerSecondMax", "addressBytesPerSecondMax"],
} as const satisfies Record<Scope, readonly (keyof Limits)[]>;

const scopes: readonly Scope[] = ["client", "principal", "address"];

export interface RateLimiterOptions {
  readonly limits: Limits;
  /** Milliseconds that never go back. */
  readonly monotonic: () => number;
  /** Told of each publish that came too early, with the setting behind it: of a topic that is `rate`. */
  limitHit(limit: keyof Limits | "rate", who: Publisher): void;
}

export interface Publisher {
  readonly principal: string;
  readonly peer: { readonly address: string };
}

/** Who publishes. HTTP requests belong to no client. */
export interface Publishing {
  readonly client?: string;
  readonly principal: string;
  readonly address: string;
}

/**
 * How much each client, principal and address may publish (THREATS D6). Shared by all doors: what somebody may not send
 * by one, it may not send by another. State is kept of those who are here, and of those who left less than a second ago,
 * or it would be enough to come back.
 */
export class RateLimiter {
  readonly #options: RateLimiterOptions;
  readonly #tables: readonly MeterTable[];

  constructor(options: RateLimiterOptions) {
    this.#options = options;
    this.#tables = scopes.map((scope) => new MeterTable(scope, options.limits)).filter(({ isOn }) => isOn);
  }

  /** Meters that are kept. */
  get size(): number {
    return this.#tables.reduce((sum, table) => sum + table.size, 0);
  }

  /** To be given back with `close`. Undefined where nothing is limited: the publisher need not ask. */
  open(publishing: Publishing): Allowance | undefined {
    if (this.#tables.length === 0) return undefined;
    const now = this.#options.monotonic();
    const held = this.#tables.flatMap((table) => {
      const key = keyOf(table.scope, publishing);
      return key === undefined ? [] : [{ table, key, meter: table.acquire(key, now) }];
    });
    return new Allowance(held, this.#options.monotonic);
  }

  /** The process that embeds the broker is trusted to know what it does: its clients have no limits but those of topics. */
  forConnection(client: Publisher & { readonly clientId: string; readonly peer: Peer }): Allowance | undefined {
    const { principal, clientId, peer } = client;
    return peer.kind === "memory" ? undefined : this.open({ client: clientId, principal, address: peer.address });
  }

  /** Counts a publish that came too early. */
  hit({ setting }: Excess, who: Publisher): void {
    this.#options.limitHit(setting, who);
  }
}

export function withoutRates(limits: Limits): Limits {
  const names = Object.values(settings).flat();
  return { ...limits, ...Object.fromEntries(names.map((name) => [name, 0])) };
}

interface Held {
  readonly table: MeterTable;
  readonly key: string;
  readonly meter: Meter;
}

/** What one publisher may send: as much as all that it is counted for allow. */
export class Allowance {
  readonly #held: readonly Held[];
  readonly #monotonic: () => number;

  constructor(held: readonly Held[], monotonic: () => number) {
    this.#held = held;
    this.#monotonic = monotonic;
  }

  /** Undefined when a message may come now; else what to wait for. */
  excess(now: number): Excess | undefined {
    let found: Excess | undefined;
    for (const { table, meter } of this.#held) {
      const waitMs = meter.waitMs(now);
      if (waitMs > (found?.waitMs ?? 0))
        found = {
          waitMs,
          meter,
          whose: whose[table.scope],
          setting: settings[table.scope][meter.scarce === "messages" ? 0 : 1],
        };
    }
    return found;
  }

  take(messages: number, bytes: number, now: number): void {
    for (const { meter } of this.#held) meter.take(messages, bytes, now);
  }

  close(): void {
    const now = this.#monotonic();
    for (const { table, key } of this.#held) table.release(key, now);
  }
}

/** Why a message may not come now. */
export interface Excess {
  readonly waitMs: number;
  readonly meter: Meter;
  /** As in "at most 10 messages a second WHOSE". */
  readonly whose: string;
  readonly setting: keyof Limits | "rate";
}

export function topicExcess({ filter, meter }: DeclaredRate, waitMs: number): Excess {
  return { waitMs, meter, whose: `on "${filter}"`, setting: "rate" };
}

const whose: Readonly<Record<Scope, string>> = {
  client: "from one client",
  principal: "of one principal",
  address: "from one address",
};

/** For people: which rate, whose, and when to try again. */
export function excessText({ meter, whose: owner, waitMs }: Excess): string {
  const { messagesPerSecond, bytesPerSecond } = meter.rate;
  const [count, noun] = meter.scarce === "messages" ? [messagesPerSecond, "message"] : [bytesPerSecond, "byte"];
  const rate = `${count} ${noun}${count === 1 ? "" : "s"}`;
  return `at most ${rate} a second ${owner}; try again in ${Math.ceil(waitMs)} ms`;
}

function keyOf(scope: Scope, { client, principal, address }: Publishing): string | undefined {
  // A token is no principal of its own: or making tokens would be making room.
  const owner = ownerOf(principal);
  if (scope === "principal") return owner;
  // Names of principals hold no such character.
  if (scope === "client") return client === undefined ? undefined : `${owner}\n${client}`;
  return address === "" ? undefined : addressGroup(address);
}

/** Meters without a publisher that are kept, so that leaving and coming back does not fill them. */
const IDLE_MAX = 65_536;
/** After so long without a publisher a meter that owes nothing is full; one that owes is looked at again then. */
const IDLE_MS = 1_000;

interface Entry {
  readonly meter: Meter;
  publishers: number;
  /** When the last publisher left. */
  idleSince: number;
}

/** The meters of one scope. */
class MeterTable {
  readonly scope: Scope;
  readonly #rate: Rate;
  readonly #busy = new Map<string, Entry>();
  /** Oldest first. */
  readonly #idle = new Map<string, Entry>();
  /** Kept: a new one would pass over the gaps of all that was deleted before. */
  #oldest = this.#idle.entries();
  /** What the iterator gave last, until it is dealt with. */
  #next: readonly [string, Entry] | undefined;

  constructor(scope: Scope, limits: Limits) {
    const [messages, bytes] = settings[scope];
    this.scope = scope;
    this.#rate = { messagesPerSecond: limits[messages], bytesPerSecond: limits[bytes] };
  }

  get isOn(): boolean {
    return this.#rate.messagesPerSecond > 0 || this.#rate.bytesPerSecond > 0;
  }

  get size(): number {
    return this.#busy.size + this.#idle.size;
  }

  acquire(key: string, now: number): Meter {
    this.#forget(now);
    let entry = this.#busy.get(key);
    if (entry === undefined) {
      entry = this.#idle.get(key) ?? { meter: new Meter(this.#rate), publishers: 0, idleSince: 0 };
      this.#idle.delete(key);
      this.#busy.set(key, entry);
    }
    entry.publishers += 1;
    return entry.meter;
  }

  release(key: string, now: number): void {
    const entry = this.#busy.get(key);
    if (entry === undefined) return;
    entry.publishers -= 1;
    if (entry.publishers > 0) return;
    this.#busy.delete(key);
    entry.idleSince = now;
    if (!entry.meter.isFull(now)) this.#idle.set(key, entry);
    this.#forget(now);
  }

  /** Drops what is full again, and when there is too much, what is nearest to it. */
  #forget(now: number): void {
    for (;;) {
      this.#next ??= this.#oldest.next().value;
      if (this.#next === undefined) {
        this.#oldest = this.#idle.entries();
        return;
      }
      const [key, entry] = this.#next;
      const isIdle = this.#idle.get(key) === entry;
      const isCrowded = this.#idle.size > IDLE_MAX;
      if (isIdle && !isCrowded && now - entry.idleSince < IDLE_MS) return;
      this.#next = undefined;
      if (!isIdle) continue;
      this.#idle.delete(key);
      if (isCrowded || entry.meter.isFull(now)) continue;
      entry.idleSince = now;
      this.#idle.set(key, entry);
    }
  }
}
