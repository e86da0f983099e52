import { describe, expect, test } from "vitest";
import { Reason } from "../model/engine.ts";
import type { Policy } from "../model/policy.ts";
import { checkInvariants } from "./invariants.ts";
import { World } from "./world.test-data.ts";

const day = 86_400;

function grants(...allow: (readonly ["publish" | "subscribe" | "share" | "retain" | "will", string])[]): Policy {
  return {
    roles: {
      user: {
        allow: allow.map(([action, filter]) => ({ action, filter })),
        deny: [{ action: "subscribe", filter: "a/secret" }],
      },
    },
    principals: { dev: { roles: ["user"] } },
  };
}

describe("topic", () => {
  for (const [name, isOne] of [
    ["a", true],
    ["a/b/c", true],
    ["/", true],
    ["$SYS/x", true],
    ["", false],
    ["a/+", false],
    ["#", false],
    ["a".repeat(1_025), false],
    [Array(65).fill("a").join("/"), false],
  ] as const) {
    test(`${name.slice(0, 20)} is ${isOne ? "" : "not "}a topic name`, () => {
      const { machine } = new World();
      const bytes = Buffer.from(`x${name}x`);
      const topic = machine.topic(bytes, 1, bytes.length - 1);
      expect(topic?.name).toBe(isOne ? name : undefined);
      if (isOne) expect(machine.topic(Buffer.from(name), 0, Buffer.byteLength(name))).toBe(topic);
    });
  }
});

describe("publish", () => {
  const policy = grants(["publish", "a/#"], ["retain", "a/kept"], ["subscribe", "a/#"]);

  for (const [what, topic, wish, reason] of [
    ["to nobody", "a/b", {}, Reason.noMatchingSubscribers],
    ["to a reader", "a/read", {}, Reason.success],
    ["QoS 2 to a reader", "a/read", { qos: 2 }, Reason.success],
    ["without the right", "b", {}, Reason.notAuthorized],
    ["QoS 2 without the right", "b", { qos: 2 }, Reason.notAuthorized],
    ["retained without that right", "a/b", { retain: true }, Reason.notAuthorized],
    ["retained with it", "a/kept", { retain: true }, Reason.noMatchingSubscribers],
    ["to a reserved topic", "$SYS/x", {}, Reason.notAuthorized],
  ] as const) {
    test(what, () => {
      const world = new World({ policy });
      const reader = world.connected("r");
      reader.subscribe("a/read");
      const publisher = world.connected("p");
      world.commit();
      expect(publisher.publish(topic, "x", wish)).toBe(reason);
      expect(publisher.link.told).toEqual(["attached false"]);
      world.commit();
      expect(publisher.link.told).toEqual(["attached false", `confirm 1 qos ${"qos" in wish ? 2 : 1} ${reason}`]);
    });
  }

  test("answers come in the order of the publishes, refusals included", () => {
    const world = new World({ policy });
    const publisher = world.connected("p");
    publisher.publish("a/1", "x");
    publisher.publish("b", "x");
    world.machine.refuse(publisher.handle, 77, 1, Reason.topicNameInvalid);
    publisher.publish("a/2", "x");
    world.commit();
    expect(publisher.link.told.slice(1).map((line) => line.split(" ")[1])).toEqual(["1", "2", "77", "3"]);
  });

  test("refused while the disk budget is used up; what was promised goes on", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    const publisher = world.connected("p");
    publisher.publish("a", "held", { qos: 2, packetId: 5 });
    world.commit();
    world.machine.publishing.diskFull = true;
    expect(publisher.publish("a", "x")).toBe(Reason.quotaExceeded);
    expect(publisher.publish("a", "x", { qos: 2 })).toBe(Reason.quotaExceeded);
    publisher.release(5);
    world.commit();
    expect(reader.link.payloads).toEqual(["held"]);
    world.machine.publishing.diskFull = false;
    expect(publisher.publish("a", "x")).toBe(Reason.success);
  });

  test("quotas: retained by number and bytes, held by bytes", () => {
    const world = new World({
      policy: grants(["publish", "#"], ["retain", "#"]),
      limits: { retainedPerPrincipalMax: 2, retainedBytesMax: 1_000, heldBytesMax: 300 },
    });
    const publisher = world.connected("p");
    expect(publisher.publish("a", "x".repeat(900), { retain: true })).toBe(Reason.quotaExceeded);
    expect(publisher.publish("a", "1", { retain: true })).toBe(Reason.noMatchingSubscribers);
    expect(publisher.publish("b", "1", { retain: true })).toBe(Reason.noMatchingSubscribers);
    expect(publisher.publish("c", "1", { retain: true })).toBe(Reason.quotaExceeded);
    expect(publisher.publish("b", "", { retain: true })).toBe(Reason.noMatchingSubscribers);
    expect(publisher.publish("c", "1", { retain: true })).toBe(Reason.noMatchingSubscribers);
    expect(publisher.publish("d", "x".repeat(200), { qos: 2, packetId: 40 })).toBe(Reason.noMatchingSubscribers);
    expect(publisher.publish("d", "x".repeat(200), { qos: 2, packetId: 41 })).toBe(Reason.quotaExceeded);
    publisher.release(40);
    expect(publisher.publish("d", "x".repeat(200), { qos: 2, packetId: 41 })).toBe(Reason.noMatchingSubscribers);
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });
});

