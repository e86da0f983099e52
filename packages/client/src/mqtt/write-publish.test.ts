import { encodePacket, PacketType, type ProtocolVersion } from "@mess/wire";
import fc from "fast-check";
import { expect, it } from "vitest";
import { OutputBuffer } from "./output-buffer.ts";
import { writePublish } from "./write-publish.ts";

it("writes what the general encoder writes, or nothing when it is too large", () => {
  const publish = fc.record({
    topic: fc.string({ unit: "grapheme", minLength: 1, maxLength: 200 }).filter((text) => !/[+#\0]/u.test(text)),
    payload: fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc.constantFrom(127, 128, 16_383, 16_384).map((size) => new Uint8Array(size)),
    ),
    qos: fc.constantFrom(0, 1, 2),
    retain: fc.boolean(),
  });
  fc.assert(
    fc.property(
      publish,
      fc.integer({ min: 1, max: 65_535 }),
      fc.constantFrom<ProtocolVersion>(4, 5),
      (packet, packetId, version) => {
        const { qos } = packet;
        const expected = encodePacket(
          { type: PacketType.PUBLISH, dup: false, ...packet, ...(qos > 0 && { packetId }) },
          version,
        );
        const output = new OutputBuffer();
        expect(writePublish(output, packet, packetId, { version, maximumPacketSize: expected.length - 1 })).toBe(false);
        expect(output.length).toBe(0);
        expect(writePublish(output, packet, packetId, { version, maximumPacketSize: expected.length })).toBe(true);
        expect(Buffer.from(output.take()).equals(expected)).toBe(true);
      },
    ),
  );
});
