import { bitsOfJournal, flipEveryBit } from "../test/faults/every-bit.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold, lacks } from "./support/attack.ts";

const sampled = 240;

export const b10 = attack({
  id: "B10",
  title: "Storage: integrity checks",
  threat: "One changed bit of the journal goes unseen.",
  mitigation:
    "Sums of sectors, the cipher's tags and the chain of hashes cover every bit of a written frame and of a header.",
  ways: ["disk"],
  steps: [
    {
      name: "bits of a journal of 64 KiB: all of them with --full",
      run: everyBit,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default: A11"),
        nats: lacks("starts on changed files and leaves messages out: A10"),
      },
    },
  ],
});

async function everyBit(arena: Arena): Promise<void> {
  const every = arena.full ? 1 : Math.floor(bitsOfJournal / sampled);
  const bits: number[] = [];
  for (let bit = 0; bit < bitsOfJournal; bit += every) bits.push(bit);
  const report = await flipEveryBit({ bits });
  hold(report.wrong.length === 0, report.wrong.slice(0, 3).join("; "));
  if (report.flipped !== bits.length) throw new Error(`${report.flipped} of ${bits.length} bits were flipped`);
}
