import { expect, test } from "vitest";
import { PacketDecoder, type PacketSink } from "./decode.ts";
import { encodePacket } from "./encode.ts";
import { PacketType, type PublishPacket } from "./packet.ts";
import { PublishEncoder } from "./publish-encoder.ts";
import { wideLimits } from "./recording-sink.test-data.ts";

const PACKETS = 1000;
const PUSHES = 100;

/** Most bytes by which the heap grew in one of several rounds, after some to warm up. A collection only makes it less. */
function growth(work: () => void): number {
  for (let index = 0; index < 3 * PUSHES; index++) work();
  let most = 0;
  for (let round = 0; round < 5; round++) {
    const before = process.memoryUsage().heapUsed;
    for (let index = 0; index < PUSHES; index++) work();
    most = Math.max(most, process.memoryUsage().heapUsed - before);
  }
  return most;
}

const publish: PublishPacket = {
  type: PacketType.PUBLISH,
  topic: "a/b/c",
  payload: new Uint8Array(24),
  qos: 0,
  retain: false,
  dup: false,
};

/** Payloads here are short: copies of more than some 32 bytes go into the engine, which on Node 20 makes a view for each. */
test("the hot paths allocate nothing for a packet", () => {
  let seen = 0;
  const encoder = new PublishEncoder();
  const out = new Uint8Array(1000);
  const sink: PacketSink = {
    publish(view) {
      seen++;
      encoder.source = view.bytes;
      encoder.topicStart = view.topicStart;
      encoder.topicEnd = view.topicEnd;
      encoder.payloadStart = view.payloadStart;
      encoder.payloadEnd = view.payloadEnd;
      encoder.write(5, out, 0);
      return true;
    },
    packet: () => true,
    ack() {
      seen++;
      return true;
    },
    failed(failure) {
      throw new Error(failure.reason);
    },
  };
  const properties = { messageExpiryInterval: 5, contentType: "t", userProperties: [["k", "v"]] as [string, string][] };
  const stream = [
    encodePacket(publish, 5),
    encodePacket({ ...publish, topic: "a/b/d", qos: 1, packetId: 1 }, 5),
    encodePacket({ ...publish, properties }, 5),
    encodePacket({ type: PacketType.PUBACK, packetId: 1, reasonCode: 0x10 }, 5),
  ];
  const chunk = Buffer.concat(
    Array.from({ length: PACKETS }, (_, index) => stream[index % stream.length] as Uint8Array),
  );
  const decoder = new PacketDecoder({ role: "client", ...wideLimits }, sink);
  decoder.version = 5;
  const grown = growth(() => decoder.push(chunk, 0, chunk.length));
  expect(seen).toBeGreaterThan(PACKETS * PUSHES);
  // The smallest object has 16 bytes; one for every fourth packet would show.
  expect(grown).toBeLessThan((PACKETS * PUSHES * 16) / 4);
});
