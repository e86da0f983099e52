import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultLimits, type Limits } from "../config/limits.ts";
import { Admission, type AdmissionOptions } from "./admission.ts";
import { countingCounters } from "./input.test-data.ts";

function setUp(
  limits: Partial<Limits>,
  change: Partial<AdmissionOptions> = {},
): {
  admission: Admission;
  hits: Map<string, number>;
  clock: { now: number };
} {
  const counters = countingCounters();
  const clock = { now: 1_000 };
  const all = { ...defaultLimits, ...limits };
  const monotonic = (): number => clock.now;
  const admission = new Admission({ limits: all, counters, monotonic, perAddress: true, ...change });
  return { admission, hits: counters.hits, clock };
}

describe("Admission", () => {
  it("takes as many connections as there are places, and again when one is given back", () => {
    const { admission, hits } = setUp({ connectionsMax: 2 });
    expect([admission.admit("a"), admission.admit("b"), admission.admit("c")]).toEqual([true, true, false]);
    admission.release("a");
    expect([admission.admit("c"), admission.admit("d")]).toEqual([true, false]);
    expect(hits.get("connections")).toBe(2);
  });

  it("leaves 64 descriptors for files", () => {
    expect(setUp({ connectionsMax: 100_000 }, { descriptorsMax: 1_024 }).admission.connectionsMax).toBe(960);
    expect(setUp({ connectionsMax: 10 }, { descriptorsMax: 1_024 }).admission.connectionsMax).toBe(10);
    expect(setUp({ connectionsMax: 10 }).admission.connectionsMax).toBe(10);
  });

  it("counts an IPv6 /64 and both forms of an IPv4 address as one", () => {
    const { admission, hits } = setUp({ connectionsPerAddressMax: 1 });
    expect(admission.admit("2001:db8::1")).toBe(true);
    expect(admission.admit("2001:db8:0:0:ffff::2")).toBe(false);
    expect(admission.admit("2001:db8:0:1::1")).toBe(true);
    expect(admission.admit("::ffff:192.0.2.1")).toBe(true);
    expect(admission.admit("192.0.2.1")).toBe(false);
    expect(hits.get("connections_per_address")).toBe(2);
  });

  it("bounds the rate of an address, with a burst of ten seconds' worth", () => {
    const { admission, hits, clock } = setUp({ connectsPerAddressPerSecond: 2, connectionsPerAddressMax: 1_000 });
    const attempt = (): boolean => {
      const admitted = admission.admit("a");
      if (admitted) admission.release("a");
      return admitted;
    };
    expect(Array.from({ length: 25 }, attempt).filter(Boolean)).toHaveLength(20);
    expect(hits.get("connects_per_address")).toBe(5);
    expect(admission.admit("b")).toBe(true);
    clock.now += 1_500;
    expect(Array.from({ length: 10 }, attempt).filter(Boolean)).toHaveLength(3);
  });

  it("does not count by address in insecure development mode, but by process", () => {
    const { admission } = setUp(
      { connectionsPerAddressMax: 1, connectsPerAddressPerSecond: 1, connectionsMax: 50 },
      { perAddress: false },
    );
    expect(Array.from({ length: 60 }, () => admission.admit("a")).filter(Boolean)).toHaveLength(50);
    expect(admission.addresses).toBe(0);
  });

  it("bounds handshakes in flight of one address, so that it cannot take the places of all", () => {
    const { admission, hits } = setUp({ handshakesMax: 10, handshakesPerAddressMax: 2 });
    for (const address of ["10.0.0.1", "10.0.0.1", "10.0.0.1", "10.0.0.2"]) admission.admit(address);
    const start = (): boolean => admission.startHandshake("10.0.0.1");
    expect([start(), start(), start(), admission.startHandshake("10.0.0.2")]).toEqual([true, true, false, true]);
    expect(hits.get("handshakes_per_address")).toBe(1);
    admission.endHandshake("10.0.0.1");
    expect([start(), admission.handshakes]).toEqual([true, 3]);
  });

  it("bounds handshakes in flight", () => {
    const { admission, hits } = setUp({ handshakesMax: 1 });
    expect([admission.startHandshake("a"), admission.startHandshake("b")]).toEqual([true, false]);
    admission.endHandshake("a");
    expect(admission.startHandshake("b")).toBe(true);
    expect(hits.get("handshakes")).toBe(1);
  });

  it("does what a plain model does, whatever comes", () => {
    const step = fc.record({
      address: fc.constantFrom("10.0.0.1", "10.0.0.2", "2001:db8::1", "2001:db8::2", "2001:db8:1::1"),
      kind: fc.constantFrom("admit", "admit", "release"),
      pause: fc.constantFrom(0, 0, 100, 3_000),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const limits = { connectionsMax: 6, connectionsPerAddressMax: 3, connectsPerAddressPerSecond: 1 };
        const { admission, clock } = setUp(limits);
        const group = (address: string): string => (address.startsWith("2001:db8::") ? "2001:db8::" : address);
        const open: string[] = [];
        const tries = new Map<string, { left: number; at: number }>();
        for (const { address, kind, pause } of steps) {
          clock.now += pause;
          if (kind === "release") {
            const at = open.indexOf(address);
            if (at === -1) continue;
            open.splice(at, 1);
            admission.release(address);
          } else {
            let expected = false;
            if (open.length < limits.connectionsMax) {
              const bucket = tries.get(group(address)) ?? { left: 10, at: clock.now };
              bucket.left = Math.min(10, bucket.left + (clock.now - bucket.at) / 1_000);
              bucket.at = clock.now;
              tries.set(group(address), bucket);
              if (bucket.left >= 1) {
                bucket.left -= 1;
                expected = open.filter((other) => group(other) === group(address)).length < 3;
              }
            }
            expect(admission.admit(address)).toBe(expected);
            if (expected) open.push(address);
          }
          expect(admission.connections).toBe(open.length);
        }
      }),
    );
  });

  it.each([
    ["quickly", 0.01],
    ["slowly", 1],
  ])("remembers a bounded number of addresses that come %s, and none with a connection is forgotten", (_, pause) => {
    const { admission, clock } = setUp({ connectionsPerAddressMax: 1 });
    expect(admission.admit("10.0.0.1")).toBe(true);
    for (let index = 0; index < 100_000; index += 1) {
      const address = `2001:db8:${(index >> 16).toString(16)}:${(index & 0xffff).toString(16)}::1`;
      if (admission.admit(address)) admission.release(address);
      clock.now += pause;
    }
    expect(admission.addresses).toBeLessThan(70_000);
    expect(admission.admit("10.0.0.1")).toBe(false);
  });
});
