import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { anySent } from "./arbitrary-packet.test-data.ts";
import { ClientDecoder } from "./client-decoder.ts";
import { encodeClientPacket } from "./client-encoder.ts";
import { encodePacket } from "./encode.ts";
import { failureCases } from "./failure-cases.test-data.ts";
import { type Packet, PacketType } from "./packet.ts";
import { packetCases } from "./packet-cases.test-data.ts";
import { callsOf, rig, wideLimits } from "./recording-sink.test-data.ts";

interface Seen {
  readonly packets: Packet[];
  readonly failures: { readonly reasonCode: number; readonly reason: string }[];
}

function decoder(maxPacketSize: number = 1 << 22): Seen & { push(bytes: Uint8Array): void } {
  const seen: Seen = { packets: [], failures: [] };
  const decoding = new ClientDecoder(maxPacketSize, {
    packet: (packet) => seen.packets.push(packet) > 0,
    failed: (reasonCode, reason) => void seen.failures.push({ reasonCode, reason }),
  });
  return { ...seen, push: (bytes) => decoding.push(bytes, 0, bytes.length) };
}

/** No alias is announced, and enhanced authentication not begun: servers send neither. */
const isExpected = (packet: Packet): boolean =>
  packet.type !== PacketType.AUTH && !(packet.type === PacketType.PUBLISH && packet.topic === "");

const toClients = packetCases.filter(
  ({ role, version, packet }) => role === "client" && version === 5 && isExpected(packet),
);

describe("what servers send", () => {
  test.each(toClients)("$name", ({ bytes, packet }) => {
    const { push, packets, failures } = decoder();
    push(bytes);
    expect(packets).toEqual([packet]);
    expect(failures).toEqual([]);
  });

  test.each(toClients)("$name, in pieces of any size", ({ bytes, packet }) => {
    for (let size = 1; size < bytes.length; size++) {
      const { push, packets } = decoder();
      for (let at = 0; at < bytes.length; at += size) push(bytes.slice(at, at + size));
      expect(packets).toEqual([packet]);
    }
  });

  test("is decoded as the full decoder does it", () => {
    const sent = anySent.filter(
      ({ sender, version, packet }) => sender === "server" && version === 5 && isExpected(packet),
    );
    fc.assert(
      fc.property(sent, ({ packet }) => {
        const { push, packets } = decoder();
        push(encodePacket(packet, 5));
        expect(packets).toEqual([packet]);
      }),
      { numRuns: 1500 },
    );
  });
});

/** What the small decoder lets pass, because a client is not harmed by it: rules about who may say what where. */
const tolerated: ReadonlySet<string> = new Set([
  "CONNACK with session and error",
  "CONNACK with an unknown code",
  "CONNACK with a will property",
  "SUBACK with a code of UNSUBACK",
  "UNSUBACK with a code of SUBACK",
  "DISCONNECT with Session Expiry Interval",
  "DISCONNECT with a client's code",
  "Subscription Identifier 0",
]);

describe("what servers must not send", () => {
  const cases = failureCases.filter(({ role, version }) => role === "client" && version === 5);
  test.each(cases)("$name", ({ name, bytes }) => {
    const { push, packets, failures } = decoder(4096);
    push(bytes);
    push(new Uint8Array([0xd0, 0]));
    if (tolerated.has(name)) expect(failures).toEqual([]);
    else expect([packets, failures.length]).toEqual([[], 1]);
  });

  test("a packet too large is refused by its declared length", () => {
    const { push, failures } = decoder(100);
    push(new Uint8Array([0x30, 0x64]));
    expect(failures).toMatchObject([{ reasonCode: 0x95 }]);
  });

  test("bytes of any kind never throw, and nothing is decoded after a failure", () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 6 }), (chunks) => {
        const seen = decoder();
        for (const chunk of chunks) {
          const before = seen.packets.length;
          const failed = seen.failures.length > 0;
          seen.push(chunk);
          if (failed) expect(seen.packets.length).toBe(before);
        }
        expect(seen.failures.length).toBeLessThanOrEqual(1);
      }),
      { numRuns: 3000 },
    );
  });

  test("one changed byte never throws", () => {
    fc.assert(
      fc.property(fc.constantFrom(...toClients), fc.nat(), fc.nat(255), ({ bytes }, at, value) => {
        const changed = bytes.slice();
        changed[at % changed.length] = value;
        decoder().push(changed);
      }),
      { numRuns: 3000 },
    );
  });
});

describe("what clients send", () => {
  const byClients = [PacketType.CONNECT, PacketType.PUBLISH, PacketType.SUBSCRIBE, PacketType.UNSUBSCRIBE];
  const types: ReadonlySet<number> = new Set([...byClients, PacketType.DISCONNECT, PacketType.PINGREQ]);

  test("is understood by the full decoder", () => {
    const sent = anySent.filter(
      ({ sender, version, packet }) => sender === "client" && version === 5 && types.has(packet.type),
    );
    fc.assert(
      fc.property(sent, ({ packet }) => {
        const bytes = encodeClientPacket(packet, 1 << 22);
        expect(
          callsOf(rig("server", packet.type === PacketType.CONNECT ? 0 : 5, wideLimits), bytes ?? new Uint8Array()),
        ).toEqual([{ packet }]);
        const size = bytes?.length ?? 0;
        expect(encodeClientPacket(packet, size - 1)).toBeUndefined();
        expect(encodeClientPacket(packet, size)?.length).toBe(size);
      }),
      { numRuns: 1500 },
    );
  });

  test("cannot hold what the format cannot carry", () => {
    const publish = {
      type: PacketType.PUBLISH,
      qos: 0,
      retain: false,
      dup: false,
      payload: new Uint8Array(0),
    } as const;
    expect(() => encodeClientPacket({ ...publish, topic: "a\0" }, 1000)).toThrow(RangeError);
    expect(() => encodeClientPacket({ ...publish, topic: "x".repeat(65_536) }, 100_000)).toThrow(RangeError);
    expect(() => encodeClientPacket({ type: PacketType.PINGRESP }, 1000)).toThrow(RangeError);
  });
});