describe("QoS 2 from a publisher", () => {
  test("counts once, from PUBREL on, over reconnects and restarts [MQTT-4.3.3-10]", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a", { qos: 1 });
    const first = world.connected("p", { expiry: day });
    first.publish("a", "x", { qos: 2, packetId: 3 });
    world.commit();
    first.cut();
    const second = world.connected("p", { expiry: day });
    second.publish("a", "x", { qos: 2, packetId: 3 });
    world.commit();
    expect(second.link.told).toEqual(["attached true", "confirm 3 qos 2 0"]);
    world.restart();
    const third = world.connected("p", { expiry: day });
    third.publish("a", "x", { qos: 2, packetId: 3 });
    third.release(3);
    third.release(3);
    world.commit();
    expect(third.link.told.slice(-2)).toEqual(["completed 3 0", `completed 3 ${Reason.packetIdNotFound}`]);
    world.restart();
    const fourth = world.connected("p", { expiry: day });
    fourth.release(3);
    world.commit();
    expect(fourth.link.told.at(-1)).toBe(`completed 3 ${Reason.packetIdNotFound}`);
    expect(world.connected("r", { expiry: day }).link.payloads).toEqual(["x"]);
  });
});

describe("acknowledge", () => {
  test("knows what is at which step, and nothing else", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    const publisher = world.connected("p");
    publisher.publish("a", "one");
    publisher.publish("a", "two", { qos: 2, packetId: 9 });
    publisher.release(9);
    world.commit();
    expect(reader.link.delivered.map(({ packetId, qos }) => [packetId, qos])).toEqual([
      [1, 1],
      [2, 2],
    ]);
    expect([reader.ack(2, 1), reader.ack(1, 2), reader.ack(1, 3), reader.ack(2, 3), reader.ack(3, 1)]).toEqual(
      Array(5).fill(false),
    );
    expect([reader.ack(1, 1), reader.ack(1, 1), reader.ack(2, 2)]).toEqual([true, false, true]);
    world.commit();
    expect(reader.link.released).toEqual([2]);
    expect([reader.ack(2, 3), reader.ack(2, 3)]).toEqual([true, false]);
  });

  test("an error ends the delivery like a success [MQTT-4.8.2-6]", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    const publisher = world.connected("p");
    publisher.publish("a", "one");
    publisher.publish("a", "two", { qos: 2, packetId: 9 });
    publisher.release(9);
    world.commit();
    expect([reader.ack(1, 1, 0x80), reader.ack(2, 2, 0x80)]).toEqual([true, true]);
    world.commit();
    expect(reader.link.released).toEqual([]);
    world.restart();
    expect(world.connected("r", { expiry: day }).link.payloads).toEqual([]);
  });

  test("Receive Maximum is kept, and room made is used", () => {
    const world = new World();
    const reader = world.connected("r", { receiveMaximum: 2 });
    reader.subscribe("a", { qos: 1 });
    const publisher = world.connected("p");
    for (const payload of ["1", "2", "3", "4"]) publisher.publish("a", payload);
    world.commit();
    expect(reader.link.payloads).toEqual(["1", "2"]);
    reader.ack(2);
    expect(reader.link.payloads).toEqual(["1", "2", "3"]);
  });
});

