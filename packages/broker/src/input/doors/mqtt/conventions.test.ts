/** What docs/mqtt.md says about `mess-` properties, on the packets of one connection. */
import { type AckPacket, type Packet, PacketType, type Properties, ReasonCode, type SubackPacket } from "@mess/wire";
import { describe, expect, test } from "vitest";
import type { Engine } from "../../../model/engine.ts";
import type { Link } from "../../../model/link.ts";
import { type MessageAttributes, MessageView, readAttributes } from "../../../model/message.ts";
import { RecordKind } from "../../../model/record.ts";
import { type Pairs, reader, reasons, saying } from "./conventions.test-data.ts";
import { Door, payloadsOf, publishPacket, subscribePacket } from "./door.test-data.ts";

const refusedCode = ReasonCode.ImplementationSpecificError;

/** What the journal has of each message, by payload. */
function stored(door: Door): Record<string, { attributes: MessageAttributes; headers: string }> {
  const found: Record<string, { attributes: MessageAttributes; headers: string }> = {};
  const view = new MessageView();
  for (const { kind, bytes, start, end } of door.world.journal.recordsAfter(0)) {
    if (kind !== RecordKind.messagePublished) continue;
    view.read(bytes, start, end);
    const attributes = view.hasAttributes ? readAttributes(view) : {};
    const headers = bytes.toString("latin1", view.headerStart, view.headerEnd);
    found[bytes.toString("utf8", view.payloadStart, view.payloadEnd)] = { attributes, headers };
  }
  return found;
}

describe("what publishers say to the broker", () => {
  test("goes into the record, and no further", () => {
    const door = new Door();
    const five = reader(door, "five");
    const client = door.connected("c");
    const own: Pairs = [
      ["mess-id", "i"],
      ["own", "1"],
      ["mess-key", "k"],
      ["own", "2"],
      ["mess-priority", "0"],
    ];
    client.send(
      publishPacket("a", "one", 1, { contentType: "t", userProperties: own }),
      publishPacket("a", "plain", 2, saying(["own", "3"])),
      publishPacket("a", "late", 3, saying(["mess-at", "2001-01-01T00:00:00Z"])),
    );
    door.commit();
    expect(client.types()).toEqual([PacketType.PUBACK, PacketType.PUBACK, PacketType.PUBACK]);
    const { one, plain, late } = stored(door);
    expect(one?.attributes).toEqual({ id: "i", key: "k", priority: 0 });
    expect([plain?.attributes, late?.attributes, late?.headers]).toEqual([{}, {}, ""]);
    expect(one?.headers).not.toContain("mess-");
    expect(five.received().map((packet) => (packet as { properties?: Properties }).properties)).toEqual([
      {
        contentType: "t",
        userProperties: [
          ["own", "1"],
          ["own", "2"],
        ],
      },
      saying(["own", "3"]),
      undefined,
    ]);
  });

  test("at QoS 0 the message is stored, in its place between others, with and without an alias", () => {
    const door = new Door();
    const watcher = reader(door, "w");
    const client = door.connected("c");
    client.send(
      publishPacket("a", "1"),
      publishPacket("a", "2", 0, saying(["mess-key", "k"])),
      publishPacket("a", "3", 0, { topicAlias: 1, ...saying(["mess-key", "l"]) }),
      publishPacket("", "4", 0, { topicAlias: 1, ...saying(["mess-key", "m"]) }),
    );
    door.commit();
    expect(Object.entries(stored(door)).map(([payload, { attributes }]) => [payload, attributes])).toEqual([
      ["2", { key: "k" }],
      ["3", { key: "l" }],
      ["4", { key: "m" }],
    ]);
    expect(payloadsOf(watcher.received()).sort()).toEqual(["1", "2", "3", "4"]);
    expect(client.isClosed).toBe(false);
  });

  test("attributes of one publish do not stick to the next", () => {
    const door = new Door();
    const client = door.connected("c");
    client.send(publishPacket("a", "1", 1, saying(["mess-key", "k"])), publishPacket("a", "2", 2));
    door.commit();
    expect(stored(door)["2"]?.attributes).toEqual({});
  });

  test("refused with a reason at QoS 1 and 2; the connection stays, it is counted and audited", () => {
    const door = new Door();
    const watcher = reader(door, "w");
    const client = door.connected("c");
    client.send(publishPacket("a", "x", 1, saying(["mess-priority", "10"])), {
      ...publishPacket("a", "y", 2, saying(["mess-dely", "10"])),
      qos: 2,
    } as Packet);
    door.commit();
    const packets = client.received();
    expect(packets.map(({ type }) => type)).toEqual([PacketType.PUBACK, PacketType.PUBREC]);
    expect(reasons(packets)).toEqual([
      [1, refusedCode, 'the user property "mess-priority" must be a digit from 0 (last) to 9 (first)'],
      [2, refusedCode, 'the user property "mess-dely" is reserved and unknown; did you mean "mess-delay"?'],
    ]);
    expect([payloadsOf(watcher.received()), client.isClosed]).toEqual([[], false]);
    expect(door.mqtt.counters.propertiesRefused).toBe(2);
    expect(door.audited).toEqual([
      { event: "property.refused", detail: { principal: "dev", property: "mess-priority" } },
      { event: "property.refused", detail: { principal: "dev", property: "mess-dely" } },
    ]);
  });

  test("at QoS 0 there is no answer that could refuse: the connection ends with the reason", () => {
    const door = new Door();
    const client = door.connected("c");
    client.send(publishPacket("a", "x", 0, saying(["mess-offset", "10"])), publishPacket("a", "y", 1));
    door.commit();
    expect(client.received()).toMatchObject([
      {
        type: PacketType.DISCONNECT,
        reasonCode: refusedCode,
        properties: { reasonString: 'the user property "mess-offset" is reserved: only the broker sets it' },
      },
    ]);
    expect([stored(door), door.mqtt.counters.propertiesRefused]).toEqual([{}, 1]);
  });

  test("a reason of the engine is passed on, whether it answers at once or in its turn", () => {
    const door = new Door();
    const client = door.connected("c");
    const { machine, journal } = door.world;
    machine.explainRefusal = () => "because of the moon";
    journal.overfull = true;
    client.send(publishPacket("a", "x", 1));
    journal.overfull = false;
    client.send(publishPacket("a", "y", 2));
    journal.overfull = true;
    client.send(publishPacket("a", "z", 3));
    door.commit();
    expect(reasons(client.received())).toEqual([
      [1, ReasonCode.QuotaExceeded, "because of the moon"],
      [2, ReasonCode.NoMatchingSubscribers, ""],
      [3, ReasonCode.QuotaExceeded, "because of the moon"],
    ]);
    client.send({ ...publishPacket("a", "q", 0), retain: true } as Packet);
    expect(client.received()).toMatchObject([{ properties: { reasonString: "because of the moon" } }]);
  });
});

