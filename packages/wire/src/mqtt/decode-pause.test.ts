import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { encodePacket } from "./encode.ts";
import { type Packet, PacketType } from "./packet.ts";
import { callsOf, rig } from "./recording-sink.test-data.ts";

const connect: Packet = { type: PacketType.CONNECT, version: 5, cleanStart: true, keepAlive: 9, clientId: "c" };
const ping: Packet = { type: PacketType.PINGREQ };
const bytesOf = (...packets: Packet[]): Uint8Array => Buffer.concat(packets.map((packet) => encodePacket(packet, 5)));

describe("a decoder that its sink has paused", () => {
  test("stops behind the packet, says where, and takes up there", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60), { maxLength: 6 }), (cuts) => {
        const { decoder, sink } = rig("server", 0);
        const { packet } = sink;
        sink.packet = (decoded) => {
          if (decoded.type === PacketType.CONNECT) decoder.pause();
          return packet.call(sink, decoded);
        };
        const first = bytesOf(connect).length;
        const all = bytesOf(connect, ping, ping);
        const ends = [...cuts.map((cut) => cut % all.length), all.length].sort((a, b) => a - b);
        const kept: number[] = [];
        let from = 0;
        for (const end of ends) {
          const at = decoder.push(all, from, end);
          expect(at).toBe(Math.min(end, Math.max(first, from)));
          for (let index = at; index < end; index++) kept.push(all[index] as number);
          from = end;
        }
        expect(sink.calls).toEqual([{ packet: connect }]);
        decoder.goOn();
        decoder.push(Uint8Array.from(kept), 0, kept.length);
        expect(sink.calls).toEqual([{ packet: connect }, { packet: ping }, { packet: ping }]);
      }),
    );
  });

  test("one that has stopped for good does not go on", () => {
    const { decoder, sink } = rig("server", 0);
    sink.packet = (packet) => {
      sink.calls.push({ packet });
      decoder.pause();
      return false;
    };
    callsOf({ decoder, sink }, bytesOf(connect, ping));
    decoder.goOn();
    expect(callsOf({ decoder, sink }, bytesOf(ping))).toEqual([{ packet: connect }]);
  });
});

describe("[MQTT-3.1.2-30] while the client authenticates", () => {
  const auth: Packet = { type: PacketType.AUTH, reasonCode: 0x18, properties: { authenticationMethod: "m" } };
  const goodbye: Packet = { type: PacketType.DISCONNECT, reasonCode: 0 };

  test.each([auth, goodbye])("packet type $type comes through", (packet) => {
    const { decoder, sink } = rig("server", 5);
    decoder.authenticating = true;
    expect(callsOf({ decoder, sink }, bytesOf(packet))).toEqual([{ packet }]);
  });

  test("every other type is a protocol error at its first byte, and is none afterwards", () => {
    for (let type = 1; type <= 15; type++) {
      if (type === PacketType.AUTH || type === PacketType.DISCONNECT) continue;
      const { decoder, sink } = rig("server", 5);
      decoder.authenticating = true;
      const flags = type === 6 || type === 8 || type === 10 ? 2 : 0;
      callsOf({ decoder, sink }, Uint8Array.from([(type << 4) | flags]));
      expect(sink.calls).toEqual([{ failure: expect.objectContaining({ reasonCode: 0x82, packetType: type }) }]);
    }
    const { decoder, sink } = rig("server", 5);
    decoder.authenticating = true;
    decoder.authenticating = false;
    expect(callsOf({ decoder, sink }, bytesOf(ping))).toEqual([{ packet: ping }]);
  });
});
