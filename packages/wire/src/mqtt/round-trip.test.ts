import fc from "fast-check";
import { expect, test } from "vitest";
import { anySent, type Sent } from "./arbitrary-packet.test-data.ts";
import { encodePacket } from "./encode.ts";
import { type AckPacket, type Packet, PacketType } from "./packet.ts";
import { callsOf, rig, versionBefore, wideLimits } from "./recording-sink.test-data.ts";

function decoded({ sender, version, packet }: Sent): unknown {
  const role = sender === "client" ? "server" : "client";
  return callsOf(rig(role, versionBefore(packet.type, version), wideLimits), encodePacket(packet, version));
}

/** Properties of an ack that says none come as none. */
function asDecoded(packet: Packet): Packet {
  if (packet.type < PacketType.PUBACK || packet.type > PacketType.PUBCOMP) return packet;
  const { properties, ...rest } = packet as AckPacket;
  return properties === undefined || Object.keys(properties).length === 0 ? rest : packet;
}

test("what is encoded is decoded as the same packet", () => {
  fc.assert(
    fc.property(anySent, (sent) => {
      expect(decoded(sent)).toEqual([{ packet: asDecoded(sent.packet) }]);
    }),
    { numRuns: 3000 },
  );
});

test("any number of packets in any pieces", () => {
  const pieces = fc.array(fc.integer({ min: 1, max: 200 }), { minLength: 1, maxLength: 30 });
  const streams = fc.array(anySent, { minLength: 1, maxLength: 12 });
  fc.assert(
    fc.property(streams, pieces, (all, sizes) => {
      const first = all[0] as Sent;
      const mine = all.filter((sent) => sent.sender === first.sender && sent.version === first.version);
      const running = mine.filter((sent) => sent.packet.type !== PacketType.CONNECT);
      const bytes = Uint8Array.from(running.flatMap(({ packet, version }) => [...encodePacket(packet, version)]));
      const { decoder, sink } = rig(first.sender === "client" ? "server" : "client", first.version, wideLimits);
      let at = 0;
      for (let turn = 0; at < bytes.length; turn++) {
        const end = Math.min(bytes.length, at + (sizes[turn % sizes.length] as number));
        decoder.push(bytes, at, end);
        at = end;
      }
      expect(sink.calls).toEqual(running.map(({ packet }) => ({ packet: asDecoded(packet) })));
    }),
    { numRuns: 300 },
  );
});
