// Single bit flips of a journal of 64 KiB. A part of them here; `npm run flips -- --all` takes all 524,288 (MESS_EVERY_BIT=1 does too).
import { expect, it } from "vitest";
import { bitsOfJournal, flipEveryBit } from "./every-bit.ts";

/** A prime, so that every bit of a byte and every part of a frame has its turn. */
const stride = process.env["MESS_EVERY_BIT"] === "1" ? 1 : 397;

function* bits(): Generator<number> {
  for (let bit = 0; bit < bitsOfJournal; bit += stride) yield bit;
}

it("finds each, with the key and without it", { timeout: 3_600_000 }, async () => {
  const report = await flipEveryBit({ bits: bits() });
  const { flipped } = report;
  expect(flipped).toBe(Math.ceil(bitsOfJournal / stride));
  expect(report).toEqual({ flipped, start: flipped, encrypted: flipped, plain: flipped, wrong: [] });
});
