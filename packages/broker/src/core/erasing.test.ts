import fc from "fast-check";
import { describe, expect, it, test } from "vitest";
import type { MessagePage } from "../model/queue-administration.ts";
import type { TopicSettings } from "../model/settings.ts";
import type { ErasureSelection } from "./erasure-domains.ts";
import { deadOf, declare, FakeConsumer } from "./fake-consumer.test-data.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { checkInvariants } from "./invariants.ts";
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

function erase(world: World, selection: ErasureSelection): number | undefined {
  let erased: number | undefined = -1;
  world.machine.erasing.erase("admin", selection, (count) => {
    erased = count;
  });
  world.commit();
  return erased;
}

/** A session that is away, and what waits for it. */
function away(world: World, filter: string, qos: 0 | 1 | 2 = 1): void {
  const client = world.connected("reader", { expiry: 1_000 });
  client.subscribe(filter, { qos });
  world.commit();
  client.cut();
  world.commit();
}

/** Comes back and acknowledges everything it is given. */
function comesBack(world: World): string[] {
  const client = world.connected("reader", { expiry: 1_000 });
  world.commit();
  for (const { packetId, qos } of [...client.link.delivered]) if (qos > 0) client.ack(packetId, qos === 2 ? 2 : 1);
  world.commit();
  return client.link.payloads;
}

const byTopic = { "u/#": { erasure: "topic" } } as const;
const byKey = { "u/#": { erasure: "key" } } as const;
const lives = [
  ["in the same life", () => undefined],
  ["after a restart", (world: World) => world.restart()],
  ["after a restart from the beginning", (world: World) => world.restart(0)],
  [
    "after a snapshot and a restart",
    (world: World) => {
      world.snapshot();
      world.restart();
    },
  ],
] as const satisfies readonly (readonly [string, (world: World) => void])[];

