import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { readAttribute } from "../model/attributes.ts";
import { MessageView } from "../model/message.ts";
import type { Policy } from "../model/policy.ts";
import type { DelayedPage } from "../model/queue-administration.ts";
import { RecordKind } from "../model/record.ts";
import { declare, FakeConsumer } from "./fake-consumer.test-data.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { World } from "./world.test-data.ts";

function reading(world: World): FakeClient {
  const reader = world.connected("reader", { expiry: 1_000_000 });
  reader.subscribe("#", { qos: 1 });
  world.commit();
  return reader;
}

/** Lets everything happen that can happen now. */
function settle(world: World): void {
  for (let i = 0; i < 20; i++) {
    world.machine.tick();
    world.commit();
    world.journal.answerFetches();
  }
}

function page(world: World, limit: number, after?: DelayedPage["next"]): DelayedPage {
  let found: DelayedPage | undefined;
  world.machine.delayed.page(after, limit, (answer) => {
    found = answer;
  });
  for (let i = 0; i < 20 && found === undefined; i++) {
    world.commit();
    world.journal.answerFetches();
  }
  return found as DelayedPage;
}

test("one of QoS 2 is delayed at its release, whatever is in the frame with it, and found after a restart", () => {
  const world = new World();
  const publisher = world.connected("p", { expiry: 1_000 });
  const deliverAt = world.clock.wall + 60_000;
  publisher.publish("a", "later", { qos: 2, packetId: 9, attributes: { deliverAt } });
  world.commit();
  // The frame has no room left for the message: its buffer is replaced by a larger one.
  publisher.publish("b", "x".repeat(world.journal.openBytes.length - 60));
  publisher.release(9);
  world.commit();
  expect(page(world, 10).messages).toMatchObject([{ topic: "a", dueAt: deliverAt }]);
  world.restart();
  expect(page(world, 10).messages).toMatchObject([{ topic: "a", dueAt: deliverAt }]);
});

test("released at its time, with its origin, and once, over a restart", () => {
  const world = new World();
  reading(world);
  const at = world.clock.wall + 5_000;
  world.connected("writer").publish("a", "later", { attributes: { deliverAt: at, key: "k", id: "x", priority: 3 } });
  const offset = world.journal.lastSeq;
  world.commit();
  world.wait(4_999);
  world.restart();
  const reader = world.connected("reader", { expiry: 1_000_000 });
  world.wait(0);
  expect(reader.link.payloads).toEqual([]);
  world.wait(1);
  expect(reader.link.delivered).toMatchObject([
    { payload: "later", attributes: { key: "k", id: "x", priority: 3, origin: offset } },
  ]);
  expect(reader.link.delivered[0]?.attributes).not.toHaveProperty("deliverAt");
  world.restart();
  world.wait(10_000);
  expect(world.machine.state.counters.released).toBe(0);
  expect(world.machine.state.messageIds.find("dev", "x")).toBe(offset);
});

test("the time has come already: published at once", () => {
  const world = new World();
  const reader = reading(world);
  for (const ago of [0, 1, 1e12])
    world.connected(`w${ago}`).publish("a", `${ago}`, { attributes: { deliverAt: world.clock.wall - ago } });
  world.commit();
  expect(reader.link.payloads).toEqual(["0", "1", "1000000000000"]);
});

test("QoS 2: counts from the release on, later or at once", () => {
  const world = new World();
  const reader = reading(world);
  const writer = world.connected("writer", { expiry: 100 });
  const deliverAt = world.clock.wall + 1_000;
  writer.publish("a", "early", { qos: 2, packetId: 1, attributes: { deliverAt, id: "x" } });
  writer.publish("a", "late", { qos: 2, packetId: 2, attributes: { deliverAt } });
  writer.release(1);
  world.commit();
  expect(world.machine.state.delayed.size).toBe(1);
  world.wait(1_000);
  expect(reader.link.payloads).toEqual(["early"]);
  writer.release(2);
  world.commit();
  expect(reader.link.payloads).toEqual(["early", "late"]);
  expect(writer.link.told.filter((line) => line.startsWith("completed"))).toEqual(["completed 1 0", "completed 2 0"]);
});