describe("subscribe and unsubscribe", () => {
  const policy = grants(["subscribe", "a/#"], ["share", "a/b"], ["publish", "#"]);

  for (const [filter, code] of [
    ["a/#", 2],
    ["a/b", 2],
    ["$share/g/a/b", 2],
    ["$share/g/a/c", Reason.notAuthorized],
    ["a/secret", Reason.notAuthorized],
    ["#", Reason.notAuthorized],
    ["a/#/b", Reason.topicFilterInvalid],
    ["a/b+", Reason.topicFilterInvalid],
    ["", Reason.topicFilterInvalid],
    ["$share/g", Reason.topicFilterInvalid],
    ["$share/g/", Reason.topicFilterInvalid],
    ["$SYS/#", Reason.topicFilterInvalid],
    ["$share/g/$SYS/#", Reason.topicFilterInvalid],
  ] as const) {
    test(`"${filter}" is answered with ${code}`, () => {
      const world = new World({ policy });
      const reader = world.connected("r", { expiry: day });
      reader.subscribe(filter);
      if (code < 0x80) expect(reader.subscribed).toEqual([]);
      world.commit();
      expect(reader.subscribed).toEqual([code]);
      expect(checkInvariants(world.machine.state)).toEqual([]);
    });
  }

  test("a deny on a part hides that part", () => {
    const world = new World({ policy });
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a/#", { qos: 1 });
    const publisher = world.connected("p");
    world.commit();
    publisher.publish("a/secret", "no");
    publisher.live("a/secret", "no");
    publisher.publish("a/open", "yes");
    world.commit();
    expect(reader.link.payloads).toEqual(["yes"]);
  });

  test("quotas of session and broker", () => {
    const world = new World({ limits: { subscriptionsPerSessionMax: 2, subscriptionsMax: 3 } });
    const [one, two] = [world.connected("1"), world.connected("2")];
    for (const filter of ["a", "b", "c", "a"]) one.subscribe(filter);
    for (const filter of ["a", "b"]) two.subscribe(filter);
    one.unsubscribe("a");
    two.subscribe("b");
    world.commit();
    expect(one.subscribed).toEqual([2, 2, Reason.quotaExceeded, 2]);
    expect(two.subscribed).toEqual([2, Reason.quotaExceeded, 2]);
  });

  test("unsubscribing what is not there, and what is", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    reader.subscribe("$share/g/a");
    world.commit();
    for (const filter of ["b", "$share/h/a", "$share/g/a", "$share/g/a", "a"]) reader.unsubscribe(filter);
    world.commit();
    expect(reader.link.told.slice(-5)).toEqual([
      "unsuback 17",
      "unsuback 17",
      "unsuback 0",
      "unsuback 17",
      "unsuback 0",
    ]);
  });
});

describe("live", () => {
  test("goes to whoever is connected, at once, and to one member of each group", () => {
    const world = new World();
    const [one, two, away] = [world.connected("1"), world.connected("2"), world.connected("3", { expiry: day })];
    for (const reader of [one, two]) reader.subscribe("$share/g/a");
    for (const reader of [one, away]) reader.subscribe("a");
    world.commit();
    away.cut();
    const publisher = world.connected("p");
    publisher.subscribe("a", { noLocal: true });
    world.commit();
    const before = world.journal.lastSeq;
    for (const payload of ["1", "2"]) expect(publisher.live("a", payload)).toBe(Reason.success);
    expect([...one.link.payloads].sort()).toEqual(["1", "1", "2"]);
    expect(two.link.payloads).toEqual(["2"]);
    expect(publisher.link.payloads).toEqual([]);
    expect(world.journal.lastSeq).toBe(before);
    world.restart();
    expect(world.connected("3", { expiry: day }).link.payloads).toEqual([]);
  });

  test("is refused for reserved topics and without the right", () => {
    const world = new World({ policy: grants(["publish", "a"]) });
    const publisher = world.connected("p");
    expect([publisher.live("$x", "1"), publisher.live("b", "1"), publisher.live("a", "1")]).toEqual([
      Reason.notAuthorized,
      Reason.notAuthorized,
      Reason.success,
    ]);
  });
});