describe.each(lives)("what is erased is given to nobody, %s", (_, next) => {
  it("not to a session that was away, nor to a shared subscription", () => {
    const world = declared(byTopic);
    away(world, "#");
    const member = world.connected("member", { expiry: 1_000 });
    member.subscribe("$share/g/#");
    world.commit();
    member.cut();
    const writer = world.connected("writer");
    for (const topic of ["u/1", "u/2", "v/1"]) writer.publish(topic, `of ${topic}`);
    world.commit();
    expect(erase(world, { filter: "u/1" })).toBe(1);
    next(world);
    expect(comesBack(world)).toEqual(["of u/2", "of v/1"]);
    const again = world.connected("member", { expiry: 1_000 });
    world.commit();
    expect(again.link.payloads).toEqual(["of u/2", "of v/1"]);
    expect(checkInvariants(world.machine.state)).toEqual([]);
    expect(world.machine.state.session("dev", "reader")?.backlog.count).toBe(0);
  });

  it("not as a retained message; one that is published after it is", () => {
    const world = declared(byTopic);
    const writer = world.connected("writer");
    for (const topic of ["u/1", "u/2"]) writer.publish(topic, `old ${topic}`, { retain: true });
    world.commit();
    erase(world, { filter: "u/+" });
    world.connected("writer2").publish("u/2", "new u/2", { retain: true });
    world.commit();
    next(world);
    const reader = world.connected("r");
    reader.subscribe("u/#");
    world.commit();
    expect(reader.link.payloads).toEqual(["new u/2"]);
    expect(world.machine.state.retained.count).toBe(1);
  });

  it("not by a declared subscription, whose counts stay right; not as a dead letter, nor redriven", () => {
    const world = declared(byKey);
    declare(world, "q", { filters: ["u/#"], maxDeliveries: 1 });
    const writer = world.connected("writer");
    const send = (key: string, payload: string): number => writer.publish("u/1", payload, { attributes: { key } });
    send("ann", "ann 1");
    send("bob", "bob 1");
    send("ann", "ann 2");
    send("bob", "bob 2");
    world.commit();
    const consumer = new FakeConsumer(world, "q", { messages: 2 });
    world.commit();
    for (const payload of ["ann 1", "bob 1"]) consumer.settle(payload, { verb: "reject", reason: "no" });
    world.commit();
    consumer.leave();
    world.commit();
    expect(deadOf(world, "q").map(({ payload }) => payload)).toEqual(["ann 1", "bob 1"]);
    expect(erase(world, { filter: "u/#", key: "ann" })).toBe(1);
    next(world);
    let page: MessagePage | undefined;
    world.machine.queues.dead("q", { from: 1, limit: 10 }, (found) => {
      page = found;
    });
    world.commit();
    expect(page?.messages.map(({ payload }) => Buffer.from(payload).toString())).toEqual(["bob 1"]);
    const rest = new FakeConsumer(world, "q");
    world.commit();
    expect(rest.payloads).toEqual(["bob 2"]);
    rest.settle("bob 2");
    world.machine.queues.redrive("q", { by: "admin", selection: {} }, () => undefined);
    world.commit();
    expect(rest.payloads).toEqual(["bob 2", "bob 1"]);
    rest.settle("bob 1");
    world.commit();
    expect(world.machine.state.queues.get("q")).toMatchObject({ messages: 0, bytes: 0, deadCount: 0 });
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });

  it("not when its delay is over, nor when its QoS 2 is released, nor to who browses", () => {
    const world = declared(byTopic);
    away(world, "#");
    const writer = world.connected("writer", { expiry: 1_000 });
    const deliverAt = world.clock.wall + 5_000;
    for (const topic of ["u/1", "u/2"]) {
      writer.publish(topic, `late ${topic}`, { attributes: { deliverAt } });
      writer.publish(topic, `held ${topic}`, { qos: 2, packetId: topic === "u/1" ? 101 : 102 });
      writer.publish(topic, `plain ${topic}`);
    }
    world.commit();
    erase(world, { filter: "u/1" });
    next(world);
    const back = world.connected("writer", { expiry: 1_000 });
    back.release(101);
    back.release(102);
    world.wait(10_000);
    expect(comesBack(world).sort()).toEqual(["held u/2", "late u/2", "plain u/2"]);
    let browsed: string[] = [];
    const request = { filter: "#", from: { offset: 1 }, limit: 100, bytesMax: 1_000_000 };
    world.machine.browsing.browse("dev", request, (page) => {
      if ("messages" in page) browsed = page.messages.map(({ payload }) => Buffer.from(payload).toString());
    });
    world.commit();
    expect(browsed.sort()).toEqual(["held u/2", "late u/2", "plain u/2"]);
    expect(world.machine.state.delayed.size).toBe(0);
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });

  it("not as QoS 2 that is under way", () => {
    const world = declared(byTopic);
    const reader = world.connected("reader", { expiry: 1_000 });
    reader.subscribe("#", { qos: 2 });
    world.commit();
    const writer = world.connected("writer");
    for (const topic of ["u/1", "u/2"]) writer.publish(topic, `of ${topic}`, { qos: 1 });
    world.commit();
    reader.cut();
    world.commit();
    erase(world, { filter: "u/1" });
    next(world);
    const again = world.connected("reader", { expiry: 1_000 });
    world.commit();
    expect(again.link.payloads).toEqual(["of u/2"]);
    expect(checkInvariants(world.machine.state)).toEqual([]);
  });
});