test("retained from its release on; expiry counts from there", () => {
  const world = new World();
  const attributes = { deliverAt: world.clock.wall + 1_000_000 };
  world.connected("writer").publish("a", "later", { retain: true, expiry: 10, attributes });
  world.commit();
  expect(world.machine.state.retained.get("a")).toBeUndefined();
  world.wait(1_000_000);
  const reader = world.connected("reader");
  reader.subscribe("a");
  world.commit();
  expect(reader.link.delivered).toMatchObject([{ payload: "later", retain: true, secondsLeft: 10 }]);
});

test("a repeat of its id has the offset it was accepted under", () => {
  const world = new World();
  const writer = world.connected("writer");
  const attributes = { deliverAt: world.clock.wall + 5_000, id: "x" };
  writer.publish("a", "1", { packetId: 1, attributes });
  const offset = world.journal.lastSeq;
  writer.publish("a", "1", { packetId: 2, attributes });
  world.commit();
  expect([...writer.link.receipts.values()]).toEqual([offset, -offset]);
  expect(world.machine.state.delayed.size).toBe(1);
});

describe("refused", () => {
  test("a delay past the longest, and no number at all", () => {
    const world = new World({ limits: { delayMsMax: 1_000 } });
    const writer = world.connected("writer");
    const publish = (deliverAt: number): number => writer.publish("a", "1", { attributes: { deliverAt } });
    expect(publish(world.clock.wall + 1_000)).toBe(0);
    expect(publish(world.clock.wall + 1_001)).toBe(0x83);
    expect(world.machine.explainRefusal()).toBe("a message may be delayed by 1 s at most");
    expect(publish(Number.NaN)).toBe(0x83);
    expect(publish(Number.POSITIVE_INFINITY)).toBe(0x83);
  });

  test("one more than may wait", () => {
    const world = new World({ limits: { delayedMax: 2 } });
    const writer = world.connected("writer");
    const publish = (inMs: number): number =>
      writer.publish("a", "1", { attributes: { deliverAt: world.clock.wall + inMs } });
    expect([publish(10), publish(10), publish(10)]).toEqual([0, 0, 0x97]);
    expect(world.machine.explainRefusal()).toContain("2 delayed messages wait");
    expect(publish(0)).toBe(0x10);
    world.wait(10);
    expect(publish(10)).toBe(0);
  });
});

test("the right to publish is asked for again: without it the message is dropped, told and gone for good", () => {
  const policy = (allow: boolean): Policy => ({
    roles: {
      writer: { allow: allow ? [{ action: "publish", filter: "#" }] : [], deny: [] },
      reader: { allow: [{ action: "subscribe", filter: "#" }], deny: [] },
    },
    principals: { p: { roles: ["writer"] }, r: { roles: ["reader"] } },
  });
  const world = new World({ policy: policy(true) });
  const attributes = { deliverAt: world.clock.wall + 1_000 };
  world.connected("writer", { principal: "p" }).publish("a", "1", { attributes });
  world.machine.credentials.applyPolicy({ policy: policy(false), by: "test" });
  world.wait(1_000);
  expect(world.machine.state.counters).toMatchObject({ released: 0, deniedPublish: 1 });
  expect(world.audited).toContain("acl.deny");
  world.machine.credentials.applyPolicy({ policy: policy(true), by: "test" });
  world.commit();
  world.restart();
  expect(world.machine.state.delayed.size).toBe(0);
});

test("while the disk budget is used up what is due waits", () => {
  const world = new World();
  const reader = reading(world);
  world.connected("writer").publish("a", "1", { attributes: { deliverAt: world.clock.wall + 10 } });
  world.machine.publishing.diskFull = true;
  world.wait(10);
  expect(reader.link.payloads).toEqual([]);
  world.machine.publishing.diskFull = false;
  world.wait(0);
  expect(reader.link.payloads).toEqual(["1"]);
});

