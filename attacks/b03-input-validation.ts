import { theirParse, theyMisread } from "../packages/wire/src/mqtt/foreign-packet.test-data.ts";
import { packetCases } from "../packages/wire/src/mqtt/packet-cases.test-data.ts";
import { rig, versionBefore, wideLimits } from "../packages/wire/src/mqtt/recording-sink.test-data.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { mutated, pick } from "./support/mutate.ts";
import { randomOf } from "./support/random.ts";

export const b03 = attack({
  id: "B3",
  title: "Input: validation",
  threat: "The decoder takes what the standard forbids, and what comes behind it sees a packet that nobody sent.",
  mitigation: "The decoder is compared with an independent one: what that refuses, it refuses.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    {
      name: "damaged packets that an independent decoder refuses",
      run: differential,
      elsewhere: hasNone("its decoder cannot be called from here"),
    },
  ],
});

async function differential(arena: Arena): Promise<void> {
  const random = randomOf(3);
  const count = arena.full ? 1_000_000 : 20_000;
  let compared = 0;
  for (let run = 0; run < count; run += 1) {
    const { bytes, role, version, packet } = pick(packetCases, random);
    const damaged = mutated(bytes, random);
    if (Array.isArray(theirParse(damaged, version))) continue;
    const { decoder, sink } = rig(role, versionBefore(packet.type, version), wideLimits);
    decoder.push(damaged, 0, damaged.length);
    const misread = sink.calls.some((call) => "packet" in call && theyMisread({ version, packet: call.packet }));
    if (misread) continue;
    compared += 1;
    const first = sink.calls[0];
    const isTaken = first !== undefined && sink.calls.every((call) => "packet" in call) && decoder.bufferedBytes === 0;
    hold(!isTaken, `taken, and refused by the other: ${Buffer.from(damaged).toString("hex")} (${role}, ${version})`);
  }
  if (compared < count / 20) throw new Error(`only ${compared} of ${count} are refused by the other`);
}