test("the reason of an earlier refusal is not said for another", () => {
  const roles = { narrow: { allow: [{ action: "publish", filter: "open/#" } as const], deny: [] } };
  const door = new Door({ policy: { roles, principals: { dev: { roles: ["narrow"] } } } });
  const client = door.connected("c");
  door.world.journal.overfull = true;
  client.send(publishPacket("open/a", "x", 1));
  door.world.journal.overfull = false;
  client.send(publishPacket("closed", "x"));
  expect(client.received()).toMatchObject([
    { properties: { reasonString: "the broker is overloaded" } },
    { reasonCode: ReasonCode.NotAuthorized, properties: { reasonString: "not allowed to publish to this topic" } },
  ]);
});

test("the door's own reason is said, whatever the engine said before about that packet id", () => {
  const door = new Door();
  const client = door.connected("c");
  door.world.machine.explainRefusal = () => "because of the moon";
  client.send(publishPacket("a", "x", 1));
  door.commit();
  client.send(publishPacket("a", "y", 1, saying(["mess-priority", "10"])));
  door.commit();
  expect(reasons(client.received()).map(([, code, text]) => [code, text.slice(0, 35)])).toEqual([
    [ReasonCode.NoMatchingSubscribers, ""],
    [refusedCode, 'the user property "mess-priority" m'],
  ]);
});

describe("what a will says to the broker", () => {
  function dying(userProperties: Pairs): { door: Door; connack: AckPacket } {
    const door = new Door();
    const will = { topic: "a", payload: Buffer.from("gone"), qos: 1 as const, retain: false };
    const client = door.client().connect({ will: { ...will, properties: { userProperties } } });
    const [connack] = client.received() as AckPacket[];
    client.transport.cut();
    door.commit();
    return { door, connack: connack as AckPacket };
  }

  test("goes with it when it is sent, and no further", () => {
    const { door, connack } = dying([
      ["mess-key", "k"],
      ["own", "1"],
    ]);
    expect(connack.reasonCode).toBe(0);
    expect(stored(door)["gone"]?.attributes).toEqual({ key: "k" });
    expect(stored(door)["gone"]?.headers).toMatch(/own.*1$/);
    expect(stored(door)["gone"]?.headers).not.toContain("mess-");
  });

  test("is refused with CONNECT", () => {
    const { door, connack } = dying([["mess-delay", "1"]]);
    expect(connack.reasonCode).toBe(refusedCode);
    expect(connack.properties?.reasonString).toBe(
      'will: the user property "mess-delay" belongs to PUBLISH, not to a will',
    );
    expect([stored(door), door.mqtt.counters.propertiesRefused]).toEqual([{}, 1]);
  });
});

