import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { propertiesOf } from "./arbitrary-packet.test-data.ts";
import { PacketDecoder } from "./decode.ts";
import { encodePacket } from "./encode.ts";
import { type Packet, PacketType, type Properties, type PublishPacket } from "./packet.ts";
import { packetBytes } from "./packet-bytes.test-data.ts";
import { readProperties } from "./properties.ts";
import { NO_SUBSCRIPTION_IDENTIFIERS, PublishEncoder, patchPacketId } from "./publish-encoder.ts";
import { copyForwardProperties } from "./publish-parts.ts";
import { callsOf, RecordingSink, rig, wideLimits } from "./recording-sink.test-data.ts";

/** What goes on to subscribers of a received PUBLISH. */
function forwarded({ topicAlias: _alias, messageExpiryInterval: _expiry, ...rest }: Properties): Properties {
  return rest;
}

const decoder = (sink: RecordingSink): PacketDecoder => {
  const made = new PacketDecoder({ role: "server", ...wideLimits }, sink);
  made.version = 5;
  return made;
};

/** Receives a PUBLISH, takes it apart as a broker would, and gives an encoder filled with the parts. */
function received(packet: PublishPacket): PublishEncoder {
  const encoder = new PublishEncoder();
  const sink = new RecordingSink();
  sink.publish = (view) => {
    const topic = view.topicEnd - view.topicStart;
    const payload = view.payloadEnd - view.payloadStart;
    const source = new Uint8Array(topic + view.forwardLength + payload + 3);
    source.set(view.bytes.subarray(view.topicStart, view.topicEnd), 1);
    const forwardEnd = copyForwardProperties(view, source, 1 + topic);
    expect(forwardEnd).toBe(1 + topic + view.forwardLength);
    source.set(view.bytes.subarray(view.payloadStart, view.payloadEnd), forwardEnd + 1);
    Object.assign(encoder, {
      source,
      topicStart: 1,
      topicEnd: 1 + topic,
      forwardStart: 1 + topic,
      forwardEnd,
      payloadStart: forwardEnd + 1,
      payloadEnd: forwardEnd + 1 + payload,
    });
    return true;
  };
  const bytes = encodePacket(packet, 5);
  decoder(sink).push(bytes, 0, bytes.length);
  return encoder;
}

/** The output between two guards, which must stay as they are. */
function written(encoder: PublishEncoder, version: 4 | 5): Uint8Array {
  const size = encoder.size(version);
  const out = new Uint8Array(size + 20).fill(0xee);
  expect(encoder.write(version, out, 10)).toBe(10 + size);
  expect(out.subarray(0, 10)).toEqual(new Uint8Array(10).fill(0xee));
  expect(out.subarray(10 + size)).toEqual(new Uint8Array(10).fill(0xee));
  return out.slice(10, 10 + size);
}

const publish: PublishPacket = {
  type: PacketType.PUBLISH,
  topic: "a/b",
  payload: Uint8Array.of(1, 2),
  qos: 0,
  retain: false,
  dup: false,
};

