import { describe, expect, test } from "vitest";
import { PacketDecoder } from "./decode.ts";
import { failureCases } from "./failure-cases.test-data.ts";
import { PacketType } from "./packet.ts";
import { packetBytes } from "./packet-bytes.test-data.ts";
import { packetCases } from "./packet-cases.test-data.ts";
import { publishPacketOf } from "./publish-parts.ts";
import type { PublishView } from "./publish-view.ts";
import { callsOf, RecordingSink, rig, smallLimits, versionBefore } from "./recording-sink.test-data.ts";

describe("legal packets", () => {
  test.each(packetCases)("$role $version: $name", ({ role, version, bytes, packet }) => {
    const { decoder, sink } = rig(role, versionBefore(packet.type, version));
    decoder.push(bytes, 0, bytes.length);
    expect(sink.calls).toEqual([{ packet }]);
    expect(decoder.version).toBe(version);
    expect(decoder.bufferedBytes).toBe(0);
  });
});

describe("illegal packets", () => {
  test.each(failureCases)("$role $version: $name", ({ role, version, bytes, reasonCode, packetId }) => {
    const { decoder, sink } = rig(role, version);
    decoder.push(bytes, 0, bytes.length);
    decoder.push(packetBytes("c0 00"), 0, 2);
    expect(sink.calls).toEqual([
      { failure: expect.objectContaining({ reasonCode, packetId, packetType: (bytes[0] as number) >>> 4 }) },
    ]);
    const [call] = sink.calls;
    expect(call && "failure" in call && call.failure.reason).toMatch(/^[A-Z].*\.$/);
    expect(decoder.bufferedBytes).toBe(0);
  });

  test("a failing CONNECT names its level, so that it can be answered in its format", () => {
    const level = (text: string): unknown => {
      const [call] = callsOf(rig("server", 0), packetBytes(text));
      return call && "failure" in call ? call.failure.protocolLevel : undefined;
    };
    expect(level("10 L 'MQTT' 05 02 #60 { 21 #0 } 'c'")).toBe(5);
    expect(level("10 L 'MQTT' 04 03 #60 'c'")).toBe(4);
    expect(level("10 L 'MQTT' 06 02 #60 'c'")).toBe(6);
    expect(level("10 L 'MQIsdp' 03 02 #60 'c'")).toBe(3);
    expect(level("10 L 'HTTP' 04 02 #60 'c'")).toBe(0);
    expect(level("10 00")).toBe(0);
  });
});

describe("split positions", () => {
  const all = [
    ...packetCases.map((item) => ({ ...item, version: versionBefore(item.packet.type, item.version) })),
    ...failureCases,
  ];

  test("every packet in two pieces, at every position", () => {
    for (const { role, version, bytes, name } of all) {
      const whole = callsOf(rig(role, version), bytes);
      for (let position = 0; position <= bytes.length; position++) {
        const { decoder, sink } = rig(role, version);
        // Another buffer for each piece, overwritten afterwards: nothing may be kept by reference.
        for (const [from, to] of [
          [0, position],
          [position, bytes.length],
        ] as const) {
          const piece = bytes.slice(from, to);
          decoder.push(piece, 0, piece.length);
          piece.fill(0xff);
        }
        expect(sink.calls, `${name} split at ${position}`).toEqual(whole);
      }
    }
  });

  test("every packet byte by byte, between two others", () => {
    const ping = { server: packetBytes("c0 00"), client: packetBytes("d0 00") };
    for (const { role, version, bytes, name } of all) {
      const first = version === 0 ? [] : [...ping[role]];
      const stream = Uint8Array.from([...first, ...bytes, ...ping[role]]);
      const whole = callsOf(rig(role, version), stream);
      const { decoder, sink } = rig(role, version);
      for (let at = 0; at < stream.length; at++) decoder.push(stream, at, at + 1);
      expect(sink.calls, name).toEqual(whole);
    }
  });

  test("a stream of all packets, in pieces of every size up to 40", () => {
    for (const role of ["server", "client"] as const) {
      const mine = packetCases.filter((item) => item.role === role && item.version === 5);
      const ordered = mine.filter((item) => item.packet.type !== PacketType.CONNECT);
      const stream = Uint8Array.from(ordered.flatMap((item) => [...item.bytes]));
      const whole = callsOf(rig(role, 5), stream);
      expect(whole).toHaveLength(ordered.length);
      for (let size = 1; size <= 40; size++) {
        const { decoder, sink } = rig(role, 5);
        for (let at = 0; at < stream.length; at += size) decoder.push(stream, at, Math.min(at + size, stream.length));
        expect(sink.calls).toEqual(whole);
      }
    }
  });
});

