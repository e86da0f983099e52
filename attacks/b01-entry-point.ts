import { rig } from "../packages/wire/src/mqtt/recording-sink.test-data.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { atEachDoor } from "./support/moves.ts";
import { mutated, pick, specimens } from "./support/mutate.ts";
import { randomOf } from "./support/random.ts";

export const b01 = attack({
  id: "B1",
  title: "Input: the entry point",
  threat:
    "Bytes that nobody thought of bring the decoder, and with it the process, down, or let it hold memory without end.",
  mitigation:
    "One decoder that never throws and holds no more than one packet; what is malformed ends the connection with a reason.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    {
      name: "damaged packets into the decoder",
      run: fuzz,
      elsewhere: hasNone("its decoder cannot be called from here; the next step sends to it"),
    },
    atEachDoor("damaged packets to the door", async (arena, door) => {
      const random = randomOf(1);
      const count = arena.full ? 20_000 : 300;
      const who = await arena.principal();
      for (let sent = 0; sent < count; sent += 1) {
        const isBefore = random() < 0.3;
        const client = isBefore ? await arena.open(door) : await arena.connect(who, {}, door);
        const { bytes } = pick(specimens, random);
        client.send(Buffer.from(mutated(bytes, random)));
        if (sent % 20 === 0) await arena.unharmed();
        client.stream.end();
      }
    }),
  ],
});

async function fuzz(arena: Arena): Promise<void> {
  const random = randomOf(1_001);
  const count = arena.full ? 10_000_000 : 60_000;
  let passed = 0;
  for (let run = 0; run < count; run += 1) {
    const { role, version, bytes } = pick(specimens, random);
    const damaged = mutated(bytes, random);
    const { decoder, sink } = rig(role, version);
    try {
      decoder.push(damaged, 0, damaged.length);
    } catch (error) {
      hold(false, `${Buffer.from(damaged).toString("hex")} throws ${String(error)}`);
    }
    const hex = (): string => Buffer.from(damaged).toString("hex");
    hold(decoder.bufferedBytes <= decoder.maxPacketSize, `${hex()} makes it hold ${decoder.bufferedBytes} bytes`);
    if (!sink.calls.some((call) => "failure" in call)) passed += 1;
  }
  if (passed === 0 || passed === count) throw new Error(`${passed} of ${count} pass: the damage is wrong`);
}
