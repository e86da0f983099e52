import { describe, expect, test } from "vitest";
import type { Policy } from "../model/policy.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { checkInvariants } from "./invariants.ts";
import { World, type WorldOptions } from "./world.test-data.ts";

/** Ten messages, a second apart: `a/0` to `a/9`, every third one to `b` instead. */
function history(options: WorldOptions = {}): { world: World; offsets: number[]; start: number } {
  const world = new World(options);
  world.machine.topics.declare("admin", "#", { retention: { ageMs: 1e9 } });
  const writer = world.connected("writer", { principal: "w" });
  const start = world.clock.wall;
  const offsets = Array.from({ length: 10 }, (_, i) => {
    writer.publish(i % 3 === 2 ? "b" : `a/${i}`, `${i}`);
    const offset = world.journal.lastSeq;
    world.wait(1_000);
    return offset;
  });
  return { world, offsets, start };
}

function settle(world: World): void {
  for (let i = 0; i < 40; i++) {
    world.commit();
    world.journal.answerFetches();
  }
  expect(checkInvariants(world.machine.state)).toEqual([]);
}

describe("from where it is asked for", () => {
  test("earliest, an offset, a time, latest; later messages follow", () => {
    const { world, offsets, start } = history({ journal: { cachedFrames: 2 } });
    const from = {
      earliest: "earliest",
      offset: { offset: offsets[4] as number },
      time: { at: start + 6_500 },
      exact: { at: start + 6_000 },
      latest: "latest",
    } as const;
    const clients = Object.entries(from).map(([name, position]) => {
      const client = world.connected(name);
      client.subscribe("a/#", { qos: 1, from: position });
      return client;
    });
    settle(world);
    world.connected("late").publish("a/x", "new");
    settle(world);
    const seen = clients.map(({ link }) => link.payloads.join(" "));
    expect(seen).toEqual(["0 1 3 4 6 7 9 new", "4 6 7 9 new", "7 9 new", "6 7 9 new", "new"]);
    expect(clients.map(({ subscribed }) => subscribed)).toEqual([[1], [1], [1], [1], [1]]);
  });

  test("on over a cut connection and restarts, each message once more at most", () => {
    const { world } = history({ journal: { cachedFrames: 1 } });
    let reader = world.connected("reader", { expiry: 1_000, receiveMaximum: 2 });
    reader.subscribe("a/#", { qos: 1, from: "earliest" });
    const seen: string[] = [];
    for (let round = 0; round < 12; round++) {
      settle(world);
      for (const { payload, packetId } of reader.link.delivered) {
        seen.push(payload);
        reader.ack(packetId);
      }
      world.commit();
      if (round === 4) world.snapshot();
      if (round % 2 === 0) world.restart();
      else reader.cut();
      reader = world.connected("reader", { expiry: 1_000, receiveMaximum: 2 });
    }
    expect(seen.join(" ")).toBe("0 1 3 4 6 7 9");
    expect(world.machine.state.session("dev", "reader")?.backlog.count).toBe(0);
  });

  test("a time is kept over a restart", () => {
    const { world, start } = history({ journal: { cachedFrames: 1 } });
    const away = world.connected("reader", { expiry: 1_000 });
    away.link.hasRoom = false;
    away.subscribe("a/#", { qos: 1, from: { at: start + 6_000 } });
    world.commit();
    world.restart();
    const reader = world.connected("reader", { expiry: 1_000 });
    settle(world);
    expect(reader.link.payloads).toEqual(["6", "7", "9"]);
  });

  test("again on the same connection, backwards and forwards", () => {
    const { world, offsets } = history();
    const reader = world.connected("reader", { expiry: 1_000 });
    const read = (offset: number): string => {
      const before = reader.link.delivered.length;
      reader.subscribe("a/#", { qos: 1, from: { offset } });
      settle(world);
      const fresh = reader.link.delivered.slice(before);
      for (const { packetId } of fresh) reader.ack(packetId);
      settle(world);
      return fresh.map(({ payload }) => payload).join(" ");
    };
    expect(read(offsets[7] as number)).toBe("7 9");
    expect(read(offsets[4] as number)).toBe("4 6 7 9");
    expect(read(offsets[9] as number)).toBe("9");
    world.restart();
    const again = world.connected("reader", { expiry: 1_000 });
    settle(world);
    expect(again.link.payloads).toEqual([]);
  });

  test("what is retained does not come besides", () => {
    const { world } = history();
    world.connected("w2").publish("a/kept", "kept", { retain: true });
    world.commit();
    const reader = world.connected("reader");
    reader.subscribe("a/kept", { from: "earliest" });
    settle(world);
    expect(reader.link.payloads).toEqual(["kept"]);
  });

  test("segments that were dropped are passed over", () => {
    const { world, offsets } = history({ limits: { segmentBytes: 1 }, journal: { cachedFrames: 0 } });
    world.machine.topics.declare("admin", "#", {});
    const away = world.connected("away", { expiry: 1_000 });
    away.subscribe("b", { qos: 1 });
    world.commit();
    away.cut();
    const writer = world.connected("w2");
    for (const topic of ["b", "a/gone", "a/gone", "b", "a/gone", "b"]) {
      writer.publish(topic, topic);
      world.commit();
    }
    for (let i = 0; i < 6; i++) {
      world.machine.tidy();
      settle(world);
    }
    expect(world.journal.segments()[0]?.firstSeq).toBeGreaterThan(offsets[9] as number);
    const reader = world.connected("reader");
    reader.subscribe("#", { qos: 1, from: "earliest" });
    settle(world);
    expect(reader.link.payloads).toEqual(["b", "b", "b"]);
    expect(world.journal.fetchesWaiting).toBe(0);
  });
});

