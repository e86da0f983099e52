import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { awaitingPuback, awaitingPubcomp, awaitingPubrec, InFlight, reserved } from "./in-flight.ts";

interface Delivery {
  seq: number;
  state: number;
  source: number;
}

function order(inFlight: InFlight): number[] {
  const ids: number[] = [];
  inFlight.inOrder((packetId) => ids.push(packetId));
  return ids;
}

function check(inFlight: InFlight, model: ReadonlyMap<number, Delivery>): void {
  expect(inFlight.size).toBe(model.size);
  expect(order(inFlight)).toEqual([...model.keys()]);
  for (const [packetId, delivery] of model) {
    expect(inFlight.seqOf(packetId)).toBe(delivery.seq);
    expect(inFlight.stateOf(packetId)).toBe(delivery.state);
    expect(inFlight.sourceOf(packetId)).toBe(delivery.source);
  }
}

const steps = fc.array(
  fc.oneof(
    { weight: 5, arbitrary: fc.tuple(fc.constant("take" as const), fc.nat(100)) },
    { weight: 4, arbitrary: fc.tuple(fc.constant("release" as const), fc.nat(100)) },
    { weight: 2, arbitrary: fc.tuple(fc.constant("state" as const), fc.nat(100)) },
    { weight: 1, arbitrary: fc.tuple(fc.constant("restore" as const), fc.integer({ min: 1, max: 65_535 })) },
  ),
  { maxLength: 200 },
);

describe("InFlight", () => {
  it("equals a Map in order of sending, through any takes, releases and restores", () => {
    fc.assert(
      fc.property(steps, (changes) => {
        const inFlight = new InFlight();
        const model = new Map<number, Delivery>();
        for (const [n, [change, value]] of changes.entries()) {
          const some = [...model.keys()][value % Math.max(1, model.size)] ?? 0;
          const delivery = { seq: 2 ** 40 + n, state: awaitingPubrec, source: value };
          if (change === "take") {
            const packetId = inFlight.take(delivery.seq, delivery.state, delivery.source);
            expect(model.has(packetId)).toBe(false);
            expect(packetId).toBeGreaterThan(0);
            model.set(packetId, delivery);
          } else if (change === "restore") {
            expect(inFlight.restore(value, delivery.seq, delivery.state, value)).toBe(!model.has(value));
            if (!model.has(value)) model.set(value, delivery);
          } else if (change === "release") {
            expect(inFlight.release(some)).toBe(model.delete(some));
          } else {
            expect(inFlight.setState(some, awaitingPubcomp)).toBe(model.has(some));
            const known = model.get(some);
            if (known !== undefined) known.state = awaitingPubcomp;
          }
        }
        check(inFlight, model);
      }),
    );
  });

  it("goes around at 65535, never through 0 and never to an id in use", () => {
    const inFlight = new InFlight();
    const kept = new Map<number, Delivery>();
    const seen = new Set<number>();
    for (let n = 0; n < 200_000; n++) {
      const packetId = inFlight.take(n, awaitingPuback, 0);
      if (packetId < 1 || packetId > 65_535 || kept.has(packetId)) expect.fail(`took ${packetId}`);
      seen.add(packetId);
      if (n % 20_000 === 7) kept.set(packetId, { seq: n, state: awaitingPuback, source: 0 });
      else inFlight.release(packetId);
    }
    check(inFlight, kept);
    expect(kept.size).toBe(10);
    // Ids that share a slot with one in use are passed over.
    expect(seen.size).toBeGreaterThan(50_000);
    expect(seen.has(65_535)).toBe(true);
  });

  it("gives all 65,535 ids, then none, then the one that was released", () => {
    const inFlight = new InFlight();
    const ids = new Set<number>();
    for (let n = 0; n < 65_535; n++) ids.add(inFlight.take(n, reserved, 1));
    expect(ids.size).toBe(65_535);
    expect(inFlight.take(1, reserved, 1)).toBe(0);
    expect(inFlight.release(40_000)).toBe(true);
    expect(inFlight.take(9, reserved, 1)).toBe(40_000);
    expect(order(inFlight).at(-1)).toBe(40_000);
    inFlight.clear();
    expect([inFlight.size, order(inFlight), inFlight.seqOf(40_000)]).toEqual([0, [], 0]);
  });

  it("answers 0 and false for ids that are not in use or are none", () => {
    const inFlight = new InFlight();
    for (const before of [true, false]) {
      for (const packetId of [0, -1, 2, 17, 65_535, 65_536, 1.5, Number.NaN]) {
        expect([inFlight.seqOf(packetId), inFlight.stateOf(packetId), inFlight.sourceOf(packetId)]).toEqual([0, 0, 0]);
        expect([inFlight.setState(packetId, 1), inFlight.release(packetId)]).toEqual([false, false]);
      }
      if (before) expect(inFlight.take(1, awaitingPuback, 0)).toBe(1);
    }
    for (const packetId of [0, -1, 65_536, 1.5, Number.NaN]) expect(inFlight.restore(packetId, 1, 1, 0)).toBe(false);
    expect(inFlight.size).toBe(1);
  });

  it("lets the visitor release what it is given", () => {
    const inFlight = new InFlight();
    for (let n = 0; n < 40; n++) inFlight.take(n, awaitingPuback, 0);
    inFlight.inOrder((packetId) => inFlight.release(packetId));
    expect([inFlight.size, order(inFlight)]).toEqual([0, []]);
  });
});
