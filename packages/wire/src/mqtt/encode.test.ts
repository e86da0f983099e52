import { describe, expect, test } from "vitest";
import { ACK_BYTES_MAX, writeAck } from "./ack-encoder.ts";
import { encodePacket, encodePacketWithin } from "./encode.ts";
import type { Packet, ProtocolVersion } from "./packet.ts";
import { PacketType } from "./packet.ts";
import { packetBytes } from "./packet-bytes.test-data.ts";
import { packetCases } from "./packet-cases.test-data.ts";

describe("the table of packets", () => {
  test.each(packetCases.filter((item) => item.canonical))("$role $version: $name", ({ version, packet, bytes }) => {
    expect(encodePacket(packet, version)).toEqual(bytes);
  });

  test.each(packetCases.filter((item) => !item.canonical))("shorter or sorted, $name", ({ version, packet, bytes }) => {
    expect(encodePacket(packet, version).length).toBeLessThanOrEqual(bytes.length);
  });
});

describe("3.1.1 gets what it can carry", () => {
  test("properties and codes stay away", () => {
    const properties = { reasonString: "r" };
    const hex = (packet: Packet): string => Buffer.from(encodePacket(packet, 4)).toString("hex");
    expect(hex({ type: 2, sessionPresent: false, reasonCode: 0x87, properties })).toBe("20020005");
    expect(hex({ type: 2, sessionPresent: true, reasonCode: 0x97 })).toBe("20020003");
    expect(hex({ type: 9, packetId: 1, reasonCodes: [1, 0x87, 0x8f], properties })).toBe("90050001018080");
    expect(hex({ type: 11, packetId: 1, reasonCodes: [0, 0x11] })).toBe("b0020001");
    expect(hex({ type: 4, packetId: 1, reasonCode: 0x97, properties })).toBe("40020001");
    expect(hex({ type: 14, reasonCode: 0x8e, properties })).toBe("e000");
  });

  test("a CONNECT is written in its own version", () => {
    const connect: Packet = { type: 1, version: 5, cleanStart: false, keepAlive: 0, clientId: "" };
    expect(encodePacket(connect, 4)).toEqual(packetBytes("10 L 'MQTT' 05 00 #0 { } ''"));
  });
});

describe("what the format cannot carry", () => {
  const publish = {
    type: PacketType.PUBLISH,
    topic: "a",
    payload: new Uint8Array(0),
    qos: 0,
    retain: false,
    dup: false,
  } as const;
  const connect = { type: PacketType.CONNECT, version: 4, cleanStart: true, keepAlive: 0, clientId: "" } as const;
  const cases: [Packet, ProtocolVersion, RegExp][] = [
    [{ ...publish, topic: "a/+" }, 4, /topic name must not contain the wildcards/],
    [{ ...publish, topic: "" }, 5, /topic name must have at least one character/],
    [{ ...publish, topic: "", properties: { topicAlias: 1 } }, 4, /topic name must have at least one character/],
    [{ ...publish, topic: "a\0b" }, 5, /topic name must not contain U\+0000/],
    [{ ...publish, topic: "x".repeat(65_536) }, 5, /topic name is longer than 65535/],
    [{ ...publish, dup: true }, 4, /DUP/],
    [{ ...publish, qos: 1 }, 4, /packet identifier/],
    [{ ...publish, qos: 1, packetId: 0 }, 4, /packet identifier/],
    [{ ...publish, qos: 2, packetId: 65_536 }, 5, /packet identifier must be an integer from 0 to 65535/],
    [{ ...publish, properties: { topicAlias: 0 } }, 5, /Topic Alias must not be 0/],
    [{ ...publish, properties: { messageExpiryInterval: -1 } }, 5, /Message Expiry Interval must be an integer/],
    [{ ...publish, properties: { messageExpiryInterval: 1.5 } }, 5, /Message Expiry Interval must be an integer/],
    [{ ...publish, properties: { payloadFormatIndicator: 2 as 1 } }, 5, /Payload Format Indicator must be 0 or 1/],
    [{ ...publish, properties: { receiveMaximum: 1 } }, 5, /Receive Maximum is not allowed/],
    [{ ...publish, properties: { subscriptionIdentifiers: [0] } }, 5, /Subscription Identifier must not be 0/],
    [{ ...publish, properties: { subscriptionIdentifiers: [268_435_456] } }, 5, /Subscription Identifier must be/],
    [{ ...publish, properties: { correlationData: new Uint8Array(65_536) } }, 5, /Correlation Data is longer/],
    [{ ...publish, properties: { userProperties: [["k", "\0"]] } }, 5, /User Property value must not/],
    [{ ...connect, keepAlive: 65_536 }, 4, /keep alive/],
    [{ ...connect, password: new Uint8Array(1) }, 4, /password without a user name/],
    [{ ...connect, will: { topic: "", payload: new Uint8Array(0), qos: 0, retain: false } }, 4, /will topic/],
    [{ ...connect, will: { topic: "#", payload: new Uint8Array(0), qos: 0, retain: false } }, 4, /will topic/],
    [{ ...connect, will: { topic: "a", payload: new Uint8Array(65_536), qos: 0, retain: false } }, 4, /will payload/],
    [{ type: 8, packetId: 1, subscriptions: [] }, 4, /at least one topic filter/],
    [{ type: 10, packetId: 1, filters: [] }, 5, /at least one topic filter/],
    [{ type: 10, packetId: 1, filters: [""] }, 5, /topic filter must have at least one character/],
    [{ type: 10, packetId: 1, filters: ["a"], properties: { subscriptionIdentifiers: [1] } }, 5, /not allowed/],
    [
      { type: 8, packetId: 1, subscriptions: [], properties: { subscriptionIdentifiers: [1, 2] } },
      5,
      /one Subscription/,
    ],
    [{ type: 9, packetId: 1, reasonCodes: [] }, 5, /SUBACK must have at least one reason code/],
    [{ type: 15, reasonCode: 0 }, 4, /AUTH does not exist/],
  ];
  test.each(cases)("%j in version %i", (packet, version, message) => {
    expect(() => encodePacket(packet, version)).toThrow(RangeError);
    expect(() => encodePacket(packet, version)).toThrow(message);
  });
});

