import { connect as connectTls, type TLSSocket } from "node:tls";
import { unique } from "../test/support/names.ts";
import * as build from "../test/support/packets.ts";
import type { Arena, Principal } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { nothingComes } from "./support/moves.ts";
import { refusedEverywhere, signingTopic, taken } from "./support/signing.ts";

const noIds = lacks("knows no ids of messages: what is sent again is stored again");

export const c05 = attack({
  id: "C5",
  title: "Vulnerability to replay attacks",
  threat:
    "Something that was sent once is sent again, by whoever recorded it or by a client that heard no answer, and counts twice.",
  mitigation:
    "No early data in TLS; numbers of signed messages and ids of messages are remembered with their publisher and survive a restart; QoS 2 packet ids survive too.",
  ways: ["tcp-tls", "websocket-tls", "https", "process"],
  steps: [
    {
      name: "early data, which TLS does not protect from replay",
      run: earlyData,
      elsewhere: lacks("listens without TLS by default"),
    },
    {
      name: "a publish sent again by its id: at once, by another protocol, after a restart",
      run: repeatedIds,
      elsewhere: noIds,
    },
    {
      name: "the first half of QoS 2 sent again after the answer was lost",
      run: repeatedQos2,
      elsewhere: { nats: lacks("has no QoS 2") },
    },
    {
      name: "a signed message again: at once, by other doors, for another topic, after SIGKILL, too old, from the future",
      run: signedAgain,
      elsewhere: lacks("verifies no signatures of messages"),
    },
  ],
});

/** A session that allows early data says how much, in an element with this tag (OpenSSL's form of a session). */
const earlyDataTag = 0xaf;

async function earlyData(arena: Arena): Promise<void> {
  for (const { endpoint, name } of arena.doors) {
    const { host, port, ca } = endpoint;
    const trust = ca === undefined ? {} : { ca };
    const socket: TLSSocket = connectTls({ host, port, servername: "localhost", minVersion: "TLSv1.3", ...trust });
    const session = await new Promise<Buffer>((resolve, reject) => {
      socket.once("session", resolve);
      socket.once("error", reject);
      socket.once("close", () => reject(new Error("closed before it gave a session")));
    });
    socket.destroy();
    hold(!tagsOf(session).includes(earlyDataTag), `${name}: the session allows early data`);
  }
}

/** Tags of the elements of a DER sequence. */
function tagsOf(der: Buffer): number[] {
  const tags: number[] = [];
  for (let at = contentOf(der, 0).from; at < der.length; ) {
    const { from, length } = contentOf(der, at);
    tags.push(der[at] ?? 0);
    at = from + length;
  }
  return tags;
}

function contentOf(der: Buffer, at: number): { from: number; length: number } {
  const first = der[at + 1] ?? 0;
  if (first < 0x80) return { from: at + 2, length: first };
  const bytes = first & 0x7f;
  return { from: at + 2 + bytes, length: der.readUIntBE(at + 2, bytes) };
}

async function repeatedIds(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const owner = await arena.principal("tenant");
  const topic = owner.topic("payments");
  const session = { ...arena.lasting(), clientId: unique("reader") };
  const reader = await arena.connect(owner, session);
  await reader.subscribe({ filter: topic, qos: 1 });
  await reader.drop();
  const id = unique("id");
  await overMqtt(arena, owner, topic, id);
  await overMqtt(arena, owner, topic, id);
  const path = `/v1/messages?topic=${encodeURIComponent(topic)}`;
  const again = await arena.ask(owner, path, { method: "POST", body: "pay 100", headers: { "Idempotency-Key": id } });
  hold(again.text.includes('"duplicate":true'), `HTTP stores it again: ${again.text}`);
  await arena.broker.kill();
  await arena.broker.start();
  await overMqtt(arena, owner, topic, id);
  const back = await arena.connect(owner, session);
  back.autoAck = true;
  await back.message();
  await nothingComes(back, "a publish that was sent again counts twice");
}

async function overMqtt(arena: Arena, who: Principal, topic: string, id: string): Promise<void> {
  const client = await arena.connect(who);
  const properties = { userProperty: [["mess-id", id]] as [string, string][] };
  await client.publish({ topic, payload: "pay 100", qos: 1, properties });
  await client.disconnect();
}

async function repeatedQos2(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const topic = owner.topic("payments");
  const reader = await arena.connect(owner);
  reader.autoAck = true;
  await reader.subscribe({ filter: topic, qos: 2 });
  const session = { ...arena.lasting(), clientId: unique("sender") };
  const publish = { version: arena.broker.version, topic, payload: "pay 100", qos: 2, id: 7 };
  const sender = await arena.connect(owner, session);
  sender.send(build.publish(publish));
  await sender.take({ name: "PUBREC", id: 7 });
  await sender.drop();
  const back = await arena.connect(owner, session);
  back.send(build.publish({ ...publish, dup: true }));
  await back.take({ name: "PUBREC", id: 7 });
  back.send(build.ack("PUBREL", 7));
  await back.take({ name: "PUBCOMP", id: 7 });
  back.send(build.ack("PUBREL", 7));
  await back.take({ name: "PUBCOMP", id: 7 });
  await reader.message();
  await nothingComes(reader, "the first half of QoS 2, sent again, counts twice");
}

async function signedAgain(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const { owner, signer, topic } = await signingTopic(arena);
  const payload = "pay 100";
  const sent = { topic, payload, signature: await signer.sign(topic, payload) };
  await taken(arena, owner, sent);
  for (const when of ["at once", "after SIGKILL"]) {
    await refusedEverywhere(arena, owner, sent, "sig.replay");
    await refusedEverywhere(arena, owner, { ...sent, topic: `${topic}/other` }, "sig.bad");
    if (when === "after SIGKILL") break;
    await arena.broker.kill();
    await arena.broker.start();
  }
  const now = Math.floor(Date.now() / 1_000);
  for (const away of [-3_600, -310, 310, 600, 3_600]) {
    const signature = await signer.sign(topic, payload, { iat: now + away });
    await refusedEverywhere(arena, owner, { topic, payload, signature }, "sig.stale");
  }
}