describe("PublishEncoder", () => {
  test("a received PUBLISH goes on with what the server adds", () => {
    const outgoing = fc.record({
      qos: fc.constantFrom<0 | 1 | 2>(0, 1, 2),
      retain: fc.boolean(),
      dup: fc.boolean(),
      packetId: fc.integer({ min: 1, max: 65_535 }),
      messageExpiry: fc.oneof(fc.constant(-1), fc.nat(4_294_967_295)),
      topicAlias: fc.nat(65_535),
      sendTopic: fc.boolean(),
      subscriptionIdentifiers: fc.array(fc.integer({ min: 1, max: 268_435_455 }), { maxLength: 3 }),
    });
    fc.assert(
      fc.property(
        propertiesOf(PacketType.PUBLISH, "client"),
        fc
          .string({ unit: "binary", minLength: 1, maxLength: 200 })
          .map((topic) => topic.replaceAll(/[\0+#]/g, "") || "/"),
        fc.uint8Array({ maxLength: 300 }),
        outgoing,
        (properties, topic, payload, out) => {
          const encoder = received({ ...publish, topic, payload, ...(properties ? { properties } : {}) });
          Object.assign(encoder, out, {
            dup: out.dup && out.qos > 0,
            sendTopic: out.sendTopic || out.topicAlias === 0,
          });
          const base: PublishPacket = {
            ...publish,
            topic,
            payload,
            qos: out.qos,
            retain: out.retain,
            dup: encoder.dup,
          };
          if (out.qos > 0) base.packetId = out.packetId;
          const expected: Properties = forwarded(properties ?? {});
          if (out.messageExpiry >= 0) expected.messageExpiryInterval = out.messageExpiry;
          if (out.topicAlias > 0) expected.topicAlias = out.topicAlias;
          if (out.subscriptionIdentifiers.length > 0) expected.subscriptionIdentifiers = out.subscriptionIdentifiers;
          const five: PublishPacket = { ...base, topic: encoder.sendTopic ? topic : "" };
          if (Object.keys(expected).length > 0) five.properties = expected;
          expect(callsOf(rig("client", 5, wideLimits), written(encoder, 5))).toEqual([{ packet: five }]);
          expect(written(encoder, 4)).toEqual(encodePacket(base, 4));
        },
      ),
      { numRuns: 500 },
    );
  });

  test("order: expiry, alias, subscription identifiers, then what is forwarded, as it came", () => {
    const bytes = packetBytes("30 L 'a' { 26 'k' 'v' 02 ##9 03 't' 23 #3 26 'a' 'b' } 'xy'");
    const sink = new RecordingSink();
    const forward = new Uint8Array(100);
    let end = 0;
    sink.publish = (view) => {
      end = copyForwardProperties(view, forward, 4);
      expect(end - 4).toBe(view.forwardLength);
      return true;
    };
    decoder(sink).push(bytes, 0, bytes.length);
    expect(forward.slice(4, end)).toEqual(packetBytes("26 'k' 'v' 03 't' 26 'a' 'b'"));
    expect(readProperties(forward, 4, end)).toEqual({
      contentType: "t",
      userProperties: [
        ["k", "v"],
        ["a", "b"],
      ],
    });
    const encoder = new PublishEncoder();
    const source = Uint8Array.from([...forward.slice(4, end), 0x61]);
    Object.assign(encoder, {
      source,
      topicStart: source.length - 1,
      topicEnd: source.length,
      forwardEnd: source.length - 1,
    });
    Object.assign(encoder, { messageExpiry: 7, topicAlias: 2, subscriptionIdentifiers: [300, 1] });
    expect(written(encoder, 5)).toEqual(
      packetBytes("30 L 'a' { 02 ##7 23 #2 0b ac 02 0b 01 26 'k' 'v' 03 't' 26 'a' 'b' }"),
    );
  });

  test("subscription identifiers a server sent are copied too", () => {
    const bytes = packetBytes("30 L 'a' { 0b ff 7f 23 #3 09 #2 01 02 01 01 } 'xy'");
    const sink = new RecordingSink();
    const forward = new Uint8Array(100);
    let end = 0;
    sink.publish = (view) => {
      end = copyForwardProperties(view, forward, 0);
      return true;
    };
    const client = new PacketDecoder({ role: "client", ...wideLimits }, sink);
    client.version = 5;
    client.push(bytes, 0, bytes.length);
    expect(forward.slice(0, end)).toEqual(packetBytes("0b ff 7f 09 #2 01 02 01 01"));
  });

  test("another topic in front, and properties behind, of one copy alone", () => {
    const encoder = received({ ...publish, properties: { userProperties: [["k", "v"]] } });
    const plain = [written(encoder, 4), written(encoder, 5)];
    encoder.topicPrefix = packetBytes("'$q/'").subarray(2);
    encoder.extra = packetBytes("26 'x' 'y' 26 'z' ''");
    encoder.extraLength = 7;
    expect(written(encoder, 5)).toEqual(packetBytes("30 L '$q/a/b' { 26 'k' 'v' 26 'x' 'y' } 01 02"));
    expect(written(encoder, 4)).toEqual(packetBytes("30 L '$q/a/b' 01 02"));
    // A known alias stands for the whole topic.
    Object.assign(encoder, { sendTopic: false, topicAlias: 3 });
    expect(written(encoder, 5)).toEqual(packetBytes("30 L '' { 23 #3 26 'k' 'v' 26 'x' 'y' } 01 02"));
    Object.assign(encoder, { sendTopic: true, topicAlias: 0, topicPrefix: new Uint8Array(0), extraLength: 0 });
    expect([written(encoder, 4), written(encoder, 5)]).toEqual(plain);
  });

  test("packetIdAt lets a copy be given another packet identifier", () => {
    const encoder = received(publish);
    const first = new Uint8Array(100);
    encoder.write(5, first, 3);
    expect(encoder.packetIdAt).toBe(0);
    encoder.qos = 1;
    encoder.packetId = 1;
    const end = encoder.write(5, first, 3);
    patchPacketId(first, encoder.packetIdAt, 0xabcd);
    const [call] = callsOf(rig("client", 5), first.slice(3, end));
    expect(call).toEqual({ packet: { ...publish, qos: 1, packetId: 0xabcd } });
  });

  test("starts with the shared empty list", () => {
    expect(new PublishEncoder().subscriptionIdentifiers).toBe(NO_SUBSCRIPTION_IDENTIFIERS);
    expect(NO_SUBSCRIPTION_IDENTIFIERS).toHaveLength(0);
  });
});

test("remaining lengths of one to four bytes", () => {
  for (const length of [0, 121, 122, 123, 16_377, 16_378, 16_379, 2_097_145, 2_097_146]) {
    const payload = new Uint8Array(length).fill(7);
    const encoder = received({ ...publish, payload });
    for (const version of [4, 5] as const) {
      const packet: Packet = { ...publish, payload };
      expect(Buffer.compare(written(encoder, version), encodePacket(packet, version))).toBe(0);
    }
  }
});
