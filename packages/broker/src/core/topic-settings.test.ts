import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { TopicSettings } from "../model/settings.ts";
import { patternMatches } from "../model/topic-pattern.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { isMoreSpecific } from "./topic-settings.ts";
import { World, type WorldOptions } from "./world.test-data.ts";

function declared(settings: Readonly<Record<string, TopicSettings>>, options: WorldOptions = {}): World {
  const world = new World(options);
  for (const [filter, one] of Object.entries(settings)) {
    expect(world.machine.topics.problem(filter, one)).toBeUndefined();
    world.machine.topics.declare("admin", filter, one);
  }
  world.commit();
  return world;
}

function reading(world: World, qos: 0 | 1 = 1): FakeClient {
  const reader = world.connected("reader", { expiry: 1_000 });
  reader.subscribe("#", { qos });
  world.commit();
  return reader;
}

describe("the most specific filter counts, as a whole", () => {
  test.each([
    ["a/b/c", ["a/b/c", "a/b/+", "a/+/c", "a/b/#", "#"], "a/b/c"],
    ["a/b/c", ["a/b/#", "a/+/c", "+/b/c"], "a/b/#"],
    ["a/b/c", ["+/b/c", "a/#", "#"], "a/#"],
    ["a/b/c", ["+/+/+", "+/#", "#"], "+/+/+"],
    ["a", ["a/#", "a"], "a"],
    ["a", ["a/#", "+"], "a/#"],
  ])("%s in %j: %s", (topic, filters, best) => {
    const world = declared(Object.fromEntries(filters.map((filter) => [filter, {}])));
    const found = world.machine.state.topicSettings.of(world.machine.publishing.topicNamed(topic));
    expect(found?.filter).toBe(best);
  });

  test("whatever the filters: the one that all others are less specific than", () => {
    const level = fc.constantFrom("a", "b", "+");
    const filter = fc
      .tuple(fc.array(level, { minLength: 0, maxLength: 3 }), fc.boolean())
      .map(([levels, all]) => [...levels, ...(all || levels.length === 0 ? ["#"] : [])].join("/"));
    const topic = fc.array(fc.constantFrom("a", "b"), { minLength: 1, maxLength: 4 }).map((levels) => levels.join("/"));
    fc.assert(
      fc.property(fc.uniqueArray(filter, { maxLength: 8 }), topic, (filters, name) => {
        const world = declared(Object.fromEntries(filters.map((one) => [one, {}])));
        const matching = filters.filter((one) => patternMatches(one, name));
        const found = world.machine.state.topicSettings.of(world.machine.publishing.topicNamed(name));
        expect(matching.length > 0).toBe(found !== undefined);
        for (const other of matching)
          if (other !== found?.filter) {
            expect(isMoreSpecific(found?.filter ?? "", other)).toBe(true);
            expect(isMoreSpecific(other, found?.filter ?? "")).toBe(false);
          }
      }),
    );
  });

  test("a change counts for the next message; a deleted one no more", () => {
    const world = declared({ "a/#": { maxMessageBytes: 1 } });
    const writer = world.connected("writer");
    expect(writer.publish("a/b", "12")).toBe(0x97);
    expect(world.machine.topics.declare("admin", "a/b", { maxMessageBytes: 2 })).toBe(true);
    expect(writer.publish("a/b", "12")).toBe(0x10);
    expect(world.machine.topics.declare("admin", "a/b", { maxMessageBytes: 1 })).toBe(false);
    expect(writer.publish("a/b", "12")).toBe(0x97);
    expect(world.machine.topics.delete("admin", "a/b")).toBe(true);
    expect(world.machine.topics.delete("admin", "a/#")).toBe(true);
    expect(world.machine.topics.delete("admin", "a/#")).toBe(false);
    expect(writer.publish("a/b", "12")).toBe(0x10);
  });

  test.each([false, true])("is known after a restart; with a snapshot: %s", (withSnapshot) => {
    const settings = { maxMessageBytes: 3, key: "a/{id}", schema: { const: "x" }, retention: { ageMs: 5 }, owner: "o" };
    const world = declared({ "a/#": settings, gone: {} });
    world.machine.topics.delete("admin", "gone");
    world.commit();
    if (withSnapshot) world.snapshot();
    world.restart();
    const [known, ...others] = [...world.machine.state.topicSettings.values()];
    expect(others).toEqual([]);
    expect(known).toMatchObject({ filter: "a/#", settings, by: "admin", at: world.clock.wall });
    expect(world.connected("writer").publish("a/1", "y")).toBe(0x99);
  });
});