describe("domains", () => {
  it("are made for topics and keys, and an erased one is never used again", () => {
    const world = declared({ ...byKey, "t/#": { erasure: "topic" }, "k/#": { erasure: "key", key: "k/{id}" } });
    const writer = world.connected("writer");
    writer.publish("u/1", "no key");
    writer.publish("u/2", "no key either");
    writer.publish("u/2", "with one", { attributes: { key: "ann" } });
    writer.publish("t/1", "topic");
    writer.publish("t/1", "topic again");
    writer.publish("k/7", "key by topic");
    writer.publish("other", "none");
    world.commit();
    const names = (): string[] =>
      [...world.machine.state.erasure.values()].map(
        ({ number, by, filter, name }) => `${number} ${by} ${filter} ${name}`,
      );
    const all = ["1 key u/# ", "2 key u/# ann", "3 topic t/# t/1", "4 key k/# 7"];
    expect(names()).toEqual(all);
    expect(world.journal.domains).toEqual(new Set([1, 2, 3, 4]));
    world.restart();
    expect(names()).toEqual(all);
    expect(erase(world, { filter: "k/#", key: "7" })).toBe(1);
    expect(world.journal.domains).toEqual(new Set([1, 2, 3]));
    world.connected("w").publish("k/7", "new");
    world.commit();
    expect(names()).toEqual([...all.slice(0, 3), "5 key k/# 7"]);
    expect(world.audited).toContain("erasure.erased");
  });

  test.each([
    ["a/b", ["a/b"]],
    ["a/+", ["a/b", "a/c"]],
    ["#", ["a/b", "a/c", "k/# ann", "k/# bob", "k/+ ann"]],
    ["k/#", ["k/# ann", "k/# bob", "k/+ ann"]],
    ["k/+", ["k/+ ann"]],
    ["k/x", []],
  ])("are selected by a filter: %s", (filter, expected) => {
    const world = declared({ "a/#": { erasure: "topic" }, "k/#": { erasure: "key" }, "k/+": { erasure: "key" } });
    const writer = world.connected("writer");
    for (const topic of ["a/b", "a/c"]) writer.publish(topic, "x");
    for (const key of ["ann", "bob"]) writer.publish("k/1/2", "x", { attributes: { key } });
    writer.publish("k/1", "x", { attributes: { key: "ann" } });
    world.commit();
    const { erasure } = world.machine.state;
    const selected = new Set(erasure.select({ filter }));
    const chosen = [...erasure.values()].filter(({ number }) => selected.has(number));
    expect(chosen.map((domain) => (domain.by === "topic" ? domain.name : `${domain.filter} ${domain.name}`))).toEqual(
      expected,
    );
  });

  it("are bounded: a publish that needs one more is refused, others are not", () => {
    const world = declared(byKey, { limits: { erasureDomainsMax: 2 } });
    const writer = world.connected("writer");
    const send = (key: string): number => writer.publish("u/1", "x", { attributes: { key } });
    expect([send("a"), send("b"), send("c"), send("a")]).toEqual([0x10, 0x10, 0x97, 0x10]);
    expect(world.machine.explainRefusal()).not.toBe("");
    expect(writer.publish("u/1", "x", { qos: 2, attributes: { key: "d" } })).toBe(0x97);
    expect(writer.publish("v", "x")).toBe(0x10);
    world.commit();
    erase(world, { filter: "u/#", key: "a" });
    expect(send("c")).toBe(0x10);
  });

  it("of which nothing is left make room for others", () => {
    const world = declared(byKey, {
      limits: { erasureDomainsMax: 3, segmentBytes: 1 },
      journal: { framesPerSegment: 1 },
    });
    const writer = world.connected("writer");
    for (let i = 0; i < 60; i++) {
      expect(writer.publish("u/1", `${i}`, { attributes: { key: `key ${i}` } })).toBe(0x10);
      world.commit();
      world.machine.retention.snapshot();
      world.commit();
      world.machine.tidy();
      world.commit();
    }
    expect(world.machine.state.erasure.size).toBeLessThan(4);
    expect(world.journal.domains.size).toBeLessThan(4);
    expect(world.machine.state.erasure.destroying.size).toBe(0);
  });

  it("whose key is gone without an erasure keep the broker from starting", () => {
    const world = declared(byTopic);
    world.connected("writer").publish("u/1", "x");
    world.commit();
    world.journal.destroyDomains([1], () => undefined);
    expect(() => world.restart()).toThrow(/domain 1/u);
  });

  it("that were erased in the journal alone are destroyed at the next start", () => {
    const world = declared(byTopic);
    world.connected("writer").publish("u/1", "x");
    world.commit();
    // The process dies between the record and the destruction.
    Object.assign(world.journal, { destroyDomains: () => undefined });
    world.machine.erasing.erase("admin", { filter: "u/1" }, () => undefined);
    world.commit();
    expect(world.journal.domains.has(1)).toBe(true);
    world.snapshot();
    world.restart();
    expect(world.journal.domains.has(1)).toBe(false);
    expect(world.machine.state.erasure.destroying.size).toBe(0);
  });
});

type Step =
  | { readonly do: "publish"; readonly topic: number; readonly key: number; readonly how: number }
  | { readonly do: "erase"; readonly topic: number; readonly key: number }
  | { readonly do: "read" | "cut" | "consume" | "restart" | "snapshot" | "wait" | "commit" };

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 8,
    arbitrary: fc.record({ do: fc.constant("publish" as const), topic: fc.nat(3), key: fc.nat(2), how: fc.nat(5) }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("erase" as const), topic: fc.nat(3), key: fc.nat(2) }) },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constantFrom("read", "cut", "consume", "restart", "snapshot", "wait", "commit"),
    }) as fc.Arbitrary<Step>,
  },
);

