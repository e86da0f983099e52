import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PacketIdSet } from "./packet-id-set.ts";

function idsOf(set: PacketIdSet): number[] {
  const ids: number[] = [];
  set.forEach((packetId) => {
    ids.push(packetId);
  });
  return ids;
}

describe("PacketIdSet", () => {
  it("equals a Set through any adds and deletes", () => {
    const steps = fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 60 })), { maxLength: 200 });
    fc.assert(
      fc.property(steps, (changes) => {
        const set = new PacketIdSet();
        const model = new Set<number>();
        for (const [adds, packetId] of changes) {
          if (adds) expect(set.add(packetId)).toBe(!model.has(packetId));
          else expect(set.delete(packetId)).toBe(model.has(packetId));
          if (adds) model.add(packetId);
          else model.delete(packetId);
          expect(set.has(packetId)).toBe(adds);
          expect(set.size).toBe(model.size);
        }
        expect(idsOf(set)).toEqual([...model].sort((a, b) => a - b));
      }),
    );
  });

  it("holds every packet id, and comes back from there", () => {
    const set = new PacketIdSet();
    for (let n = 0; n < 65_535; n++) if (!set.add(((n * 7_919) % 65_535) + 1)) expect.fail(`${n} was there`);
    expect(set.size).toBe(65_535);
    expect([set.add(1), set.has(65_535), set.has(0), set.has(65_536)]).toEqual([false, true, false, false]);
    for (let packetId = 1; packetId <= 65_535; packetId++) {
      if (packetId % 1_000 !== 0 && !set.delete(packetId)) expect.fail(`${packetId} was not there`);
    }
    expect(idsOf(set)).toEqual(Array.from({ length: 65 }, (_, n) => (n + 1) * 1_000));
    set.clear();
    expect([set.size, idsOf(set), set.has(1_000)]).toEqual([0, [], false]);
  });

  it("takes nothing that is no packet id", () => {
    const set = new PacketIdSet();
    for (const packetId of [0, -1, 65_536, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
      expect([set.add(packetId), set.has(packetId), set.delete(packetId)]).toEqual([false, false, false]);
    }
    expect(set.size).toBe(0);
  });
});
