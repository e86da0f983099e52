import { expect, it } from "vitest";
import { PacketIds } from "./packet-ids.ts";

it("gives each of 65,535 identifiers once, and 0 when none is left", () => {
  const ids = new PacketIds();
  const given = new Set(Array.from({ length: 65_535 }, () => ids.take()));
  expect(given.size).toBe(65_535);
  expect(given.has(0)).toBe(false);
  expect(ids.take()).toBe(0);
  ids.release(77);
  expect(ids.take()).toBe(77);
});

it("does not hand out a freed identifier at once", () => {
  const ids = new PacketIds();
  const first = ids.take();
  ids.release(first);
  expect(ids.take()).not.toBe(first);
});
