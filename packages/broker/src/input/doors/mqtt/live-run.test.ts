import { encodePacket, PacketType, type PublishPacket } from "@mess/wire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { noExpiry } from "../../../model/message.ts";
import { canonicalPublish } from "./deliver.ts";
import { eachMessage } from "./live-run.ts";

type Seen = { topic: string; payload: string; expiry: number; headers: number };

function walk(bytes: Buffer, start: number, end: number, version: 4 | 5): Seen[] {
  const seen: Seen[] = [];
  eachMessage({ bytes, start, end, count: 0 }, version, (message) => {
    seen.push({
      topic: message.topic,
      payload: message.bytes.toString("utf8", message.payloadStart, message.payloadEnd),
      expiry: message.expirySeconds,
      headers: message.headerEnd - message.headerStart,
    });
  });
  return seen;
}

const text = fc.string({ unit: "grapheme", maxLength: 200 });

test("the walker finds every packet of a run, in both versions", () => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(text, fc.nat(300)), { minLength: 1, maxLength: 20 }),
      fc.constantFrom(4, 5),
      (messages, version) => {
        const packets = messages.map(([payload, length]): PublishPacket => {
          const properties = version === 5 && length % 3 === 0 ? { contentType: "c".repeat(length) } : {};
          return {
            type: PacketType.PUBLISH,
            topic: "a/é",
            payload: Buffer.from(payload.repeat(length % 7)),
            qos: 0,
            retain: false,
            dup: false,
            properties,
          };
        });
        const prefix = Buffer.from("something before");
        const bytes = Buffer.concat([
          prefix,
          ...packets.map((packet) => encodePacket(packet, version as 4 | 5)),
          Buffer.from("behind"),
        ]);
        const seen = walk(bytes, prefix.length, bytes.length - 6, version as 4 | 5);
        expect(seen).toEqual(
          packets.map(({ topic, payload, properties }) => ({
            topic,
            payload: Buffer.from(payload).toString("utf8"),
            expiry: noExpiry,
            headers: properties?.contentType === undefined ? 0 : 3 + properties.contentType.length,
          })),
        );
      },
    ),
  );
});

test("a packet written anew keeps its expiry apart from the headers that travel", () => {
  const forward = Buffer.from([0x01, 0x01]);
  const packet = canonicalPublish({ topic: Buffer.from("a"), forward, payload: Buffer.from("p"), messageExpiry: 77 });
  expect(walk(packet, 0, packet.length, 5)).toEqual([{ topic: "a", payload: "p", expiry: 77, headers: 2 }]);
});
