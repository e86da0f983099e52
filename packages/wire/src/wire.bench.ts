/**
 * Codec speed on the hot paths: `npx tsx packages/wire/src/wire.bench.ts`. Each row is the best of seven rounds of about
 * 60 ms; the best, because the machine is shared and only disturbance makes a round slower.
 */
import { ACK_BYTES_MAX, writeAck } from "./mqtt/ack-encoder.ts";
import { PacketDecoder, type PacketSink } from "./mqtt/decode.ts";
import { encodePacket } from "./mqtt/encode.ts";
import { PacketType, type PublishPacket, type QoS } from "./mqtt/packet.ts";
import { PublishEncoder } from "./mqtt/publish-encoder.ts";

const ROUNDS = 7;
const ROUND_NS = 60e6;
const PACKETS_PER_CHUNK = 700;

let seen = 0;
let same = 0;
const sink: PacketSink = {
  publish(view) {
    seen++;
    if (view.sameTopic) same++;
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

const options = {
  role: "server",
  maxPacketSize: 1 << 20,
  userPropertiesMax: 32,
  userPropertyBytesMax: 4096,
  subscriptionsMax: 1000,
  topicAliasMax: 64,
} as const;

function report(name: string, packets: number, work: () => void): void {
  let best = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    let count = 0;
    const start = process.hrtime.bigint();
    let elapsed = 0;
    while (elapsed < ROUND_NS) {
      for (let index = 0; index < 50; index++) work();
      count += 50 * packets;
      elapsed = Number(process.hrtime.bigint() - start);
    }
    best = Math.min(best, elapsed / count);
  }
  console.log(`${name.padEnd(48)} ${best.toFixed(1).padStart(8)} ns/packet ${(1e3 / best).toFixed(1).padStart(8)} M/s`);
}

function publishPacket(qos: QoS, topic: string, size: number, extra: Partial<PublishPacket> = {}): PublishPacket {
  const packet: PublishPacket = {
    type: PacketType.PUBLISH,
    topic,
    payload: new Uint8Array(size),
    qos,
    retain: false,
    dup: false,
  };
  return { ...packet, ...(qos > 0 ? { packetId: 7 } : {}), ...extra };
}

function chunkOf(packets: Uint8Array[]): Buffer {
  return Buffer.concat(
    Array.from({ length: PACKETS_PER_CHUNK }, (_, index) => packets[index % packets.length] as Uint8Array),
  );
}

function benchDecode(name: string, version: 4 | 5, packets: PublishPacket[]): void {
  const chunk = chunkOf(packets.map((packet) => encodePacket(packet, version)));
  const decoder = new PacketDecoder(options, sink);
  decoder.version = version;
  report(`decode ${name}`, PACKETS_PER_CHUNK, () => decoder.push(chunk, 0, chunk.length));
}

function benchEncode(name: string, version: 4 | 5, qos: QoS, size: number): void {
  const encoder = new PublishEncoder();
  const topic = "plant/7/line/3/status";
  encoder.source = Buffer.concat([Buffer.from(topic), Buffer.alloc(size)]);
  Object.assign(encoder, {
    topicEnd: topic.length,
    payloadStart: topic.length,
    payloadEnd: topic.length + size,
    qos,
    packetId: 9,
  });
  const out = Buffer.alloc(1 << 20);
  report(`encode ${name}`, 200, () => {
    let at = 0;
    for (let index = 0; index < 200; index++) at = encoder.write(version, out, at);
    if (at !== 200 * encoder.size(version)) throw new Error("wrong size");
  });
}

const topic = "plant/7/line/3/status";
const userProperties = { userProperties: [["origin", "sensor-7"]] as [string, string][] };
for (const version of [4, 5] as const) {
  for (const qos of [0, 1] as const) {
    benchDecode(`PUBLISH v${version} QoS ${qos} 64 B, same topic`, version, [publishPacket(qos, topic, 64)]);
  }
  const many = Array.from({ length: 100 }, (_, index) => publishPacket(0, `plant/7/line/${index}/status`, 64));
  benchDecode(`PUBLISH v${version} QoS 0 64 B, 100 topics`, version, many);
}
benchDecode("PUBLISH v5 QoS 0 64 B, a user property", 5, [publishPacket(0, topic, 64, { properties: userProperties })]);
benchDecode("PUBLISH v4 QoS 0 1 KiB, same topic", 4, [publishPacket(0, topic, 1024)]);
for (const version of [4, 5] as const) {
  benchEncode(`PUBLISH v${version} QoS 0 64 B`, version, 0, 64);
  benchEncode(`PUBLISH v${version} QoS 1 64 B`, version, 1, 64);
}
benchEncode("PUBLISH v4 QoS 0 1 KiB", 4, 0, 1024);

const acks = chunkOf([Uint8Array.of(0x40, 2, 0, 7)]);
const ackDecoder = new PacketDecoder(options, sink);
ackDecoder.version = 5;
report("decode PUBACK", PACKETS_PER_CHUNK, () => ackDecoder.push(acks, 0, acks.length));
const ackOut = new Uint8Array(200 * ACK_BYTES_MAX);
report("encode PUBACK", 200, () => {
  let at = 0;
  for (let index = 0; index < 200; index++) at = writeAck(ackOut, at, 5, PacketType.PUBACK, index + 1, 0);
});
console.log(`(${seen} decoded, ${same} with the topic before)`);