describe("another subscription after it gets no old messages, over a restart neither", () => {
  function ackAll(world: World, reader: FakeClient): void {
    settle(world);
    for (const { packetId } of reader.link.delivered) reader.ack(packetId);
    settle(world);
  }

  test("when the replay is done", () => {
    const { world } = history();
    const reader = world.connected("reader", { expiry: 1_000 });
    reader.subscribe("a/#", { qos: 1, from: "earliest" });
    ackAll(world, reader);
    reader.subscribe("b", { qos: 1 });
    world.commit();
    world.restart();
    const again = world.connected("reader", { expiry: 1_000 });
    settle(world);
    world.connected("w2").publish("b", "new");
    settle(world);
    expect(again.link.payloads).toEqual(["new"]);
  });

  test("when its subscription was given up half-way: what is under way stays", () => {
    const { world } = history({ journal: { cachedFrames: 1 } });
    const reader = world.connected("reader", { expiry: 1_000, receiveMaximum: 2 });
    reader.subscribe("a/#", { qos: 1, from: "earliest" });
    settle(world);
    reader.unsubscribe("a/#");
    reader.subscribe("b", { qos: 1 });
    ackAll(world, reader);
    expect(reader.link.payloads).toEqual(["0", "1"]);
    world.restart();
    const again = world.connected("reader", { expiry: 1_000 });
    world.connected("w2").publish("b", "new");
    settle(world);
    expect(again.link.payloads).toEqual(["new"]);
  });

  test("and it keeps what waits for it when the first one goes, over a restart between", () => {
    const { world } = history();
    const reader = world.connected("reader", { expiry: 1_000 });
    reader.subscribe("a/#", { qos: 1, from: "earliest" });
    ackAll(world, reader);
    reader.subscribe("b", { qos: 1 });
    world.commit();
    reader.cut();
    world.connected("w2").publish("b", "new");
    world.commit();
    world.restart();
    const again = world.connected("reader", { expiry: 1_000 });
    again.link.hasRoom = false;
    again.unsubscribe("a/#");
    again.link.hasRoom = true;
    again.settle();
    settle(world);
    expect(again.link.payloads).toEqual(["new"]);
  });
});

test("rights are those of now, for each topic", () => {
  const policy: Policy = {
    roles: {
      writer: { allow: [{ action: "publish", filter: "#" }], deny: [] },
      reader: { allow: [{ action: "subscribe", filter: "#" }], deny: [{ action: "subscribe", filter: "a/3" }] },
    },
    principals: { w: { roles: ["writer"] }, r: { roles: ["reader"] } },
  };
  const { world } = history({ policy });
  const reader = world.connected("reader", { principal: "r" });
  reader.subscribe("#", { qos: 1, from: "earliest" });
  settle(world);
  expect(reader.link.payloads.join(" ")).toBe("0 1 2 4 5 6 7 8 9");
});

describe("refused with a reason", () => {
  test.each([
    ["$share/g/a/#", "earliest" as const, "131 a shared subscription"],
    ["a/#", { offset: 1e9 }, "131 there is no offset 1000000000 yet"],
    ["a/#", { at: 1e15 }, "131 the time to begin at lies in the future"],
  ])("%s from %j", (filter, from, text) => {
    const { world } = history();
    const client = world.connected("reader");
    client.subscribe(filter, { qos: 1, from });
    world.commit();
    expect(`${client.subscribed[0]} ${client.texts[0]}`).toContain(text);
    expect(world.machine.state.session("dev", "reader")?.subscriptions.size).toBe(0);
  });

  test("beside another subscription, and another one beside it until it is done", () => {
    const { world } = history({ journal: { cachedFrames: 0 } });
    const reader = world.connected("reader");
    reader.subscribe("b");
    world.commit();
    reader.subscribe("a/#", { qos: 1, from: "earliest" });
    world.commit();
    reader.unsubscribe("b");
    reader.subscribe("a/#", { qos: 1, from: "earliest" });
    reader.subscribe("b");
    world.commit();
    expect(reader.subscribed).toEqual([2, 0x83, 1, 0x83]);
    expect(reader.texts[1]).toContain("a connection of its own");
    expect(reader.texts[3]).toContain("a replay is under way");
    settle(world);
    for (const { packetId } of reader.link.delivered) reader.ack(packetId);
    settle(world);
    reader.subscribe("b");
    settle(world);
    expect(reader.subscribed.at(-1)).toBe(2);
    expect(reader.link.payloads.join(" ")).toBe("0 1 3 4 6 7 9");
  });

  test("while deliveries are under way", () => {
    const { world } = history();
    const reader = world.connected("reader");
    reader.subscribe("a/#", { qos: 1, from: "earliest" });
    settle(world);
    reader.subscribe("a/#", { qos: 1, from: "earliest" });
    world.commit();
    expect(reader.texts[1]).toContain("deliveries are under way");
  });

  test("over more records than may wait for a session", () => {
    const { world } = history({ limits: { backlogMessagesMax: 5 } });
    const reader = world.connected("reader");
    reader.subscribe("a/#", { qos: 1, from: "earliest" });
    world.commit();
    expect(reader.subscribed).toEqual([0x97]);
    expect(reader.texts[0]).toContain("begin at offset");
  });
});