describe("before anything is kept", () => {
  test("the declared length is judged as soon as it is known", () => {
    const { decoder, sink } = rig("server", 0);
    for (const byte of [0x10, 0xff, 0xff, 0xff]) decoder.push(Uint8Array.of(byte), 0, 1);
    expect(sink.calls).toEqual([]);
    expect(decoder.bufferedBytes).toBe(4);
    decoder.push(Uint8Array.of(0x7f), 0, 1);
    expect(sink.calls).toHaveLength(1);
    expect(decoder.bufferedBytes).toBe(0);
  });

  test("an illegal first byte fails at once", () => {
    for (const byte of [0x00, 0x11, 0x20, 0x30, 0xc0, 0xff]) {
      expect(callsOf(rig("server", 0), Uint8Array.of(byte))).toHaveLength(1);
    }
  });

  test("every first byte, both roles, all versions: refused at once or waited for", () => {
    const legal = (role: "server" | "client", version: 0 | 4 | 5): number[] => {
      const bytes = Array.from({ length: 256 }, (_, byte) => byte);
      return bytes.filter((byte) => callsOf(rig(role, version), Uint8Array.of(byte)).length === 0);
    };
    const publish = [0x30, 0x31, 0x32, 0x33, 0x34, 0x35, 0x3a, 0x3b, 0x3c, 0x3d];
    const acks = [0x40, 0x50, 0x62, 0x70];
    expect(legal("server", 0)).toEqual([0x10]);
    expect(legal("server", 4)).toEqual([...publish, ...acks, 0x82, 0xa2, 0xc0, 0xe0]);
    expect(legal("server", 5)).toEqual([...publish, ...acks, 0x82, 0xa2, 0xc0, 0xe0, 0xf0]);
    expect(legal("client", 0)).toEqual([]);
    expect(legal("client", 4)).toEqual([0x20, ...publish, ...acks, 0x90, 0xb0, 0xd0]);
    expect(legal("client", 5)).toEqual([0x20, ...publish, ...acks, 0x90, 0xb0, 0xd0, 0xe0, 0xf0]);
  });

  test("the limit counts the whole packet and may be raised", () => {
    const packet = packetBytes(`30 L 'a' "1234567"`);
    expect(packet.length).toBe(12);
    const over = rig("server", 4, { ...smallLimits, maxPacketSize: 11 });
    expect(callsOf(over, packet)).toEqual([{ failure: expect.objectContaining({ reasonCode: 0x95 }) }]);
    const raised = rig("server", 4, { ...smallLimits, maxPacketSize: 11 });
    raised.decoder.maxPacketSize = 12;
    expect(callsOf(raised, packet)).toEqual([{ packet: expect.objectContaining({ topic: "a" }) }]);
  });

  test("memory follows what arrived, not what was declared", () => {
    const { decoder, sink } = rig("server", 4, { ...smallLimits, maxPacketSize: 1 << 20 });
    const allocated: number[] = [];
    const Original = globalThis.Uint8Array;
    const header = packetBytes(`30 f0 ff 3f 'a'`); // declares 1 MiB less 15
    const piece = new Uint8Array(1000);
    class Counting extends Original {
      constructor(length: number) {
        super(length);
        allocated.push(length);
      }
    }
    globalThis.Uint8Array = Counting as unknown as typeof Original;
    try {
      decoder.push(header, 0, header.length);
      for (let index = 0; index < 10; index++) decoder.push(piece, 0, piece.length);
    } finally {
      globalThis.Uint8Array = Original;
    }
    expect(decoder.expectedBytes).toBe(1_048_560 + 4);
    expect(decoder.bufferedBytes).toBe(header.length + 10_000);
    expect(Math.max(...allocated)).toBeLessThanOrEqual(2 * 10_000 + 1000);
    expect(allocated.length).toBeLessThan(10);
    for (let sent = 10_000; sent < 1_048_560 - 3; sent += 1000) {
      decoder.push(piece, 0, Math.min(1000, 1_048_560 - 3 - sent));
    }
    expect(sink.calls).toHaveLength(1);
    expect(decoder.bufferedBytes).toBe(0);
    expect(decoder.expectedBytes).toBe(0);
  });
});

describe("the sink", () => {
  test("returning false stops the decoder for good", () => {
    for (const split of [0, 1, 3, 4, 5]) {
      const { decoder, sink } = rig("server", 5);
      sink.stopAt = 1;
      const bytes = packetBytes("40 02 00 01 c0 00 40 02 00 02");
      decoder.push(bytes, 0, split);
      decoder.push(bytes, split, bytes.length);
      expect(sink.calls).toHaveLength(1);
      expect(decoder.bufferedBytes).toBe(0);
    }
  });

  test("CONNECT sets the version before the sink sees it, and what follows is read by it", () => {
    const bytes = Uint8Array.from([
      ...packetBytes("10 L 'MQTT' 05 02 #60 { } 'c'"),
      ...packetBytes(`30 L 'a' { } "x"`),
    ]);
    const { decoder, sink } = rig("server", 0);
    decoder.push(bytes, 0, bytes.length);
    expect(decoder.version).toBe(5);
    expect(sink.calls).toHaveLength(2);
    expect(sink.calls[1]).toEqual({ packet: expect.objectContaining({ topic: "a", payload: Uint8Array.of(0x78) }) });
  });

  test("packets own their bytes", () => {
    const bytes = packetBytes("10 L 'MQTT' 05 c6 #60 { 15 'm' 16 'dd' } 'c' { 09 'cc' } 'w' 'pp' 'u' 'ss'");
    for (const buffer of [bytes, Buffer.from(bytes)]) {
      const [call] = callsOf(rig("server", 0), buffer);
      const before = structuredClone(call);
      buffer.fill(0);
      expect(call).toEqual(before);
    }
  });
});

