import { vbi } from "../test/support/bytes.ts";
import { unique } from "../test/support/names.ts";
import * as build from "../test/support/packets.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold, lacks } from "./support/attack.ts";
import { atEachDoor, cutOff, nothingComes } from "./support/moves.ts";

const speaks4 = { nats: hasNone("speaks MQTT 3.1.1 only") };

export const e06 = attack({
  id: "E6",
  title: "Topic aliases and subscription identifiers",
  threat: "An alias stands for a topic that was never asked about; an identifier of one client reaches another.",
  mitigation:
    "An alias is resolved before rights are asked, lives as long as its connection, and is bounded; identifiers go to their own session alone.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    atEachDoor("aliases that are not there, not allowed, or of a connection before", aliases, { elsewhere: speaks4 }),
    atEachDoor("an alias to a topic without the right", deniedAlias, {
      elsewhere: { ...speaks4, mosquitto: lacks("there are no rights by default") },
    }),
    atEachDoor("subscription identifiers from a publisher, and of value 0", identifiers, { elsewhere: speaks4 }),
  ],
});

async function aliases(arena: Arena, door: Arena["door"]): Promise<void> {
  const owner = await arena.principal("everything");
  const topic = owner.topic("x");
  const wrong = [
    { topic: "", properties: { topicAlias: 9 } },
    { topic, properties: { topicAlias: 0 } },
    { topic, properties: { topicAlias: 65_535 } },
    { topic: "", properties: {} },
  ];
  for (const fields of wrong) {
    const client = await arena.connect(owner, {}, door);
    client.send(build.publish({ ...fields, payload: "x" }));
    await cutOff(arena, client, { codes: [0x82, 0x94, 0x81, 0x90], otherwise: `${JSON.stringify(fields)} is taken` });
  }
  const session = { ...arena.lasting(), clientId: unique("c") };
  const first = await arena.connect(owner, session, door);
  await first.publish({ topic, payload: "x", qos: 1, properties: { topicAlias: 1 } });
  await first.drop();
  const second = await arena.connect(owner, session, door);
  second.send(build.publish({ topic: "", payload: "x", properties: { topicAlias: 1 } }));
  await cutOff(arena, second, { otherwise: "an alias of the connection before is taken" });
}

async function deniedAlias(arena: Arena, door: Arena["door"]): Promise<void> {
  const victim = await arena.principal();
  const reader = await arena.connect(victim, {}, door);
  await reader.subscribe(victim.topic("#"));
  const thief = await arena.principal();
  const client = await arena.connect(thief, {}, door);
  const denied = await client
    .publish({ topic: victim.topic("x"), payload: "x", qos: 1, properties: { topicAlias: 2 } })
    .catch(() => undefined);
  if (arena.isMess) hold(denied?.code === 0x87, `a publish without the right is answered ${denied?.code}`);
  if (!client.isClosed) client.send(build.publish({ topic: "", payload: "x", properties: { topicAlias: 2 } }));
  await nothingComes(reader, "an alias carries a message where its sender may not publish");
}

async function identifiers(arena: Arena, door: Arena["door"]): Promise<void> {
  const owner = await arena.principal("everything");
  const zero = await arena.connect(owner, {}, door);
  zero.send(build.subscribe({ filters: ["a"], properties: { subscriptionIdentifier: 0 } }));
  await cutOff(arena, zero, { codes: [0x82, 0x81], otherwise: "identifier 0 is taken" });
  const forger = await arena.connect(owner, {}, door);
  forger.send(build.publish({ topic: "a", properties: [[0x0b, vbi(7)]] }));
  await cutOff(arena, forger, { codes: [0x82, 0x81], otherwise: "an identifier from a publisher is taken" });
}
