import { connect as connectTcp } from "node:net";
import { unique } from "../test/support/names.ts";
import { connect as packetConnect } from "../test/support/packets.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { atEachDoor, nothingComes } from "./support/moves.ts";

export const a02 = attack({
  id: "A2",
  title: "Input handler: connection hijacking",
  threat:
    "Somebody takes over the session of another by its client id, or reads what passes on a connection without TLS.",
  mitigation:
    "A session belongs to a principal and a client id together; TLS 1.2 or newer on every port, no renegotiation, no plain listener.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    atEachDoor("a stranger connects with the client id of another", async (arena, door) => {
      for (const cleanStart of [false, true]) {
        const clientId = unique("victim");
        const owner = await arena.principal();
        const victim = await arena.connect(owner, { ...arena.lasting(), clientId }, door);
        victim.autoAck = true;
        await victim.subscribe({ filter: owner.topic("private"), qos: 1 });
        const thief = await arena.attempt(await arena.principal(), { ...arena.lasting(), clientId, cleanStart }, door);
        hold(thief.connack?.sessionPresent !== true, "the stranger is in the session of the other");
        hold(!victim.isClosed, `the owner was thrown off${victim.history()}`);
        const own = { topic: owner.topic("private"), payload: "for the owner", qos: 1 };
        await victim.publish(own);
        hold((await victim.message()).payload.toString() === own.payload, "the owner lost its subscription");
        await nothingComes(thief.client, "the stranger reads what was for the owner");
        hold(!victim.isClosed, "the owner was thrown off");
      }
    }),
    {
      name: "a queue that waits for somebody who is away is taken by its client id",
      run: queueOfTheAbsent,
    },
    {
      name: "MQTT without TLS on the port of MQTT",
      run: plainOnTls,
      elsewhere: lacks("listens without TLS by default"),
    },
  ],
});

async function queueOfTheAbsent(arena: Arena): Promise<void> {
  const clientId = unique("absent");
  const owner = await arena.principal();
  const session = { ...arena.lasting(), clientId };
  const away = await arena.connect(owner, session);
  await away.subscribe({ filter: owner.topic("inbox"), qos: 1 });
  await away.drop();
  const sender = await arena.connect(owner);
  await sender.publish({ topic: owner.topic("inbox"), payload: "letter", qos: 1 });
  const thief = await arena.attempt(await arena.principal(), session);
  hold(thief.connack?.sessionPresent !== true, "the stranger is in the session of the other");
  await nothingComes(thief.client, "the stranger reads the queue of the other");
  const back = await arena.connect(owner, session);
  hold((await back.message()).payload.toString() === "letter", "the owner's queue is gone");
}

async function plainOnTls(arena: Arena): Promise<void> {
  const { credentials } = await arena.principal();
  for (const { endpoint } of arena.doors) {
    const answer = await new Promise<Buffer>((resolve) => {
      const bytes: Buffer[] = [];
      const socket = connectTcp({ host: endpoint.host, port: endpoint.port });
      socket.on("data", (more: Buffer) => bytes.push(more));
      socket.on("error", () => socket.destroy());
      socket.on("close", () => resolve(Buffer.concat(bytes)));
      socket.write(packetConnect({ clientId: unique("plain"), ...credentials }));
      socket.setTimeout(8_000, () => socket.destroy());
    });
    // 0x15 is an alert of TLS; 0x20 would be a CONNACK
    hold(answer.length === 0 || answer[0] === 0x15, `the port answers plain MQTT: ${answer.toString("hex")}`);
  }
}