test("a full subscription that refuses: tried again until it has room, others go on", () => {
  const world = new World();
  declare(world, "q", { filters: ["a"], maxMessages: 1, overflow: "reject" });
  const reader = reading(world);
  const writer = world.connected("writer");
  for (const [topic, payload] of [
    ["a", "1"],
    ["a", "2"],
    ["b", "3"],
  ] as const)
    writer.publish(topic, payload, { attributes: { deliverAt: world.clock.wall + 10 } });
  world.wait(10);
  expect(reader.link.payloads).toEqual(["1", "3"]);
  world.wait(5_000);
  expect(reader.link.payloads).toEqual(["1", "3"]);
  const consumer = new FakeConsumer(world, "q");
  world.commit();
  consumer.settle("1");
  world.commit();
  world.wait(1_000);
  expect(reader.link.payloads).toEqual(["1", "3", "2"]);
  expect(world.machine.state.delayed.size).toBe(0);
});

test("a record that is not to be had is given up and told", () => {
  const world = new World({ journal: { cachedFrames: 0 } });
  const reader = reading(world);
  const writer = world.connected("writer");
  writer.publish("a", "1", { attributes: { deliverAt: world.clock.wall + 10 } });
  world.commit();
  writer.publish("a", "2", { attributes: { deliverAt: world.clock.wall + 20 } });
  world.commit();
  world.wait(20);
  world.journal.answerFetches(true);
  settle(world);
  expect(world.audited).toContain("delayed.lost");
  expect(reader.link.payloads).toEqual(["2"]);
});

test("pages: by time, and on from where the last one ended; a cancelled one is gone", () => {
  const world = new World({ journal: { cachedFrames: 1 } });
  const writer = world.connected("writer", { principal: "shop" });
  for (const inMs of [30, 10, 20, 10]) {
    writer.publish(`t/${inMs}`, "x", { attributes: { deliverAt: world.clock.wall + inMs } });
    world.commit();
  }
  const first = page(world, 2);
  expect(first.messages).toMatchObject([
    { topic: "t/10", publisher: "shop", dueAt: world.clock.wall + 10 },
    { topic: "t/10", publisher: "shop" },
  ]);
  const second = page(world, 2, first.next);
  expect(second.messages.map(({ topic }) => topic)).toEqual(["t/20", "t/30"]);
  expect(page(world, 2, second.next)).toEqual({ messages: [], next: undefined });
  const { offset } = first.messages[1] as { offset: number };
  expect(world.machine.delayed.cancel(offset)).toBe(true);
  expect(world.machine.delayed.cancel(offset)).toBe(false);
  world.commit();
  world.restart();
  expect(page(world, 10).messages.map(({ topic }) => topic)).toEqual(["t/10", "t/20", "t/30"]);
});

test("carried out of an old segment that holds little else, and released from there", () => {
  const world = new World({ limits: { segmentBytes: 1 } });
  reading(world);
  world.connected("writer").publish("a", "later", { attributes: { deliverAt: world.clock.wall + 100_000 } });
  const offset = world.journal.lastSeq;
  for (let i = 0; i < 4; i++) {
    world.commit();
    world.machine.tidy();
    world.journal.answerFetches();
  }
  world.commit();
  const kept = world.journal.segments().some(({ firstSeq, lastSeq }) => firstSeq <= offset && offset <= lastSeq);
  expect(kept).toBe(false);
  world.restart();
  const reader = world.connected("reader", { expiry: 1_000_000 });
  world.wait(100_000);
  expect(reader.link.delivered).toMatchObject([{ payload: "later", attributes: { origin: offset } }]);
});

test("a segment that is full of them stays: copying would free little", () => {
  const world = new World({ limits: { segmentBytes: 1 } });
  world.connected("writer").publish("a", "x".repeat(2_000), { attributes: { deliverAt: world.clock.wall + 100_000 } });
  const offset = world.journal.lastSeq;
  for (let i = 0; i < 4; i++) {
    world.commit();
    world.machine.tidy();
    world.journal.answerFetches();
  }
  expect(world.machine.state.delayed.get(offset)?.at).toBe(offset);
  expect(world.journal.recordsAfter(0).map(({ kind }) => kind)).not.toContain(RecordKind.messageCarried);
});

