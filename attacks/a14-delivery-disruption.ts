import * as build from "../test/support/packets.ts";
import type { RawClient } from "../test/support/raw-client.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, holds } from "./support/attack.ts";
import type { Door } from "./support/broker.ts";
import { atEachDoor } from "./support/moves.ts";

/** 36 MB go by to each; what is kept of it for those who do not read is bounded. */
const memoryMb = 48;
/** A reader that holds the others up shows as much more, also on a machine that does other things. */
const delayMs = 5_000;

/** What a strict client must drop its connection at [MQTT-1.5.4-1], [MQTT-1.5.4-2], [MQTT-3.3.2-2]. */
const poison: readonly (readonly [string, Buffer])[] = [
  ["a control character", Buffer.from("\u0001x")],
  ["a noncharacter", Buffer.from("\uffffx")],
  ["a surrogate", Buffer.from([0xed, 0xa0, 0x80])],
  ["a wildcard", Buffer.from("a+")],
];

export const a14 = attack({
  id: "A14",
  title: "Delivery service: disruption",
  threat: "A consumer that does not read, or a message that strict clients do not bear, harms the others.",
  mitigation:
    "Bounded output for each connection; slow readers lose QoS 0 and wait on disk for the rest; names that strict clients refuse are refused at the door.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    atEachDoor("a consumer that stops reading", stoppedReader),
    atEachDoor("a topic that strict clients drop their connection at", async (arena, door) => {
      const owner = await arena.principal();
      const strict = await arena.connect(owner, {}, door);
      await strict.subscribe(owner.topic("#"));
      for (const [what, bytes] of poison) {
        const client = await arena.connect(owner, {}, door);
        const topic = Buffer.concat([Buffer.from(owner.topic("")), bytes]);
        client.send(build.publish({ version: client.version, topic, payload: what }));
        const got = await strict.message(200).catch((error: Error) => {
          hold(!/the server sent/.test(error.message), `a topic with ${what} is forwarded: ${error.message}`);
        });
        hold(got === undefined, `a topic with ${what} is forwarded`);
      }
    }),
  ],
});

async function stoppedReader(arena: Arena, door: Door): Promise<void> {
  const owner = await arena.principal();
  const topic = owner.topic("feed");
  const stopped: RawClient[] = [];
  for (const qos of [0, 1]) {
    const reader = await arena.connect(owner, arena.lasting(60), door);
    await reader.subscribe({ filter: topic, qos });
    reader.stream.socket.pause();
    stopped.push(reader);
  }
  const healthy = await arena.connect(owner, {}, door);
  healthy.autoAck = true;
  await healthy.subscribe({ filter: topic, qos: 1 });
  const sender = await arena.connect(owner, {}, door);
  const seen = await arena.observe();
  const rounds = arena.full ? 2_000 : 40;
  const filler = build.publish({ version: sender.version, topic, payload: "x".repeat(64 * 1_024) });
  for (let round = 0; round < rounds; round += 1) {
    sender.send(...Array.from({ length: 14 }, () => filler));
    await holds("others wait behind two that do not read", async () => {
      await sender.publish({ topic, payload: "probe", qos: 1 });
      await healthy.take(({ payload }) => payload.toString() === "probe", delayMs);
    });
  }
  hold(seen.memoryGrowth() < memoryMb, `two that do not read cost ${Math.round(seen.memoryGrowth())} MB`);
}
