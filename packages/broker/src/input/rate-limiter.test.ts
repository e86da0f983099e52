import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it } from "vitest";
import { defaultLimits, type Limits } from "../config/limits.ts";
import { excessText, RateLimiter, withoutRates } from "./rate-limiter.ts";

function setUp(limits: Partial<Limits>): { limiter: RateLimiter; clock: { now: number }; hits: string[] } {
  const clock = { now: 5_000 };
  const hits: string[] = [];
  const limiter = new RateLimiter({
    limits: { ...withoutRates(defaultLimits), ...limits },
    monotonic: () => clock.now,
    limitHit: (limit) => hits.push(limit),
  });
  return { limiter, clock, hits };
}

/** In use, garbage apart. */
function heapBytes(): number {
  setFlagsFromString("--expose-gc");
  runInNewContext("gc")();
  return process.memoryUsage().heapUsed;
}

const anna = { client: "c", principal: "anna", address: "10.0.0.1" };

describe("RateLimiter", () => {
  it("has nothing to ask where nothing is limited", () => {
    expect(setUp({}).limiter.open(anna)).toBeUndefined();
  });

  it.each([
    ["client", { clientMessagesPerSecondMax: 2 }, { client: "d" }],
    ["principal", { principalMessagesPerSecondMax: 2 }, { principal: "bert" }],
    ["address", { addressMessagesPerSecondMax: 2 }, { address: "10.0.0.2" }],
  ] as const)("counts for each %s by itself", (scope, limits, other) => {
    const { limiter, clock, hits } = setUp(limits);
    const mine = limiter.open(anna);
    const same = limiter.open({ ...anna, ...(scope === "client" ? {} : { client: "d" }) });
    const others = limiter.open({ ...anna, client: "d", ...other });
    mine?.take(2, 0, clock.now);
    const excess = mine?.excess(clock.now);
    expect(excess?.waitMs).toBeGreaterThan(0);
    expect(same?.excess(clock.now)).toBeDefined();
    expect(others?.excess(clock.now)).toBeUndefined();
    if (excess !== undefined) limiter.hit(excess, { principal: "anna", peer: { address: "" } });
    expect(hits).toEqual([`${scope}MessagesPerSecondMax`]);
  });

  it("counts an IPv6 /64 as one address", () => {
    const { limiter, clock } = setUp({ addressBytesPerSecondMax: 100 });
    limiter.open({ ...anna, address: "2001:db8::1" })?.take(1, 200, clock.now);
    expect(limiter.open({ ...anna, address: "2001:db8::ffff" })?.excess(clock.now)).toBeDefined();
    expect(limiter.open({ ...anna, address: "2001:db8:0:1::1" })?.excess(clock.now)).toBeUndefined();
  });

  it("says what is limited, for whom, and when to try again", () => {
    const { limiter, clock } = setUp({ clientMessagesPerSecondMax: 10, clientBytesPerSecondMax: 1_000 });
    const allowance = limiter.open(anna);
    allowance?.take(15, 100, clock.now);
    const excess = allowance?.excess(clock.now);
    expect(excess && excessText(excess)).toBe("at most 10 messages a second from one client; try again in 500 ms");
  });

  it("gives nothing anew to who leaves and comes back, and forgets who owes nothing", () => {
    const { limiter, clock } = setUp({ clientMessagesPerSecondMax: 2 });
    const first = limiter.open(anna);
    first?.take(6, 0, clock.now);
    first?.close();
    clock.now += 1_500;
    expect(limiter.open({ ...anna, client: "x" })).toBeDefined();
    const again = limiter.open(anna);
    expect(again?.excess(clock.now)?.waitMs).toBeCloseTo(500);
    clock.now += 5_000;
    again?.close();
    expect(limiter.size).toBe(1);
  });

  it("counts the tokens of a principal as that principal", () => {
    const { limiter, clock } = setUp({ principalMessagesPerSecondMax: 1, clientMessagesPerSecondMax: 1 });
    limiter.open({ ...anna, principal: "anna~k_1" })?.take(5, 0, clock.now);
    expect(limiter.open(anna)?.excess(clock.now)).toBeDefined();
    expect(limiter.open({ ...anna, principal: "anna~k_2" })?.excess(clock.now)).toBeDefined();
  });

  it("keeps one meter while several publish by it", () => {
    const { limiter, clock } = setUp({ principalMessagesPerSecondMax: 1 });
    const [one, two] = [limiter.open(anna), limiter.open({ ...anna, client: "d" })];
    expect(limiter.size).toBe(1);
    one?.close();
    two?.take(5, 0, clock.now);
    expect(limiter.open(anna)?.excess(clock.now)).toBeDefined();
  });

  it("stays within 64 MB for a million IPv6 sources (THREATS D6)", () => {
    const { limiter, clock } = setUp({ clientMessagesPerSecondMax: 1, addressMessagesPerSecondMax: 1 });
    const before = heapBytes();
    for (let index = 0; index < 1_000_000; index += 1) {
      clock.now += 0.001;
      const address = `2001:db8:${(index >> 16).toString(16)}:${(index & 0xffff).toString(16)}::1`;
      const allowance = limiter.open({ client: `c${index}`, principal: "anna", address });
      allowance?.take(5, 0, clock.now);
      allowance?.close();
    }
    expect(limiter.size).toBeLessThanOrEqual(2 * 65_537);
    expect(heapBytes() - before).toBeLessThan(64 * 1_024 * 1_024);
  }, 60_000);
});