describe("maxMessageBytes", () => {
  test("payload and properties count; the limit itself is allowed; the text names both", () => {
    const world = declared({ "a/#": { maxMessageBytes: 10 } });
    const writer = world.connected("writer");
    expect(writer.publish("a", "1234567890")).toBe(0x10);
    expect(writer.publish("a", "12345678901")).toBe(0x97);
    expect(world.machine.explainRefusal()).toBe(
      'payload and properties have 11 bytes; "a/#" is declared to have 10 at most',
    );
    expect(writer.publish("a", "123456", { headers: "x=y" })).toBe(0x10);
    expect(writer.publish("a", "12345678", { headers: "x=y" })).toBe(0x97);
    expect(writer.publish("a", "12345678901", { qos: 2 })).toBe(0x97);
    expect(world.machine.state.counters.contentRefused).toBe(3);
  });
});

describe("schema", () => {
  test("refused with where and what", () => {
    const world = declared({ a: { schema: { const: "good" } } });
    const writer = world.connected("writer");
    expect(writer.publish("a", "good")).toBe(0x10);
    expect(writer.publish("a", "bad")).toBe(0x99);
    expect(world.machine.explainRefusal()).toBe('against the schema of "a": must be good');
    expect(writer.publish("a", "bad", { qos: 0, retain: true })).toBe(0x99);
    expect(writer.publish("b", "bad")).toBe(0x10);
  });

  test("clearing what is retained is no message", () => {
    const world = declared({ a: { schema: { const: "good" } } });
    const writer = world.connected("writer");
    writer.publish("a", "good", { retain: true });
    expect(writer.publish("a", "", { retain: true })).toBe(0x10);
    expect(writer.publish("a", "")).toBe(0x99);
  });

  test("a will against it is not sent, and told", () => {
    const world = declared({ a: { schema: { const: "good" } } });
    const reader = reading(world);
    world.connected("weak", { will: { topic: "a", payload: Buffer.from("bad") } }).cut();
    world.connected("strong", { will: { topic: "a", payload: Buffer.from("good") } }).cut();
    world.commit();
    expect(reader.link.payloads).toEqual(["good"]);
    expect(world.audited).toContain("will.refused");
  });

  test("that cannot be used any more after a restart: everything is refused", () => {
    const world = declared({ a: { schema: { const: "good" } } });
    world.options.schemas = { compile: () => ({ problem: "too new" }) };
    world.restart();
    expect(world.connected("writer").publish("a", "good")).toBe(0x99);
    expect(world.machine.explainRefusal()).toContain("too new");
  });
});

describe("QoS 0 on its way", () => {
  test("messages are looked at: what comes before a bad one goes, the bad one and the rest do not", () => {
    const world = declared({ a: { schema: { const: "good" } } });
    const reader = reading(world, 0);
    const group = world.connected("member");
    group.subscribe("$share/g/a", { qos: 0 });
    const writer = world.connected("writer");
    expect(writer.liveRun("a", ["good", "good"])).toBe(0);
    expect(reader.link.payloads).toEqual(["good", "good"]);
    expect(writer.liveRun("a", ["good", "bad", "good"])).toBe(0x99);
    expect(reader.link.payloads).toEqual(["good", "good", "good"]);
    expect(group.link.payloads).toEqual(["good", "good", "good"]);
    expect(world.machine.state.counters.publishedQoS0).toBe(3);
  });

  test("a topic that keeps messages keeps them too, and every reader gets them from there", () => {
    const world = declared({ "a/#": { retention: { ageMs: 1_000 } } });
    const reader = reading(world, 1);
    const writer = world.connected("writer");
    const before = world.journal.lastSeq;
    expect(writer.liveRun("a/b", ["1", "2"])).toBe(0);
    expect(world.journal.recordsAfter(before).map(({ kind }) => kind)).toEqual([1, 1]);
    world.commit();
    expect(reader.link.delivered).toMatchObject([
      { payload: "1", qos: 0 },
      { payload: "2", qos: 0 },
    ]);
    world.machine.publishing.diskFull = true;
    expect(writer.liveRun("a/b", ["3"])).toBe(0);
    expect(reader.link.payloads).toEqual(["1", "2", "3"]);
  });
});

