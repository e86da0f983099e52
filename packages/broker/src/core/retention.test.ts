import { describe, expect, test } from "vitest";
import { World } from "./world.test-data.ts";

const day = 86_400;

/** A world whose journal is a segment a frame. */
function world(): World {
  return new World({ journal: { framesPerSegment: 1 } });
}

function segmentOf(of: World, seq: number): boolean {
  return of.journal.segments().some(({ firstSeq, lastSeq }) => seq >= firstSeq && seq <= lastSeq);
}

function settle(of: World): void {
  for (let i = 0; i < 4; i++) {
    of.snapshot();
    of.machine.tidy();
    of.journal.answerFetches();
    of.commit();
  }
}

describe("a segment is dropped when a snapshot stands after it and nothing in it is waited for (I14)", () => {
  test("not without a snapshot", () => {
    const of = world();
    const publisher = of.connected("p");
    for (let i = 0; i < 5; i++) {
      publisher.publish("a", "x");
      of.commit();
    }
    of.machine.tidy();
    expect(of.journal.dropped).toEqual([]);
    settle(of);
    expect(of.journal.dropped.length).toBeGreaterThan(4);
  });

  for (const [what, filter] of [
    ["session", "a"],
    ["shared subscription", "$share/g/a"],
  ] as const) {
    test(`not while a ${what} that is away waits for a message in it`, () => {
      const of = world();
      const reader = of.connected("r", { expiry: day });
      reader.subscribe(filter, { qos: 1 });
      of.commit();
      reader.cut();
      const publisher = of.connected("p");
      publisher.publish("a", "waits");
      const seq = of.journal.lastSeq;
      of.commit();
      settle(of);
      expect(segmentOf(of, seq)).toBe(true);
      of.restart();
      const again = of.connected("r", { expiry: day });
      expect(again.link.payloads).toEqual(["waits"]);
      again.ack(again.link.delivered[0]?.packetId ?? 0);
      of.commit();
      settle(of);
      expect(segmentOf(of, seq)).toBe(false);
    });
  }

  test("not while a message in it is under way", () => {
    const of = world();
    const reader = of.connected("r", { expiry: day });
    reader.subscribe("a");
    const publisher = of.connected("p");
    publisher.publish("a", "x", { qos: 2, packetId: 1 });
    publisher.release(1);
    const seq = of.journal.lastSeq;
    of.commit();
    expect(reader.link.payloads).toEqual(["x"]);
    settle(of);
    expect(segmentOf(of, seq)).toBe(true);
    of.restart();
    expect(of.connected("r", { expiry: day }).link.payloads).toEqual(["x"]);
  });

  test("a retained message is carried out of it, under its number, over restarts", () => {
    const of = world();
    const publisher = of.connected("p");
    publisher.publish("a", "kept", { retain: true });
    const seq = of.journal.lastSeq;
    of.commit();
    settle(of);
    expect(segmentOf(of, seq)).toBe(false);
    const entry = of.machine.state.retained.get("a");
    expect([entry?.seq === seq, (entry?.at ?? 0) > seq]).toEqual([true, true]);
    of.restart();
    settle(of);
    of.restart();
    const reader = of.connected("r");
    reader.subscribe("a");
    of.commit();
    expect(reader.link.delivered).toMatchObject([{ payload: "kept", retain: true }]);
  });

  test("one under way to a subscriber stays readable when it was carried and then replaced", () => {
    const of = world();
    const publisher = of.connected("p");
    publisher.publish("a", "old", { retain: true });
    of.commit();
    settle(of);
    const reader = of.connected("r", { expiry: day });
    reader.subscribe("a", { qos: 1 });
    of.commit();
    expect(reader.link.payloads).toEqual(["old"]);
    publisher.publish("a", "new", { retain: true });
    of.commit();
    settle(of);
    reader.cut();
    const again = of.connected("r", { expiry: day });
    expect(again.link.delivered).toMatchObject([{ payload: "old", dup: true, retain: true }, { payload: "new" }]);
  });

  test("held QoS 2 messages need no segment: the snapshot has them", () => {
    const of = world();
    const publisher = of.connected("p", { expiry: day });
    const reader = of.connected("r", { expiry: day });
    reader.subscribe("a", { qos: 1 });
    publisher.publish("a", "held", { qos: 2, packetId: 9 });
    const seq = of.journal.lastSeq;
    of.commit();
    settle(of);
    expect(segmentOf(of, seq)).toBe(false);
    of.restart();
    const again = of.connected("p", { expiry: day });
    again.release(9);
    of.commit();
    expect(again.link.told.at(-1)).toBe("completed 9 0");
    expect(of.connected("r", { expiry: day }).link.payloads).toEqual(["held"]);
  });
});

test("a session that more waits for than may is ended, with an audit record and its disk", () => {
  const of = new World({ journal: { framesPerSegment: 1 }, limits: { backlogMessagesMax: 3 } });
  const reader = of.connected("r", { expiry: day });
  reader.subscribe("a", { qos: 1 });
  of.commit();
  reader.cut();
  const publisher = of.connected("p");
  for (let i = 0; i < 4; i++) publisher.publish("a", `${i}`);
  of.commit();
  of.machine.tidy();
  of.commit();
  expect(of.machine.state.session("dev", "r")).toBeUndefined();
  expect(of.audited).toContain("limit.hit");
  of.restart();
  expect(of.machine.state.session("dev", "r")).toBeUndefined();
});

test("a shared subscription that more waits for than may is ended, and its members are told", () => {
  const of = new World({ journal: { framesPerSegment: 1 }, limits: { backlogMessagesMax: 3 } });
  const away = of.connected("away", { expiry: day });
  away.subscribe("$share/g/a", { qos: 1 });
  const slow = of.connected("slow", { expiry: day });
  slow.subscribe("$share/g/a", { qos: 1 });
  of.commit();
  away.cut();
  slow.link.hasRoom = false;
  const publisher = of.connected("p");
  for (let i = 0; i < 4; i++) publisher.publish("a", `${i}`);
  of.commit();
  of.machine.tidy();
  of.commit();
  expect([slow.link.ended, of.machine.state.groups.size]).toEqual(["quota", 0]);
  of.restart();
  expect(of.machine.state.groups.size).toBe(0);
  expect(of.machine.state.session("dev", "away")?.subscriptions.size).toBe(0);
});
