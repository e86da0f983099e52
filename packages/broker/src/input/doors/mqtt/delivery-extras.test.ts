import type { Properties, PublishPacket } from "@mess/wire";
import { describe, expect, test } from "vitest";
import type { Link } from "../../../model/link.ts";
import { deliver, type Pairs, saying, type Told } from "./conventions.test-data.ts";
import { Door } from "./door.test-data.ts";

describe("deliveries", () => {
  function delivered(told: Told, wish: Properties = {}, version: 4 | 5 = 5): PublishPacket {
    const door = new Door();
    const client = door.connected("c", { properties: wish }, version);
    deliver(door.links[0] as Link, told);
    const [packet, ...more] = client.received() as PublishPacket[];
    if (packet === undefined) throw new Error("nothing came");
    expect(more).toEqual([]);
    return packet;
  }
  const meta = saying(["mess-meta", "1"]);

  test("of a declared subscription: the topic below its own, nothing else, in both versions", () => {
    for (const version of [4, 5] as const) {
      const { topic, properties } = delivered({ lease: {}, attributes: { key: "k" } }, {}, version);
      expect([topic, properties]).toEqual(["$mess/queue/billing/orders/7", undefined]);
      expect(delivered({ lease: {}, plainTopic: true }, {}, version).topic).toBe("orders/7");
    }
  });

  test("with explicit acknowledgement: where to, with which token, and which attempt", () => {
    expect(delivered({ lease: { token: "T0-_" }, headers: saying(["own", "1"]) }).properties).toEqual({
      responseTopic: "$mess/lease/billing",
      correlationData: Uint8Array.from(Buffer.from("T0-_")),
      userProperties: [
        ["own", "1"],
        ["mess-attempt", "2"],
      ],
    });
  });

  test("the publisher's own response topic and correlation data are not lost over it", () => {
    const headers = {
      contentType: "t",
      responseTopic: "reply/shop",
      correlationData: Uint8Array.of(0, 255, 62),
      userProperties: [["own", "1"]] as Pairs,
    };
    expect(delivered({ lease: { token: "T" }, headers }).properties).toEqual({
      contentType: "t",
      responseTopic: "$mess/lease/billing",
      correlationData: Uint8Array.from(Buffer.from("T")),
      userProperties: [
        ["own", "1"],
        ["mess-response-topic", "reply/shop"],
        ["mess-correlation-data", "AP8-"],
        ["mess-attempt", "2"],
      ],
    });
    expect(delivered({ lease: {}, headers }).properties).toEqual(headers);
  });

  test("correlation data that no user property can hold: the client cannot take this message", () => {
    const door = new Door();
    door.connected("c");
    const [link] = door.links as [Link];
    const headers = (length: number): Properties => ({ correlationData: Buffer.alloc(length) });
    expect(deliver(link, { lease: { token: "T" }, headers: headers(49_151) })).toBe(true);
    expect(deliver(link, { lease: { token: "T" }, headers: headers(49_152) })).toBe(false);
    expect(deliver(link, { lease: {}, headers: headers(65_535) })).toBe(true);
  });

  test("to whom asked for them: offset, time, publisher, key, subscription, attempt", () => {
    const attributes = { key: "k", id: "i", priority: 3 };
    const plain: Pairs = [
      ["mess-offset", "17"],
      ["mess-time", "2023-11-14T22:13:20.000Z"],
      ["mess-publisher", "shop"],
    ];
    expect(delivered({ attributes }, meta).properties).toEqual(saying(...plain, ["mess-key", "k"]));
    expect(delivered({ lease: {} }, meta).properties).toEqual(
      saying(["mess-attempt", "2"], ...plain, ["mess-subscription", "billing"]),
    );
    expect(delivered({ attributes }).properties).toBeUndefined();
    // A message of QoS 0 is stored nowhere, so it has no offset.
    expect(delivered({ offset: 0 }, meta).properties).toBeUndefined();
  });

  test("dead letters say why they are, to everybody", () => {
    const attributes = { reason: "no such customer", attempts: 5, originTopic: "orders/7", origin: 12, key: "k" };
    const dead: Pairs = [
      ["mess-dead-reason", "no such customer"],
      ["mess-attempts", "5"],
      ["mess-origin-topic", "orders/7"],
      ["mess-origin-offset", "12"],
    ];
    const told = { topic: "$mess/dead/billing", attributes };
    expect(delivered(told).properties).toEqual(saying(...dead));
    expect(delivered(told, meta).properties?.userProperties).toEqual(
      expect.arrayContaining([...dead, ["mess-offset", "17"], ["mess-key", "k"]]),
    );
    expect(delivered(told, {}, 4)).toMatchObject({ topic: "$mess/dead/billing" });
    expect(delivered({ ...told, topic: "dead/billing" }).properties).toBeUndefined();
  });

  test("a shared form is not mixed with what one client gets", () => {
    const door = new Door();
    const clients = [door.connected("a"), door.connected("m", { properties: meta }), door.connected("b")];
    for (const link of door.links) deliver(link, { sharedSeq: 17 });
    const seen = clients.map((client) => (client.received()[0] as { properties?: Properties }).properties);
    expect([seen[0], seen[2]]).toEqual([undefined, undefined]);
    expect(seen[1]?.userProperties).toContainEqual(["mess-offset", "17"]);
  });

  test("Maximum Packet Size: what was only asked for is left out, the rest must fit", () => {
    const door = new Door();
    const lease = { token: "T" };
    const client = door.connected("c", { properties: { ...meta, maximumPacketSize: 170 } });
    const [link] = door.links as [Link];
    const sizes = [1, 60, 100].map((length) => deliver(link, { lease, payload: "x".repeat(length) }));
    expect(sizes).toEqual([true, true, false]);
    const names = client
      .received()
      .map((packet) => (packet as { properties: Properties }).properties.userProperties?.map(([name]) => name));
    expect(names).toEqual([["mess-attempt"], ["mess-attempt"]]);
    const roomy = door.connected("r", { properties: { ...meta, maximumPacketSize: 300 } });
    deliver(door.links[1] as Link, { lease });
    expect((roomy.received()[0] as { properties: Properties }).properties.userProperties).toHaveLength(5);
  });

  test("topic aliases stand for the whole topic", () => {
    const door = new Door();
    const client = door.connected("c", { properties: { topicAliasMaximum: 2 } });
    const [link] = door.links as [Link];
    for (const told of [{ lease: {} }, {}, { lease: {} }, {}]) deliver(link, told);
    const seen = client
      .received()
      .map((packet) => [
        (packet as { topic: string }).topic,
        (packet as { properties: Properties }).properties.topicAlias,
      ]);
    expect(seen).toEqual([
      ["$mess/queue/billing/orders/7", 1],
      ["orders/7", 2],
      ["", 1],
      ["", 2],
    ]);
  });
});