describe("the key of a topic", () => {
  const keys = (client: FakeClient): (string | undefined)[] =>
    client.link.delivered.map(({ attributes }) => attributes?.key);

  test("is given to messages that have none", () => {
    const world = declared({ "orders/#": { key: "orders/{id}/#" } });
    const reader = reading(world);
    const writer = world.connected("writer", { expiry: 100 });
    writer.publish("orders/7/created", "1");
    writer.publish("orders/7", "2", { attributes: { priority: 3 } });
    writer.publish("orders/7", "3", { attributes: { key: "mine", id: "x" } });
    writer.publish("orders/8", "4", { qos: 2, packetId: 9 });
    writer.release(9);
    writer.publish("orders", "5");
    writer.publish("orders//x", "6");
    writer.publish("bills/7", "7");
    writer.publish("orders/9", "8", { attributes: { id: "y" } });
    world.commit();
    expect(keys(reader)).toEqual(["7", "7", "mine", "8", undefined, undefined, undefined, "9"]);
    expect(reader.link.delivered[1]?.attributes).toEqual({ key: "7", priority: 3 });
    expect(world.machine.state.messageIds.size).toBe(2);
  });

  test("is refused where it is longer than a key may be, unless the publisher gives another", () => {
    const world = declared({ "#": { key: "{id}/#" } }, { limits: { messageKeyBytesMax: 4 } });
    const writer = world.connected("writer");
    expect(writer.publish("1234/x", "")).toBe(0x10);
    expect(writer.publish("12345/x", "")).toBe(0x83);
    expect(world.machine.explainRefusal()).toContain("more than 4 bytes");
    expect(writer.publish("12345/x", "", { attributes: { key: "k" } })).toBe(0x10);
  });
});

describe("declarations that are none", () => {
  test.each<[string, TopicSettings, string]>([
    ["a/#/b", {}, "`#` stands alone"],
    ["", {}, "at least one character"],
    ["$mess/x", {}, "the broker's own"],
    ["a", { key: "a/b" }, "one level in braces"],
    ["a", { key: "a/{x}/{y}" }, "one level in braces"],
    ["a", { key: "a/x{y}" }, "one level in braces"],
    ["a", { key: "a/{x}/#/b" }, "`#` stands alone"],
    ["a", { schema: { type: "nonsense" } }, "the keyword is not known"],
    ["a", { schema: { const: "x".repeat(70_000) } }, "at most 65536 bytes"],
  ])("%s %j", (filter, settings, text) => {
    expect(new World().machine.topics.problem(filter, settings)).toContain(text);
  });

  test("one more than there may be; another form of a known one is none more", () => {
    const world = declared({ a: {} }, { limits: { declaredTopicsMax: 1 } });
    expect(world.machine.topics.problem("b", {})).toContain("1 topics are declared");
    expect(world.machine.topics.problem("a", { maxMessageBytes: 1 })).toBeUndefined();
  });
});

describe("retention", () => {
  /** One frame, one segment each. */
  function history(retention: TopicSettings["retention"]): { world: World; publish: (topic: string) => number } {
    const world = declared({ "kept/#": retention === undefined ? {} : { retention } }, { limits: { segmentBytes: 1 } });
    const writer = world.connected("writer");
    return {
      world,
      publish: (topic) => {
        writer.publish(topic, "x".repeat(100));
        const seq = world.journal.lastSeq;
        world.commit();
        return seq;
      },
    };
  }

  function tidy(world: World): void {
    for (let i = 0; i < 3; i++) {
      world.machine.tidy();
      world.journal.answerFetches();
      world.commit();
    }
  }

  const isThere = (world: World, seq: number): boolean =>
    world.journal.segments().some(({ firstSeq, lastSeq }) => firstSeq <= seq && seq <= lastSeq);

  test("by age: kept so long, then gone; what is not declared goes at once", () => {
    const { world, publish } = history({ ageMs: 10_000 });
    const kept = publish("kept/1");
    const other = publish("other");
    tidy(world);
    expect([isThere(world, kept), isThere(world, other)]).toEqual([true, false]);
    world.wait(10_000);
    tidy(world);
    expect(isThere(world, kept)).toBe(true);
    world.wait(1);
    tidy(world);
    expect(isThere(world, kept)).toBe(false);
  });

  test("by bytes: the newest so many", () => {
    const { world, publish } = history({ bytes: 390 });
    const seqs = Array.from({ length: 6 }, () => publish("kept/1"));
    tidy(world);
    const kept = seqs.map((seq) => isThere(world, seq));
    expect(kept).toEqual([false, false, false, true, true, true]);
  });

  test("over a restart with and without a snapshot; through another declaration of the same filter", () => {
    const { world, publish } = history({ ageMs: 10_000 });
    const first = publish("kept/1");
    world.snapshot();
    const second = publish("kept/2");
    world.restart();
    tidy(world);
    expect([isThere(world, first), isThere(world, second)]).toEqual([true, true]);
    world.machine.topics.declare("admin", "kept/#", { retention: { ageMs: 20_000 } });
    world.wait(15_000);
    tidy(world);
    expect([isThere(world, first), isThere(world, second)]).toEqual([true, true]);
    world.machine.topics.delete("admin", "kept/#");
    world.commit();
    tidy(world);
    expect([isThere(world, first), isThere(world, second)]).toEqual([false, false]);
  });
});