// ── against a model ────────────────────────────────────────────────────────────────────────────────────────────

interface Waiting {
  readonly seq: number;
  readonly dueAt: number;
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant("publish" as const), inMs: fc.integer({ min: -5, max: 300 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant("cancel" as const), which: fc.nat() }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(60) }) },
  {
    weight: 1,
    arbitrary: fc.record({ do: fc.constant("jump" as const), ms: fc.constantFrom(-100_000, -50, 100, 100_000) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom("commit", "crash", "tidy", "lose" as const) }) },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** A list, sorted when somebody asks. */
class Model {
  readonly world: World = new World({
    limits: { segmentBytes: 1 },
    journal: { cachedFrames: 1, framesPerSegment: 2 },
  });
  waiting: Waiting[] = [];
  durable: Waiting[] = [];
  readonly #message: MessageView = new MessageView();
  #seen = 0;

  play(one: Step): void {
    const { world } = this;
    switch (one.do) {
      case "publish":
        this.#publish(world.clock.wall + one.inMs);
        return;
      case "cancel": {
        const chosen = this.waiting[one.which % (this.waiting.length + 1)];
        expect(world.machine.delayed.cancel(chosen?.seq ?? 1_000_000)).toBe(chosen !== undefined);
        this.waiting = this.waiting.filter((entry) => entry !== chosen);
        return;
      }
      case "crash":
        world.restart();
        this.waiting = this.durable;
        this.#seen = world.journal.lastSeq;
        break;
      case "wait":
      case "jump":
        world.clock.wall += one.ms;
        if (one.do === "wait") world.clock.steady += one.ms;
        break;
      case "tidy":
        world.commit();
        world.machine.tidy();
        break;
      case "commit":
        world.commit();
    }
    this.#settle();
  }

  #publish(deliverAt: number): void {
    const { world } = this;
    world.connect("writer").publish("a", "x", { attributes: { deliverAt } });
    if (deliverAt > world.clock.wall)
      this.waiting = [...this.waiting, { seq: world.journal.lastSeq, dueAt: deliverAt }];
  }

  #settle(): void {
    settle(this.world);
    const now = this.world.clock.wall;
    const inOrder = [...this.waiting].sort((a, b) => a.dueAt - b.dueAt || a.seq - b.seq);
    const due = inOrder.filter(({ dueAt }) => dueAt <= now).map(({ seq }) => seq);
    expect(this.#released()).toEqual(due);
    this.waiting = this.waiting.filter(({ dueAt }) => dueAt > now);
    this.durable = this.waiting;
    expect(this.world.machine.state.delayed.size).toBe(this.waiting.length);
    const shown = page(this.world, 1_000).messages.map(({ offset }) => offset);
    expect(shown).toEqual(inOrder.map(({ seq }) => seq).slice(due.length));
  }

  /** Origins of the messages that were published since the last call. */
  #released(): number[] {
    const origins: number[] = [];
    for (const { seq, kind, bytes, start, end } of this.world.journal.recordsAfter(this.#seen)) {
      this.#seen = seq;
      if (kind !== RecordKind.messagePublished) continue;
      const origin = readAttribute(this.#message.read(bytes, start, end), "origin");
      if (origin !== undefined) origins.push(origin);
    }
    return origins;
  }
}

test("what waits, what is released and in which order is what a sorted list says, whatever clock, disk and restarts do", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 1, maxLength: 60, size: "max" }), (steps) => {
      const model = new Model();
      for (const one of steps) model.play(one);
      model.play({ do: "wait", ms: 1_000_000 });
      expect(model.world.machine.state.delayed.bytes).toBe(0);
    }),
    { numRuns: 150 },
  );
});
