/** How fast a client may publish, and what becomes of it when it is faster (THREATS D6). */
import type { ProtocolVersion } from "@mess/wire";
import type { Clock } from "../../../host/host.ts";
import type { DeclaredRate, Engine, SessionHandle, TopicHandle } from "../../../model/engine.ts";
import type { Meter } from "../../../model/meter.ts";
import { type Allowance, type Excess, excessText, type RateLimiter, topicExcess } from "../../rate-limiter.ts";
import type { HeldInput } from "./held-input.ts";

/** The connection, as far as rates go. */
export interface Rated {
  readonly context: {
    readonly engine: Pick<Engine, "rateOf">;
    readonly clock: Pick<Clock, "monotonic">;
    readonly rates: Pick<RateLimiter, "hit">;
  };
  readonly principal: string;
  readonly peer: { readonly address: string };
  readonly out: { readonly version: ProtocolVersion };
  readonly handle: SessionHandle;
}

/** A refusal costs the client a millisecond, which it waits when some have come together: or refusing would be the load. */
const refusalMs = 1;
const penaltyMsMax = 1_000;
const penaltyMsLeast = 50;
/** A client of 5.0 that is held back for nearly all of so long is told to go: it never sends less than it may. */
const toleranceMs = 10_000;
const intolerableShare = 0.9;

/**
 * A publish that may be refused is refused while there is excess. Any other has arrived and is taken, into debt, and
 * nothing more is read from the client until that is paid.
 */
export class PublishRate {
  readonly #client: Rated;
  readonly #input: HeldInput;
  #allowance: Allowance | undefined;
  /** The declared rate that is owed most to. */
  #owed: Meter | undefined;
  #penaltyUntil = 0;
  /** Something was taken that came too early, and is to be waited for. */
  #isIndebted = false;
  #heldSince = 0;
  #heldMs = 0;
  #toleratedFrom = 0;

  constructor(client: Rated, input: HeldInput) {
    this.#client = client;
    this.#input = input;
  }

  /** Once it is known who the client is. */
  open(allowance: Allowance | undefined): void {
    this.#allowance = allowance;
  }

  close(): void {
    this.#allowance?.close();
    this.#allowance = undefined;
  }

  /** Why a publish that can be refused comes too early; undefined when it does not. */
  refusal(topic: TopicHandle): string | undefined {
    const rate = this.#declared(topic);
    if (this.#allowance === undefined && rate === undefined) return undefined;
    const now = this.#now;
    const excess = this.#excess(rate, now);
    if (excess === undefined) return undefined;
    this.#client.context.rates.hit(excess, this.#client);
    const until = Math.max(this.#penaltyUntil, now) + refusalMs;
    this.#penaltyUntil = Math.min(until, now + penaltyMsMax);
    if (this.#penaltyUntil - now >= penaltyMsLeast) this.#input.holdFor(() => this.#leftMs());
    return excessText(excess);
  }

  /** What was published after it had been asked for. */
  took(topic: TopicHandle, messages: number, bytes: number): void {
    const rate = this.#declared(topic);
    if (this.#allowance === undefined && rate === undefined) return;
    const now = this.#now;
    this.#allowance?.take(messages, bytes, now);
    rate?.meter.take(messages, bytes, now);
  }

  /** What was published, whether it was time or not. Why the client has to go, if it does. */
  tookUnasked(topic: TopicHandle, messages: number, bytes: number): string | undefined {
    this.took(topic, messages, bytes);
    return this.#holdExcess(this.#declared(topic));
  }

  /** Packets that publish nothing and cost the broker as much. */
  asked(count: number): void {
    if (this.#allowance === undefined) return;
    this.#allowance.take(count, 0, this.#now);
    this.#holdExcess(undefined);
  }

  get #now(): number {
    return this.#client.context.clock.monotonic();
  }

  #declared(topic: TopicHandle): DeclaredRate | undefined {
    return this.#client.context.engine.rateOf(this.#client.handle, topic);
  }

  #holdExcess(rate: DeclaredRate | undefined): string | undefined {
    if (this.#allowance === undefined && rate === undefined) return undefined;
    const now = this.#now;
    const excess = this.#excess(rate, now);
    return excess === undefined ? undefined : this.#hold(excess, rate, now);
  }

  #excess(rate: DeclaredRate | undefined, now: number): Excess | undefined {
    const own = this.#allowance?.excess(now);
    if (rate === undefined) return own;
    const waitMs = rate.meter.waitMs(now);
    if (waitMs <= (own?.waitMs ?? 0)) return own;
    return topicExcess(rate, waitMs);
  }

  #hold(excess: Excess, rate: DeclaredRate | undefined, now: number): string | undefined {
    if (rate?.meter === excess.meter && excess.waitMs > (this.#owed?.waitMs(now) ?? 0)) this.#owed = rate.meter;
    if (!this.#isIndebted) this.#heldSince = now;
    this.#isIndebted = true;
    if (this.#input.isTimed) return undefined;
    this.#client.context.rates.hit(excess, this.#client);
    if (this.#isIntolerable(now)) return excessText(excess);
    this.#input.holdFor(() => this.#leftMs());
    return undefined;
  }

  /** Milliseconds until the client may go on. */
  #leftMs(): number {
    const now = this.#now;
    if (this.#penaltyUntil > now) return this.#penaltyUntil - now;
    if (!this.#isIndebted) return 0;
    const waitMs = Math.max(this.#allowance?.excess(now)?.waitMs ?? 0, this.#owed?.waitMs(now) ?? 0);
    if (waitMs > 0) return waitMs;
    this.#owed = undefined;
    this.#isIndebted = false;
    this.#heldMs += now - this.#heldSince;
    return 0;
  }

  #isIntolerable(now: number): boolean {
    const passed = now - this.#toleratedFrom;
    if (passed < toleranceMs) return false;
    const share = this.#heldMs / passed;
    this.#toleratedFrom = now;
    this.#heldMs = 0;
    return this.#client.out.version === 5 && share > intolerableShare;
  }
}
