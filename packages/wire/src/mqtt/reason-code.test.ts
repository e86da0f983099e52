import { describe, expect, test } from "vitest";
import { packetName } from "./packet-name.ts";
import { connackReturnCode, isReasonCodeFor, ReasonCode, reasonCodeOfReturnCode, type Sender } from "./reason-code.ts";
import { reasonName } from "./reason-name.ts";

describe("isReasonCodeFor", () => {
  /** The tables of chapter 3, written down apart from the code. */
  const byPacket: [name: string, type: number, client: string, server: string][] = [
    ["CONNACK", 2, "", "00 80 81 82 83 84 85 86 87 88 89 8a 8c 90 95 97 99 9a 9b 9c 9d 9f"],
    ["PUBACK", 4, "00 80 83 87 90 91 97 99", "00 10 80 83 87 90 91 97 99"],
    ["PUBREC", 5, "00 80 83 87 90 91 97 99", "00 10 80 83 87 90 91 97 99"],
    ["PUBREL", 6, "00 92", "00 92"],
    ["PUBCOMP", 7, "00 92", "00 92"],
    ["SUBACK", 9, "", "00 01 02 80 83 87 8f 91 97 9e a1 a2"],
    ["UNSUBACK", 11, "", "00 11 80 83 87 8f 91"],
    [
      "DISCONNECT",
      14,
      "00 04 80 81 82 83 90 93 94 95 96 97 98 99",
      "80 81 82 83 87 89 8b 8c 8d 8e 8f 90 93 94 95 96 97 98 99 9a 9b 9c 9d 9e 9f a0 a1 a2",
    ],
    ["AUTH", 15, "18 19", "00 18"],
  ];

  const legal = (type: number, sender?: Sender): string =>
    Array.from({ length: 256 }, (_, code) => code)
      .filter((code) => isReasonCodeFor(type, code, sender))
      .map((code) => code.toString(16).padStart(2, "0"))
      .join(" ");

  test.each(byPacket)("%s", (name, type, client, server) => {
    expect(packetName(type)).toBe(name);
    expect(legal(type, "client")).toBe(client);
    expect(legal(type, "server")).toBe(server);
    expect(legal(type)).toBe([...new Set(`${client} ${server}`.trim().split(" "))].sort().join(" "));
  });

  test("packets without reason codes, and numbers that are none", () => {
    for (const type of [0, 1, 3, 8, 10, 12, 13]) expect(legal(type)).toBe("");
    for (const [type, code] of [
      [-1, 0],
      [16, 0],
      [2, -1],
      [2, 256],
      [2, 512],
      [5, -256],
      [2, 0.5],
      [Number.NaN, 0],
    ] as const) {
      expect(isReasonCodeFor(type, code)).toBe(false);
    }
  });
});

test("every refusal has a name of its own", () => {
  const codes = [...new Set(Object.values(ReasonCode))].filter((code) => code >= 0x80);
  const names = codes.map(reasonName);
  expect(new Set(names).size).toBe(codes.length);
  expect(names.filter((name) => name.startsWith("Reason code"))).toEqual([]);
  expect(reasonName(ReasonCode.NotAuthorized)).toBe("Not authorized");
  expect(reasonName(0x05)).toBe("Reason code 0x05");
});

test("3.1.1 return codes", () => {
  const pairs = [
    [0x00, 0],
    [0x84, 1],
    [0x85, 2],
    [0x88, 3],
    [0x86, 4],
    [0x87, 5],
  ] as const;
  for (const [reasonCode, returnCode] of pairs) {
    expect(connackReturnCode(reasonCode)).toBe(returnCode);
    expect(reasonCodeOfReturnCode(returnCode)).toBe(reasonCode);
  }
  expect(reasonCodeOfReturnCode(6)).toBeUndefined();
  expect(connackReturnCode(ReasonCode.ServerBusy)).toBe(3);
  expect(connackReturnCode(ReasonCode.Banned)).toBe(5);
  for (let code = 0x80; code < 0x100; code++) expect(connackReturnCode(code)).toBeGreaterThan(0);
});