describe("what subscribers say to the broker", () => {
  function subscribing(properties: Properties, ...filters: string[]): { asked: unknown[]; answer: unknown } {
    const door = new Door();
    const client = door.connected("c");
    const { machine } = door.world;
    const asked: unknown[] = [];
    machine.subscribe = (_session, requests, answer) => {
      asked.push(...requests.map(({ filter, from, explicit, credit }) => ({ filter, from, explicit, credit })));
      answer(
        requests.map(() => 1),
        requests.map(() => ""),
      );
      return 0;
    };
    client.send({ ...subscribePacket(9, ...filters), properties } as Packet);
    const [suback] = client.received() as SubackPacket[];
    if (suback === undefined) throw new Error("no SUBACK");
    return { asked, answer: [suback.reasonCodes, suback.properties?.reasonString] };
  }

  test("is asked of the engine", () => {
    const { asked, answer } = subscribing(
      saying(["mess-ack", "explicit"], ["mess-credit", "7"]),
      "$mess/queue/q/#",
      "$mess/queue/r/#",
    );
    const wish = { from: undefined, explicit: true, credit: { messages: 7 } };
    expect(asked).toEqual([
      { filter: "$mess/queue/q/#", ...wish },
      { filter: "$mess/queue/r/#", ...wish },
    ]);
    expect(answer).toEqual([[1, 1], undefined]);
  });

  test("is refused for the filters it does not go with, and those alone", () => {
    const { asked, answer } = subscribing(saying(["mess-ack", "explicit"]), "a/#", "$mess/queue/q/#", "b");
    expect(asked).toMatchObject([{ filter: "$mess/queue/q/#", explicit: true }]);
    expect(answer).toEqual([
      [refusedCode, 1, refusedCode],
      '"mess-ack" is for declared subscriptions, read as $mess/queue/NAME/#',
    ]);
  });

  test("is refused for all filters when it is wrong in itself", () => {
    const { asked, answer } = subscribing(saying(["mess-from", "then"]), "a/#", "b");
    expect([asked, answer]).toEqual([
      [],
      [[refusedCode, refusedCode], expect.stringContaining('the user property "mess-from" must be earliest')],
    ]);
  });

  test("UNSUBSCRIBE knows none of them", () => {
    const door = new Door();
    const client = door.connected("c");
    client.send(subscribePacket(1, "a"), {
      type: PacketType.UNSUBSCRIBE,
      packetId: 2,
      filters: ["a", "b"],
      properties: saying(["mess-from", "earliest"]),
    } as Packet);
    door.commit();
    expect(client.received()[1]).toMatchObject({
      reasonCodes: [refusedCode, refusedCode],
      properties: { reasonString: 'the user property "mess-from" belongs to SUBSCRIBE, not to UNSUBSCRIBE' },
    });
  });
});

describe("what CONNECT says to the broker", () => {
  test.each([
    [["mess-meta", "2"], 'the user property "mess-meta" must be "1"'],
    [["mess-mata", "1"], 'did you mean "mess-meta"?'],
    [["mess-id", "1"], "belongs to PUBLISH, not to CONNECT"],
  ])("%j is refused", (pair, text) => {
    const door = new Door();
    const client = door.client().connect({ properties: saying(pair as [string, string]) });
    const [connack] = client.received() as [AckPacket];
    expect(connack).toMatchObject({ type: PacketType.CONNACK, reasonCode: refusedCode });
    expect(connack.properties?.reasonString).toContain(text);
    expect(client.isClosed).toBe(true);
  });

  test("receipts: the offset, and of a repeat the first one; not for those who did not ask", () => {
    const door = new Door();
    const meta = door.connected("m", { properties: saying(["mess-meta", "1"]) });
    const plain = door.connected("p");
    const [told, other] = door.links as [Link, Link];
    for (const client of [meta, plain]) client.send(publishPacket("a", "x", 5));
    door.commit();
    const [puback] = meta.received() as [AckPacket];
    expect(puback.properties?.userProperties).toEqual([["mess-offset", expect.stringMatching(/^[1-9]\d*$/)]]);
    expect(reasons(plain.received())).toEqual([[5, ReasonCode.NoMatchingSubscribers, ""]]);
    for (const link of [told, other]) link.confirm(6, 1, 0, -41);
    told.confirm(7, 1, 0, 0);
    expect(meta.received()).toEqual([
      {
        type: PacketType.PUBACK,
        packetId: 6,
        reasonCode: 0,
        properties: saying(["mess-offset", "41"], ["mess-duplicate", "1"]),
      },
      { type: PacketType.PUBACK, packetId: 7, reasonCode: 0 },
    ]);
    expect(plain.received()).toEqual([{ type: PacketType.PUBACK, packetId: 6, reasonCode: 0 }]);
  });
});

test("the reason of a negative PUBACK reaches the engine, cut to its limit", () => {
  const door = new Door({ limits: { settlementReasonBytesMax: 4 } });
  const client = reader(door, "r");
  const machine: Engine = door.world.machine;
  const heard: unknown[] = [];
  machine.acknowledge = (_session, packetId, step, reason, text) => heard.push([packetId, step, reason, text]) > 0;
  client.send(
    { type: PacketType.PUBACK, packetId: 1, reasonCode: 0x80, properties: { reasonString: "ééé" } },
    { type: PacketType.PUBACK, packetId: 2, reasonCode: 0x99 },
    { type: PacketType.PUBREC, packetId: 3, reasonCode: 0 },
  );
  expect(heard).toEqual([
    [1, 1, 0x80, "éé"],
    [2, 1, 0x99, ""],
    [3, 2, 0, ""],
  ]);
});
