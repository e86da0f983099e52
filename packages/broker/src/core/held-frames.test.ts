import { expect, test } from "vitest";
import type { JournalFrame } from "../model/journal.ts";
import { HeldFrames } from "./held-frames.ts";

function frame(firstSeq: number, bytes: number): JournalFrame {
  const none = new Uint32Array(0);
  return { firstSeq, count: 10, bytes: Buffer.alloc(bytes), starts: none, ends: none, kinds: new Uint8Array(0) };
}

test("holds one frame for each, the newest ones as far as there is room, and one at least", () => {
  const held = new HeldFrames<string>(100);
  const [one, two, three] = [frame(1, 40), frame(11, 50), frame(21, 300)];
  held.hold("a", one);
  held.hold("b", two);
  expect([held.get("a", 10), held.get("a", 11), held.get("b", 11)]).toEqual([one, undefined, two]);
  held.hold("a", two);
  expect([held.get("a", 1), held.get("a", 12), held.get("b", 12)]).toEqual([undefined, two, two]);
  held.hold("c", three);
  expect([held.get("a", 12), held.get("b", 12), held.get("c", 21)]).toEqual([undefined, undefined, three]);
  held.drop("c");
  held.hold("a", one);
  held.hold("b", two);
  expect([held.get("a", 1), held.get("b", 11)]).toEqual([one, two]);
});
