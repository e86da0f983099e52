import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CredentialThrottle } from "./credential-throttle.ts";

describe("CredentialThrottle", () => {
  it("refuses after the burst and refills over the minute", () => {
    const throttle = new CredentialThrottle({ failuresPerMinute: 6, addressesMax: 10 });
    for (let failure = 0; failure < 6; failure++) {
      expect(throttle.allow("192.0.2.1", 0)).toBe(true);
      throttle.failed("192.0.2.1", 0);
    }
    expect(throttle.allow("192.0.2.1", 0)).toBe(false);
    expect(throttle.retryAfterMs("192.0.2.1", 0)).toBe(10_000);
    expect(throttle.allow("192.0.2.1", 9_999)).toBe(false);
    expect(throttle.allow("192.0.2.1", 10_000)).toBe(true);
    throttle.failed("192.0.2.1", 10_000);
    expect(throttle.allow("192.0.2.1", 10_000)).toBe(false);
    expect(throttle.allow("192.0.2.2", 10_000)).toBe(true);
  });

  it("counts an IPv6 network as one, and IPv4 in IPv6 as IPv4", () => {
    const throttle = new CredentialThrottle({ failuresPerMinute: 1, addressesMax: 10 });
    throttle.failed("2001:db8::1", 0);
    expect(throttle.allow("2001:db8::ffff", 0)).toBe(false);
    expect(throttle.allow("2001:db8:0:1::1", 0)).toBe(true);
    throttle.failed("::ffff:192.0.2.1", 0);
    expect(throttle.allow("192.0.2.1", 0)).toBe(false);
    expect(throttle.size).toBe(2);
  });

  it("never lets an address fail more than its budget in any window, and remembers a bounded number", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(3), fc.nat(5_000)), { maxLength: 200 }), (steps) => {
        const throttle = new CredentialThrottle({ failuresPerMinute: 5, addressesMax: 4 });
        const failures = new Map<number, number[]>();
        let now = 0;
        for (const [address, wait] of steps) {
          now += wait;
          const name = `192.0.2.${address}`;
          if (!throttle.allow(name, now)) continue;
          throttle.failed(name, now);
          failures.set(address, [...(failures.get(address) ?? []), now]);
        }
        for (const times of failures.values()) {
          for (const [index, from] of times.entries()) {
            const inWindow = times.slice(index).filter((time) => time < from + 60_000).length;
            // A full bucket at the start, and what the window itself earns.
            expect(inWindow).toBeLessThanOrEqual(5 + 5);
          }
        }
        expect(throttle.size).toBeLessThanOrEqual(4);
      }),
    );
  });

  it("forgets the address that failed longest ago", () => {
    const throttle = new CredentialThrottle({ failuresPerMinute: 1, addressesMax: 2 });
    throttle.failed("192.0.2.1", 0);
    throttle.failed("192.0.2.2", 0);
    throttle.failed("192.0.2.1", 1);
    throttle.failed("192.0.2.3", 1);
    expect(throttle.size).toBe(2);
    expect(throttle.allow("192.0.2.1", 1)).toBe(false);
    expect(throttle.allow("192.0.2.2", 1)).toBe(true);
    expect(throttle.allow("192.0.2.3", 1)).toBe(false);
  });

  it("always forgets in the order of last failures, whoever fails again in between", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(11), { minLength: 20, maxLength: 300 }), (addresses) => {
        const throttle = new CredentialThrottle({ failuresPerMinute: 1, addressesMax: 5 });
        let known: number[] = [];
        for (const address of addresses) {
          throttle.failed(`192.0.2.${address}`, 0);
          known = [...known.filter((other) => other !== address), address].slice(-5);
        }
        const refused = Array.from({ length: 12 }, (_, address) => address).filter(
          (address) => !throttle.allow(`192.0.2.${address}`, 0),
        );
        expect(refused).toEqual(known.toSorted((a, b) => a - b));
      }),
    );
  });

  it("costs the same at its cap as below it", () => {
    const addressesMax = 65_536;
    const throttle = new CredentialThrottle({ failuresPerMinute: 1, addressesMax });
    const timeOf = (first: number): number => {
      const began = performance.now();
      for (let index = 0; index < addressesMax; index++) {
        const number = first + index;
        throttle.failed(`10.${number >> 16}.${(number >> 8) & 255}.${number & 255}`, 0);
      }
      return performance.now() - began;
    };
    const below = timeOf(0);
    const at = timeOf(addressesMax);
    // With an iterator made anew for each it takes seconds.
    expect(at).toBeLessThan(below * 10 + 50);
    expect(throttle.size).toBe(addressesMax);
  });

  it("is not reopened by a clock that stands still or goes back", () => {
    const throttle = new CredentialThrottle({ failuresPerMinute: 1, addressesMax: 2 });
    throttle.failed("192.0.2.1", 100_000);
    expect(throttle.allow("192.0.2.1", 0)).toBe(false);
    expect(throttle.retryAfterMs("192.0.2.1", 0)).toBe(60_000);
  });
});
