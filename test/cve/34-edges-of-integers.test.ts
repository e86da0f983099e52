// LESSONS 34, NATS 2026-28. Elsewhere a length smaller than what it was to hold wrapped around, and an offset plus a
// limit overflowed; both ended the process. Here every integer that comes from outside is tried at its edges and past
// them, over MQTT and over HTTP.
import { expect, it } from "vitest";
import { text, u8, u16, u32, vbi } from "../support/bytes.ts";
import * as build from "../support/packets.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const wrong: readonly (readonly [string, Buffer])[] = [
  ["a topic longer than its packet", build.packet("PUBLISH", 0, u16(0xffff), Buffer.from("a"))],
  ["a topic length cut in half", build.packet("PUBLISH", 0, u8(0))],
  ["no room for the packet id", build.packet("PUBLISH", 2, text("a"), u8(0))],
  ["packet id 0", build.packet("PUBLISH", 2, text("a"), u16(0), u8(0))],
  ["properties longer than their packet", build.packet("PUBLISH", 0, text("a"), vbi(268_435_455))],
  ["a property length of five bytes", build.packet("PUBLISH", 0, text("a"), Buffer.from("ffffffff7f", "hex"))],
  ["a property cut short", build.packet("PUBLISH", 0, text("a"), vbi(3), u8(0x02), u16(0))],
  ["an expiry cut short", build.packet("PUBLISH", 0, text("a"), vbi(4), u8(0x02), u16(0), u8(0))],
  ["a filter longer than its packet", build.packet("SUBSCRIBE", 2, u16(1), u8(0), u16(0xffff), u8(0x61))],
  ["subscription id 0", build.packet("SUBSCRIBE", 2, u16(1), vbi(2), u8(0x0b), u8(0), text("a"), u8(0))],
  ["QoS 3", build.packet("PUBLISH", 6, text("a"), u16(1), u8(0))],
  ["subscription options 0xff", build.packet("SUBSCRIBE", 2, u16(1), u8(0), text("a"), u8(0xff))],
  ["an acknowledgement of nothing", build.packet("PUBACK", 0)],
];

const inConnect: readonly build.PropertiesInput[] = [
  { receiveMaximum: 0 },
  { maximumPacketSize: 0 },
  { requestProblemInformation: 2 },
  { requestResponseInformation: 255 },
  [[0x11, u16(0)]],
];

atEachDoor(field, "integers of packets", async (arena, door) => {
  const owner = await arena.principal();
  for (const [what, bytes] of wrong) {
    const client = await arena.connect(owner, {}, door);
    client.send(bytes);
    const told = await client.refused([0x81, 0x82]).catch((error: Error) => {
      throw new Error(`${what}: ${error.message}`);
    });
    expect(told?.code, what).toBeGreaterThanOrEqual(0x80);
  }
  for (const properties of inConnect) {
    const { connack } = await arena.attempt(owner, { properties }, door);
    expect([0x81, 0x82], JSON.stringify(properties)).toContain(connack?.code ?? 0x81);
  }
  // the largest that may be are taken, and bounded
  const most = {
    sessionExpiryInterval: 0xffffffff,
    receiveMaximum: 65_535,
    maximumPacketSize: 0xffffffff,
    topicAliasMaximum: 65_535,
  };
  const client = await arena.connect(owner, { properties: most, cleanStart: false }, door);
  const expiry = { messageExpiryInterval: 0xffffffff };
  const puback = await client.publish({
    topic: owner.topic("x"),
    payload: "x",
    qos: 1,
    id: 65_535,
    properties: expiry,
  });
  expect(puback?.code).toBeLessThan(0x80);
  client.send(build.packet("PUBLISH", 0, text(owner.topic("x")), vbi(5), u8(0x02), u32(0)));
  await client.ping();
});

it("integers of HTTP", async () => {
  const { arena } = field;
  const values = [
    "-1",
    "-0",
    "1e309",
    "NaN",
    "Infinity",
    "9007199254740993",
    "18446744073709551616",
    "0x10",
    "1.5",
    "",
    "1,2",
  ];
  const fields = [
    "/v1/topics?limit=",
    "/v1/keys?limit=",
    "/v1/subscriptions?limit=",
    "/v1/delayed?limit=",
    "/v1/messages?filter=a&limit=",
    "/v1/messages?filter=a&cursor=",
    "/v1/messages?filter=a&from=",
    "/v1/events?filter=a&from=",
    "/v1/delayed/",
    "/v1/subscriptions/s/dead/",
    "/v1/subscriptions/s/dead?limit=",
  ];
  for (const path of fields) {
    for (const value of values) {
      const { status } = await arena.admin(`${path}${encodeURIComponent(value)}`);
      expect(status, `${path}${value}`).toBeGreaterThanOrEqual(value === "" || path.endsWith("from=") ? 200 : 400);
      expect(status, `${path}${value}`).toBeLessThan(500);
    }
  }
  const bodies = ["-1", "1e309", "9007199254740993", "[1]", "null", '"1"', "1.5", "{}", "-1e-400"];
  for (const value of bodies) {
    for (const name of ["max", "waitMs", "maxBytes"]) {
      const headers = {
        "content-type": "application/json",
        authorization: `Bearer ${arena.server.admin.id}.${arena.server.admin.secret}`,
      };
      const { status } = await arena.ask(undefined, "/v1/subscriptions/s/pull", {
        method: "POST",
        headers,
        body: JSON.parse(`{"${name}":${value}}`),
      });
      expect([400, 404, 422], `${name}: ${value}`).toContain(status);
    }
  }
});
