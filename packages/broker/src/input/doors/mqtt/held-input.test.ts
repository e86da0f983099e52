import { type Packet, PacketDecoder, PacketType } from "@mess/wire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { BackPressure } from "./back-pressure.ts";
import { Door, type DoorClient, FakeTransport, payloadsOf, publishPacket, subscribePacket } from "./door.test-data.ts";
import { HeldInput } from "./held-input.ts";

const payloads = (from: number, count: number): string[] =>
  Array.from({ length: count }, (_, index) => `m${from + index}`);

test("what was sent behind the last message that might come waits, whole and in order, over many turns", () => {
  const door = new Door({ limits: { clientMessagesPerSecondMax: 100 } });
  const reader = door.connected("reader");
  reader.send(subscribePacket(1, "a"));
  door.commit();
  reader.received();
  const client = door.connected("client", {}, 4);
  const sent = payloads(0, 1_000);
  client.send(...sent.map((payload, index) => publishPacket("a", payload, index + 1)));
  door.commit();
  const got = payloadsOf(reader.received());
  // A second's worth, and not all that lay in the chunk.
  expect(got.length).toBeLessThanOrEqual(102);
  for (let at = 0; at < 10_500; at += 20) {
    door.wait(20);
    door.commit();
    for (const packet of reader.received()) {
      if (packet.type !== PacketType.PUBLISH) continue;
      got.push(Buffer.from(packet.payload).toString());
      reader.send({ type: PacketType.PUBACK, packetId: packet.packetId, reasonCode: 0 } as Packet);
    }
  }
  expect(got).toEqual(sent);
  expect([client.transport.isPaused, client.isClosed]).toEqual([false, false]);
});

test("a packet that had come in part is put together with what comes later", () => {
  const door = new Door({ limits: { clientMessagesPerSecondMax: 10 } });
  const client = door.connected("client", {}, 4);
  client.send(...payloads(0, 11).map((payload, index) => publishPacket("a", payload, index + 1)));
  expect(client.transport.isPaused).toBe(true);
  const ping = Buffer.from([0xc0, 0x00]);
  client.sendBytes(ping.subarray(0, 1));
  client.sendBytes(ping.subarray(1));
  door.wait(3_000);
  door.commit();
  expect(client.types()).toContain(PacketType.PINGRESP);
});

test("a connection that ends while it waits says nothing more, and gives back what it held", () => {
  const door = new Door({ limits: { clientMessagesPerSecondMax: 10 } });
  const reader = door.connected("reader");
  reader.send(subscribePacket(1, "a"));
  door.commit();
  const client = door.connected("client", {}, 4);
  client.send(...payloads(0, 50).map((payload) => publishPacket("a", payload)));
  client.send(publishPacket("a", "late"));
  client.transport.cut();
  reader.received();
  door.wait(10_000);
  door.commit();
  expect(payloadsOf(reader.received())).toEqual([]);
});

test("past 16 MiB of all connections what has arrived is decoded at once, and is paid for later", () => {
  const door = new Door({ limits: { clientMessagesPerSecondMax: 1, packetBytesMax: 2 * 1_024 * 1_024 } });
  const payload = "x".repeat(1_024 * 1_024);
  const clients = Array.from({ length: 18 }, (_, index) => door.connected(`c${index}`, {}, 4));
  const takenOf = (client: DoorClient): number => {
    door.commit();
    return client.types().filter((type) => type === PacketType.PUBACK).length;
  };
  const taken = clients.map((client) => {
    client.send(publishPacket("a", "first", 1), publishPacket("a", payload, 2));
    return takenOf(client);
  });
  expect(taken).toEqual([...Array.from({ length: 15 }, () => 1), 2, 2, 2]);
  expect(clients.every(({ transport }) => transport.isPaused)).toBe(true);
  // One that goes gives back what it held.
  clients[0]?.transport.cut();
  const next = door.connected("next", {}, 4);
  next.send(publishPacket("a", "first", 1), publishPacket("a", payload, 2));
  expect(takenOf(next)).toBe(1);
  for (let index = 0; index < 150; index++) door.wait(20);
  expect([...clients.slice(1, 15), next].map(takenOf)).toEqual(Array.from({ length: 15 }, () => 1));
  expect(next.transport.isPaused).toBe(false);
});