describe("the view of a PUBLISH", () => {
  function views(version: 4 | 5, texts: string[]): Partial<PublishView>[] {
    const seen: Partial<PublishView>[] = [];
    const sink = new RecordingSink();
    sink.publish = (view) => {
      const { packetStart, packetEnd, sameTopic, topicAlias, messageExpiry, forwardLength, reservedLength } = view;
      expect(view.bytes.subarray(packetStart, packetEnd)).toEqual(packetBytes(texts[seen.length] as string));
      expect(publishPacketOf(view).payload).toEqual(view.bytes.slice(view.payloadStart, view.payloadEnd));
      seen.push({ sameTopic, topicAlias, messageExpiry, forwardLength, reservedLength });
      return true;
    };
    const decoder = new PacketDecoder({ role: "server", ...smallLimits }, sink);
    decoder.version = version;
    const stream = Uint8Array.from(texts.flatMap((text) => [...packetBytes(text)]));
    decoder.push(stream, 0, stream.length);
    expect(sink.calls).toEqual([]);
    return seen;
  }

  test("sameTopic compares with the PUBLISH just before", () => {
    const long = "x".repeat(300);
    const texts = [
      "30 L 'a/b'",
      "32 L 'a/b' #1",
      "30 L 'a/c'",
      "30 L 'a/'",
      "30 L 'a/'",
      `30 L '${long}'`,
      `30 L '${long}'`,
    ];
    expect(views(4, [...texts, "30 L 'a/'"]).map((view) => view.sameTopic)).toEqual([
      false,
      true,
      false,
      false,
      true,
      false,
      false,
      false,
    ]);
    const aliased = [
      "30 L 'a' { }",
      "30 L '' { 23 #1 }",
      "30 L 'a' { }",
      "30 L 'a' { }",
      "30 L '' { 23 #1 }",
      "30 L '' { 23 #1 }",
    ];
    expect(views(5, aliased).map((view) => view.sameTopic)).toEqual([false, false, false, true, false, false]);
  });

  test("properties as numbers; nothing is left over from the packet before", () => {
    expect(
      views(5, [
        "30 L 'a' { 02 ##4294967295 23 #10 01 01 26 'k' 'v' }",
        "30 L 'a' { }",
        "30 L 'a' { 03 't' }",
        "30 L 'a' { 02 ##0 }",
        "30 L 'a' { 26 'mess-x' 'v' 26 'mess' '-' 26 'mess-' '' }",
        "30 L 'a' { }",
      ]),
    ).toEqual([
      { sameTopic: false, topicAlias: 10, messageExpiry: 4_294_967_295, forwardLength: 2 + 7, reservedLength: 0 },
      { sameTopic: true, topicAlias: 0, messageExpiry: -1, forwardLength: 0, reservedLength: 0 },
      { sameTopic: true, topicAlias: 0, messageExpiry: -1, forwardLength: 4, reservedLength: 0 },
      { sameTopic: true, topicAlias: 0, messageExpiry: 0, forwardLength: 0, reservedLength: 0 },
      { sameTopic: true, topicAlias: 0, messageExpiry: -1, forwardLength: 10, reservedLength: 12 + 10 },
      { sameTopic: true, topicAlias: 0, messageExpiry: -1, forwardLength: 0, reservedLength: 0 },
    ]);
  });

  test("nothing is kept of a packet after the call", () => {
    let kept: PublishView | undefined;
    const sink = new RecordingSink();
    sink.publish = (view) => {
      kept = view;
      return true;
    };
    const decoder = new PacketDecoder({ role: "server", ...smallLimits }, sink);
    decoder.version = 4;
    const bytes = packetBytes(`30 L 'a' "x"`);
    decoder.push(bytes, 0, bytes.length);
    expect(kept?.bytes).toHaveLength(0);
  });

  test("without a Topic Alias Maximum no alias is accepted", () => {
    const { topicAliasMax: _, ...limits } = smallLimits;
    const calls = callsOf(rig("server", 5, limits), packetBytes("30 L 'a' { 23 #1 }"));
    expect(calls).toEqual([{ failure: expect.objectContaining({ reasonCode: 0x94 }) }]);
  });
});