/** Plays a history, and notes what was delivered although it had been erased before. */
class History {
  readonly world: World = declared({ "t/#": { erasure: "topic" }, "k/#": { erasure: "key" } });
  readonly #domainOf: Map<string, string> = new Map();
  readonly #erased: Set<string> = new Set();
  readonly leaks: string[] = [];
  #reader: FakeClient | undefined;
  #consumer: FakeConsumer | undefined;
  #count = 0;

  constructor() {
    declare(this.world, "all", { filters: ["#"], maxDeliveries: 2 });
    declare(this.world, "some", { filters: ["#"], where: { colour: "red" }, ordering: "key" });
    away(this.world, "#", 2);
  }

  play(one: Step): void {
    const { world } = this;
    if (one.do === "publish") this.#publish(one);
    else if (one.do === "erase") this.#erase(one);
    else if (one.do === "read") this.#read();
    else if (one.do === "consume") this.#consume();
    else if (one.do === "snapshot") world.snapshot();
    else if (one.do === "wait") world.wait(3_000);
    else if (one.do === "commit") world.commit();
    else if (one.do === "restart") {
      world.commit();
      world.restart();
      this.#reader = undefined;
      this.#consumer = undefined;
    } else {
      if (this.#reader?.isOn === true) this.#reader.cut();
      this.#consumer?.leave();
      this.#consumer = undefined;
      world.commit();
    }
  }

  #publish({ topic, key, how }: { topic: number; key: number; how: number }): void {
    const writer = this.world.connected(`writer ${this.#count}`);
    const name = topic < 2 ? `t/${topic}` : `k/${topic}`;
    const payload = `message ${this.#count++}`;
    this.#domainOf.set(payload, topic < 2 ? name : `key ${key}`);
    const attributes = { key: `key ${key}`, ...(how === 1 && { deliverAt: this.world.clock.wall + 4_000 }) };
    const headers = how % 2 === 0 ? "colour=red" : "colour=blue";
    if (how === 2) {
      writer.publish(name, payload, { qos: 2, packetId: 1, attributes, headers });
      this.world.commit();
      writer.release(1);
    } else writer.publish(name, payload, { attributes, headers, retain: how === 3 });
    if (how > 3) this.world.commit();
  }

  #erase({ topic, key }: { topic: number; key: number }): void {
    const domain = topic < 2 ? `t/${topic}` : `key ${key}`;
    // Not asked to wait: it counts from the moment that it is asked for.
    const selection = topic < 2 ? { filter: domain } : { filter: "k/#", key: domain };
    this.world.machine.erasing.erase("admin", selection, () => undefined);
    for (const [payload, of] of this.#domainOf) if (of === domain) this.#erased.add(payload);
  }

  #given(payload: string): void {
    if (this.#erased.has(payload) || !this.#domainOf.has(payload)) this.leaks.push(payload);
  }

  #read(): void {
    if (this.#reader?.isOn !== true) {
      this.#reader = this.world.connect("reader", { expiry: 1_000 });
      this.#reader.link.onDelivered = ({ payload }) => this.#given(payload);
    }
    this.world.commit();
    const { link } = this.#reader;
    for (const { packetId, qos } of link.delivered.splice(0))
      if (qos > 0) this.#reader.ack(packetId, qos === 2 ? 2 : 1);
    this.world.commit();
    for (const packetId of link.released.splice(0)) this.#reader.ack(packetId, 3);
  }

  #consume(): void {
    for (const name of ["all", "some"]) {
      const consumer = new FakeConsumer(this.world, name, { messages: 2 });
      consumer.onTaken = ({ payload }) => this.#given(payload);
      this.world.commit();
      for (const [i, { payload }] of [...consumer.taken].entries())
        consumer.settle(payload, i % 2 === 0 ? { verb: "ack" } : { verb: "reject", reason: "no" });
      this.world.commit();
      consumer.leave();
    }
    this.world.commit();
  }
}

it("whatever happens: nothing erased is delivered, and the state stays whole", () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const history = new History();
      for (const one of steps) {
        history.play(one);
        expect(history.leaks).toEqual([]);
      }
      history.play({ do: "restart" });
      for (let i = 0; i < 3; i++) for (const what of ["read", "consume", "wait"] as const) history.play({ do: what });
      expect(history.leaks).toEqual([]);
      expect(checkInvariants(history.world.machine.state)).toEqual([]);
      history.world.restart(0);
      expect(checkInvariants(history.world.machine.state)).toEqual([]);
    }),
    { numRuns: 150 },
  );
});