describe("encodePacketWithin", () => {
  const puback: Packet = {
    type: PacketType.PUBACK,
    packetId: 1,
    reasonCode: 0x87,
    properties: { reasonString: "because", userProperties: [["k", "v"]] },
  };
  const full = "40 L #1 87 { 1f 'because' 26 'k' 'v' }";
  const short = "40 L #1 87 { 26 'k' 'v' }";
  const bare = "40 L #1 87";

  test("leaves out the Reason String, then the User Properties, then gives up", () => {
    for (const [text, next] of [
      [full, short],
      [short, bare],
      [bare, undefined],
    ] as const) {
      const bytes = packetBytes(text);
      expect(encodePacketWithin(puback, 5, bytes.length)).toEqual(bytes);
      expect(encodePacketWithin(puback, 5, bytes.length - 1)).toEqual(next && packetBytes(next));
    }
    expect(puback.properties).toEqual({ reasonString: "because", userProperties: [["k", "v"]] });
  });

  test("properties that are not for leaving out stay", () => {
    const connack: Packet = {
      type: 2,
      sessionPresent: false,
      reasonCode: 0,
      properties: { reasonString: "r", serverKeepAlive: 5 },
    };
    expect(encodePacketWithin(connack, 5, 9)).toEqual(packetBytes("20 L 00 00 { 13 #5 }"));
    expect(encodePacketWithin(connack, 5, 7)).toBeUndefined();
  });

  test("a packet that cannot be shortened", () => {
    expect(encodePacketWithin({ type: PacketType.PINGRESP }, 5, 2)).toEqual(packetBytes("d0 00"));
    expect(encodePacketWithin({ type: PacketType.PINGRESP }, 5, 1)).toBeUndefined();
    expect(encodePacketWithin({ type: PacketType.DISCONNECT, reasonCode: 0x8e }, 5, 2)).toBeUndefined();
    expect(encodePacketWithin({ ...puback, properties: { userProperties: [["k", "v"]] } }, 5, 5)).toEqual(
      packetBytes(bare),
    );
    // 3.1.1 has nothing to leave out.
    expect(encodePacketWithin(puback, 4, 4)).toEqual(packetBytes("40 L #1"));
    expect(encodePacketWithin(puback, 4, 3)).toBeUndefined();
  });

  test("a PUBLISH is never changed", () => {
    const publish: Packet = {
      type: PacketType.PUBLISH,
      topic: "a",
      payload: new Uint8Array(10),
      qos: 0,
      retain: false,
      dup: false,
      properties: { userProperties: [["k", "v"]] },
    };
    const { length } = encodePacket(publish, 5);
    expect(encodePacketWithin(publish, 5, length)).toEqual(encodePacket(publish, 5));
    expect(encodePacketWithin(publish, 5, length - 1)).toBeUndefined();
  });
});

test("writeAck writes what encodePacket writes", () => {
  for (const version of [4, 5] as const) {
    for (const type of [PacketType.PUBACK, PacketType.PUBREC, PacketType.PUBREL, PacketType.PUBCOMP] as const) {
      for (const reasonCode of [0, 0x92]) {
        const out = new Uint8Array(ACK_BYTES_MAX + 2);
        const end = writeAck(out, 1, version, type, 0xfe01, reasonCode);
        expect(out.slice(1, end)).toEqual(encodePacket({ type, packetId: 0xfe01, reasonCode }, version));
      }
    }
  }
});
