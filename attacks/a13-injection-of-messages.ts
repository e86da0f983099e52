import * as build from "../test/support/packets.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { atEachDoor, cutOff, nothingComes } from "./support/moves.ts";

/** Packets that only a server sends, or that answer nothing. */
const serverOnly: readonly (readonly [string, Buffer])[] = [
  ["CONNACK", Buffer.from("2003000000", "hex")],
  ["SUBACK", Buffer.from("900400010000", "hex")],
  ["UNSUBACK", Buffer.from("b00400010000", "hex")],
  ["PINGRESP", Buffer.from("d000", "hex")],
  ["a second CONNECT", build.connect({ clientId: "again" })],
  ["type 0", Buffer.from("0000", "hex")],
];

const forged = [
  "mess-principal",
  "mess-publisher",
  "mess-offset",
  "mess-time",
  "mess-attempt",
  "mess-duplicate",
  "mess-dead-reason",
  "mess-anything",
];

export const a13 = attack({
  id: "A13",
  title: "Delivery service: messages injected",
  threat:
    "A client sends what only the broker may say: packets of a server, metadata that consumers take for the broker's, answers to what was never asked.",
  mitigation:
    "User properties that begin with `mess-` are between client and broker: those the broker sets, unknown ones and bad values are refused and counted; packets of a server end the connection.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("metadata of the broker, set by a publisher", forgedMetadata, {
      elsewhere: {
        mosquitto: hasNone("adds no metadata that could be forged"),
        nats: hasNone("speaks MQTT 3.1.1 only, which carries no metadata"),
      },
    }),
    atEachDoor("packets that only a server sends", async (arena, door) => {
      for (const [what, bytes] of serverOnly) {
        const client = await arena.connect(await arena.principal(), { version: arena.broker.version }, door);
        client.send(bytes);
        const otherwise = `${what} from a client is accepted`;
        await cutOff(arena, client, { codes: [0x81, 0x82], otherwise });
      }
    }),
    atEachDoor("acknowledgements of what was never sent", async (arena, door) => {
      const client = await arena.connect(await arena.principal(), {}, door);
      for (const name of ["PUBACK", "PUBREC", "PUBCOMP"] as const) {
        if (!client.isClosed) client.send(build.ack(name, 4_711));
      }
      await arena.unharmed();
    }),
  ],
});

async function forgedMetadata(arena: Arena, door: Arena["door"]): Promise<void> {
  const owner = await arena.principal();
  const reader = await arena.connect(owner, {}, door);
  reader.autoAck = true;
  await reader.subscribe({ filter: owner.topic("x"), qos: 1 });
  const seen = await arena.observe();
  for (const name of forged) {
    const client = await arena.connect(owner, {}, door);
    const userProperty: [string, string][] = [[name, "admin"]];
    const answer = await client.publish({
      topic: owner.topic("x"),
      payload: name,
      qos: 1,
      properties: { userProperty },
    });
    hold(answer?.code === 0x83, `${name} set by a client is answered ${answer?.code}`);
  }
  await nothingComes(reader, "forged metadata is delivered");
  const counted = await seen.counted("mess_properties_refused_total");
  hold(counted === forged.length, `${counted} of ${forged.length} are counted`);
  const header = { "Mess-Publisher": "admin" };
  const { status } = await arena.ask(owner, `/v1/messages?topic=${encodeURIComponent(owner.topic("x"))}`, {
    method: "POST",
    body: "x",
    headers: header,
  });
  hold(status === 400, `Mess-Publisher over HTTP is answered ${status}`);
}
