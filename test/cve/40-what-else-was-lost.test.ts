// LESSONS 40, aedes 214, mochi-mqtt 315, LavinMQ, NATS. Elsewhere a will was sent for somebody who had been refused, a
// session was kept as long as its client liked, a body that came in pieces was stored broken, a large message was right
// in the first queue alone, and damaged files were served. Here each of them is tried.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { copyOfData, segmentsOf, written } from "../../attacks/support/files.ts";
import { nothingComes } from "../../attacks/support/moves.ts";
import { allStartsRefused } from "../../attacks/support/refused-starts.ts";
import { unique } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField({ env: { MESS_LIMITS__SEGMENT_BYTES: "8MiB" } });

atEachDoor(field, "the will of somebody who was refused, and a session for ever", async (arena, door) => {
  const owner = await arena.principal();
  const watcher = await arena.connect(owner);
  await watcher.subscribe(owner.topic("#"));
  for (const version of [4, 5] as const) {
    for (const credentials of [{}, { username: owner.id, password: "wrong" }]) {
      const will = { topic: owner.topic("will"), payload: "of nobody", retain: true };
      const { client, connack } = await arena.attempt({ credentials }, { will, version }, door);
      expect(connack?.code).not.toBe(0);
      client.stream.destroy();
    }
  }
  await nothingComes(watcher, "somebody who was refused leaves a will");
  const asked = { properties: { sessionExpiryInterval: 0xffffffff }, cleanStart: false };
  const { connack } = await arena.connect(owner, asked, door);
  expect(connack?.properties["sessionExpiryInterval"]).toBeLessThanOrEqual(30 * 86_400);
});

atEachDoor(field, "packets in pieces of 1, 2, 3, 5 and 11 bytes", async (arena, door) => {
  const owner = await arena.principal();
  const payload = randomBytes(300);
  for (const version of [4, 5] as const) {
    for (const size of [1, 2, 3, 5, 11, 10_000]) {
      const topic = owner.topic(unique("x"));
      const bytes = Buffer.concat([
        build.connect({ version, clientId: unique("c"), ...owner.credentials }),
        build.subscribe({ version, id: 1, filters: [{ filter: topic, qos: 0 }] }),
        build.publish({ version, topic, payload, qos: 2, id: 3 }),
        build.ack("PUBREL", 3),
        build.pingreq(),
      ]);
      const client = await arena.open(door, version);
      for (let at = 0; at < bytes.length; at += size) client.send(bytes.subarray(at, at + size));
      await client.take("PINGRESP");
      expect((await client.message()).payload.equals(payload), `pieces of ${size}`).toBe(true);
      expect(client.waiting().map(({ name }) => name)).toEqual(["CONNACK", "SUBACK", "PUBREC", "PUBCOMP"]);
    }
  }
});

it("a large message is the same in every session, also after a kill; a damaged file is not served", async () => {
  const arena = await field.arena.own();
  const owner = await arena.principal();
  const topic = owner.topic("large");
  const payload = randomBytes(900_000);
  const sum = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
  const sessions = ["a", "b", "c"].map((clientId) => ({ ...arena.lasting(), clientId }));
  for (const session of sessions) {
    const client = await arena.connect(owner, session);
    await client.subscribe({ filter: topic, qos: 1 });
    await client.drop();
  }
  await (await arena.connect(owner)).publish({ topic, payload, qos: 1 });
  await arena.broker.kill();
  const copy = copyOfData(arena.broker.dataDir);
  await arena.broker.start();
  for (const session of sessions) {
    const client = await arena.connect(owner, session);
    const message = await client.message();
    expect(sum(message.payload), session.clientId).toBe(sum(payload));
  }
  const segment = segmentsOf(copy).find((path) => written(readFileSync(path)) > payload.length) ?? "";
  const bytes = readFileSync(segment);
  const middle = written(bytes) - payload.length - 2_000;
  bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  writeFileSync(segment, bytes);
  await allStartsRefused([{ what: "a changed byte", dataDir: copy, codes: [65] }]);
});