const packetBytes = 4;
const signedBytes = 7;

/** Packets behind each of which something is waited for, and the bytes that they were cut into. */
const streams = fc.record({
  holds: fc.array(fc.constantFrom("none", "time", "answer", "both"), { minLength: 1, maxLength: 12 }),
  cuts: fc.array(fc.nat({ max: 12 * packetBytes }), { maxLength: 6 }),
  events: fc.array(fc.constantFrom("bytes", "time", "answer"), { maxLength: 30 }),
});

test("whatever is waited for, each packet is decoded once and in order, and each byte that waits is counted", async () => {
  await fc.assert(
    fc.asyncProperty(streams, async ({ holds, cuts, events }) => {
      const stream = Buffer.concat(holds.map((_, i) => Buffer.from([0x40, 0x02, 0x00, i + 1])));
      const ends = [...new Set([...cuts.filter((cut) => cut > 0 && cut < stream.length), stream.length])];
      ends.sort((a, b) => a - b);
      const due: (() => void)[] = [];
      const answers: (() => void)[] = [];
      const decoded: number[] = [];
      let arrived = 0;
      let isOver = false;
      const after = (_: number, run: () => void): { cancel: () => void } => {
        due.push(run);
        return { cancel: () => undefined };
      };
      const shared = { timers: { after, soon: () => undefined }, signedBytes: 0, timedBytes: 0 };
      const options = { maxPacketSize: 99, userPropertiesMax: 1, userPropertyBytesMax: 1, subscriptionsMax: 1 };
      const decoder: PacketDecoder = new PacketDecoder(
        { role: "client", topicAliasMax: 0, ...options },
        {
          publish: () => true,
          packet: () => true,
          failed: ({ reason }) => expect.fail(reason),
          ack: (_, packetId) => {
            decoded.push(packetId);
            const hold = holds[packetId - 1];
            isOver = false;
            if (hold === "time" || hold === "both") held.holdFor(() => (isOver ? 0 : 1));
            if (hold === "answer" || hold === "both") {
              held.holdUntil(signedBytes, new Promise<void>((resolve) => answers.push(resolve)), () => undefined);
            }
            return true;
          },
        },
      );
      decoder.version = 5;
      const transport = new FakeTransport();
      const pressure = new BackPressure(transport, shared.timers);
      const decode = (bytes: Buffer, start: number, end: number): void => {
        const at = decoder.push(bytes, start, end);
        if (at < end) held.keep(bytes, at, end);
      };
      const held: HeldInput = new HeldInput(shared, { decoder, pressure }, decode);
      const happen = async (event: string): Promise<void> => {
        const end = ends[0];
        // What was read already comes, however much is waited for.
        if (event === "bytes" && end !== undefined) {
          ends.shift();
          const bytes = stream.subarray(arrived, end);
          arrived = end;
          decode(bytes, 0, bytes.length);
        } else if (event === "time") {
          isOver = true;
          due.shift()?.();
        } else if (event === "answer") {
          answers.shift()?.();
          await Promise.resolve();
        }
        const waiting = arrived - decoded.length * packetBytes - decoder.bufferedBytes;
        expect(shared.signedBytes).toBe(answers.length > 0 ? signedBytes + waiting : 0);
        expect(shared.timedBytes).toBe(answers.length > 0 ? 0 : waiting);
        expect(transport.isPaused).toBe(held.isTimed || answers.length > 0);
      };
      for (const event of events) await happen(event);
      for (let i = 0; i < 3 * holds.length + 3; i++)
        for (const event of ["bytes", "time", "answer"]) await happen(event);
      expect(decoded).toEqual(holds.map((_, i) => i + 1));
      expect([shared.signedBytes, shared.timedBytes, transport.isPaused]).toEqual([0, 0, false]);
    }),
  );
});
