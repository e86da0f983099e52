// The judge is judged too: its decoder must refuse what the standard refuses.
import { describe, expect, it } from "vitest";
import { vbi } from "./bytes.ts";
import { decode, packetEnd } from "./decoder.ts";
import * as build from "./packets.ts";

const wrong: [string, string][] = [
  ["a CONNECT from a server", "100d00044d5154540502000000000000"],
  ["reserved flags of PUBACK", "41020001"],
  ["PUBREL without its flags", "60020001"],
  ["packet id 0 in PUBACK", "40020000"],
  ["QoS 3", "36040001610001"],
  ["DUP with QoS 0", "380400016100"],
  ["a reason code of another packet", "4003000193"],
  ["session present with an error", "2003018700"],
  ["reserved CONNACK flags", "2003020000"],
  ["an unknown property", "20050000027e00"],
  ["a property of another packet", "e00700051100000001"],
  ["a property twice", "200900000621000a21000a"],
  ["receive maximum 0", "2006000003210000"],
  ["a wildcard in a topic name", "300400012300"],
  ["U+0000 in a topic name", "300400010000"],
  ["bytes too many", "d00100"],
  ["a property length past the end", "2003000005"],
];

describe("the decoder of the tests", () => {
  it.each(wrong)("refuses %s", (_name, bytes) => {
    expect(() => decode(Buffer.from(bytes, "hex"), 5)).toThrow();
  });

  it("refuses AUTH and DISCONNECT of a 3.1.1 server", () => {
    expect(() => decode(Buffer.from("e000", "hex"), 4)).toThrow();
    expect(() => decode(Buffer.from("f000", "hex"), 4)).toThrow();
  });

  it("reads a whole PUBLISH back", () => {
    const bytes = build.publish({
      topic: "a/b",
      payload: "hello",
      qos: 2,
      id: 77,
      retain: true,
      properties: { userProperty: [["k", "v"]], subscriptionIdentifier: [1, 300], messageExpiryInterval: 9 },
    });
    const packet = decode(bytes, 5);
    expect(packet).toMatchObject({ name: "PUBLISH", topic: "a/b", qos: 2, id: 77, retain: true, dup: false });
    expect(packet.properties).toEqual({
      userProperty: [["k", "v"]],
      subscriptionIdentifier: [1, 300],
      messageExpiryInterval: 9,
    });
  });

  it("pads a variable byte integer only on demand", () => {
    expect(vbi(0)).toEqual(Buffer.from([0]));
    expect(vbi(127)).toEqual(Buffer.from([0x7f]));
    expect(vbi(128)).toEqual(Buffer.from([0x80, 1]));
    expect(vbi(0, 2)).toEqual(Buffer.from([0x80, 0]));
    expect(vbi(268_435_455)).toEqual(Buffer.from([0xff, 0xff, 0xff, 0x7f]));
  });

  it("knows where a packet ends, and refuses long forms of the length", () => {
    expect(packetEnd(Buffer.from("d0", "hex"))).toBeUndefined();
    expect(packetEnd(Buffer.from("d000", "hex"))).toBe(2);
    expect(() => packetEnd(Buffer.from("d08000", "hex"))).toThrow();
    expect(() => packetEnd(Buffer.from("d0ffffffff01", "hex"))).toThrow();
  });
});