describe("when the journal fails (D8, F8)", () => {
  test("who waits is refused, all connections end, nobody comes in, and nothing succeeds any more", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a");
    const publisher = world.connected("p", { expiry: day });
    world.commit();
    publisher.publish("a", "one");
    publisher.publish("a", "held", { qos: 2, packetId: 9 });
    world.journal.seal();
    world.journal.fail();
    expect(publisher.link.told.slice(1).filter((line) => / (0|16)$/.test(line))).toEqual([]);
    expect([publisher.link.ended, reader.link.ended]).toEqual(["storage-failed", "storage-failed"]);
    const told = publisher.link.told.length;
    expect(publisher.publish("a", "two")).toBe(Reason.implementationSpecific);
    publisher.release(9);
    publisher.publish("a", "held", { qos: 2, packetId: 9 });
    expect(publisher.link.told.slice(told).filter((line) => / (0|16)$/.test(line))).toEqual([]);
    expect(reader.link.payloads).toEqual([]);
    expect(world.connect("x").refusal).toBe(Reason.serverUnavailable);
    expect(() => {
      world.machine.tick();
      world.machine.tidy();
    }).not.toThrow();
  });
});

describe("congestion", () => {
  test("whoever waits is told once the journal is calm, after a commit", () => {
    const world = new World();
    const publisher = world.connected("p");
    let calm = 0;
    world.journal.congested = true;
    expect(world.machine.congested).toBe(true);
    world.machine.whenCalm(() => calm++);
    publisher.publish("a", "x");
    world.commit();
    expect(calm).toBe(0);
    world.journal.congested = false;
    publisher.publish("a", "x");
    world.commit();
    publisher.publish("a", "x");
    world.commit();
    expect(calm).toBe(1);
  });
});

test("publishes are refused while the open frame is many times what it should be; acknowledgements are not", () => {
  const world = new World();
  const reader = world.connected("r", { expiry: day });
  reader.subscribe("a", { qos: 1 });
  const publisher = world.connected("p");
  publisher.publish("a", "x");
  world.commit();
  world.journal.overfull = true;
  expect([publisher.publish("a", "y"), publisher.publish("a", "y", { qos: 2 })]).toEqual([
    Reason.quotaExceeded,
    Reason.quotaExceeded,
  ]);
  expect(reader.ack(1)).toBe(true);
  world.commit();
  world.journal.overfull = false;
  expect(publisher.publish("a", "z")).toBe(Reason.success);
});

describe("expiry of messages", () => {
  test("what waits too long is not delivered; what is delivered says what is left [MQTT-3.3.2-5, -6]", () => {
    const world = new World();
    const reader = world.connected("r", { expiry: day });
    reader.subscribe("a", { qos: 1 });
    world.commit();
    reader.cut();
    const publisher = world.connected("p");
    publisher.publish("a", "short", { expiry: 5 });
    publisher.publish("a", "long", { expiry: 100 });
    world.commit();
    world.wait(10_000);
    const again = world.connected("r", { expiry: day });
    expect(again.link.delivered).toMatchObject([{ payload: "long", secondsLeft: 90 }]);
    expect(world.machine.state.counters.droppedExpired).toBe(1);
  });
});

test("many deadlines at once are met in pieces", () => {
  const world = new World();
  for (let i = 0; i < 1_500; i++) world.connect(`c${i}`, { expiry: 10 }).cut();
  world.commit();
  world.clock.steady += 10_000;
  world.clock.wall += 10_000;
  world.machine.tick();
  expect(world.machine.state.sessions.size).toBe(500);
  world.machine.tick();
  expect(world.machine.state.sessions.size).toBe(0);
});
