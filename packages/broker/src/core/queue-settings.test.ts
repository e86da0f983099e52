import { describe, expect, test } from "vitest";
import { Reason } from "../model/engine.ts";
import { MessageDraft } from "../model/message.ts";
import type { Policy } from "../model/policy.ts";
import { deadOf, declare, FakeConsumer } from "./fake-consumer.test-data.ts";
import type { FakeClient, PublishWish } from "./fake-link.test-data.ts";
import { checkInvariants } from "./invariants.ts";
import { World, type WorldOptions } from "./world.test-data.ts";

class Bench {
  readonly world: World;
  #publisher: FakeClient;

  constructor(settings: Parameters<typeof declare>[2] = {}, options: WorldOptions = {}) {
    this.world = new World(options);
    declare(this.world, "q", settings);
    this.#publisher = this.world.connected("p");
  }

  publish(payload: string, wish: PublishWish & { readonly topic?: string } = {}): number {
    const reason = this.#publisher.publish(wish.topic ?? "a/b", payload, wish);
    this.world.commit();
    return reason;
  }

  live(payload: string): number {
    const reason = this.#publisher.live("a/b", payload);
    this.world.commit();
    return reason;
  }

  keyed(payload: string): void {
    this.publish(payload, { attributes: { key: payload[0] ?? "" } });
  }

  consumer(wish: ConstructorParameters<typeof FakeConsumer>[2] = {}): FakeConsumer {
    const consumer = new FakeConsumer(this.world, "q", wish);
    this.world.commit();
    return consumer;
  }

  settle(consumer: FakeConsumer, payload: string, ...rest: [Parameters<FakeConsumer["settle"]>[1]?]): void {
    consumer.settle(payload, ...rest);
    this.world.commit();
  }

  restart(): void {
    this.world.restart();
    this.#publisher = this.world.connected("p");
  }

  get view(): NonNullable<ReturnType<World["machine"]["queues"]["view"]>> {
    const view = this.world.machine.queues.view("q");
    if (view === undefined) throw new Error("no view");
    return view;
  }
}

describe("ordering exclusive", () => {
  test("one consumes, the next takes over when it leaves, in order", () => {
    const bench = new Bench({ ordering: "exclusive" });
    const one = bench.consumer({ messages: 1 });
    const two = bench.consumer();
    const three = bench.consumer();
    for (const payload of ["1", "2", "3"]) bench.publish(payload);
    expect([one.payloads, two.payloads, three.payloads]).toEqual([["1"], [], []]);
    one.leave();
    bench.world.commit();
    expect([two.payloads, three.payloads]).toEqual([["1", "2", "3"], []]);
  });
});

describe("ordering key", () => {
  test("one message of a key at a time, in order; other keys and none go on", () => {
    const bench = new Bench({ ordering: "key" });
    const one = bench.consumer();
    const two = bench.consumer();
    for (const payload of ["a1", "a2", "b1", "a3"]) bench.keyed(payload);
    bench.publish("x");
    expect([...one.payloads, ...two.payloads].sort()).toEqual(["a1", "b1", "x"]);
    expect(bench.view).toMatchObject({ blocked: 2, leased: 3 });
    const holder = one.payloads.includes("a1") ? one : two;
    bench.settle(holder, "a1");
    expect([...one.payloads, ...two.payloads].sort()).toEqual(["a1", "a2", "b1", "x"]);
  });

  test("a nacked message keeps its key until it is done or dead, over a restart too", () => {
    const bench = new Bench({ ordering: "key", maxDeliveries: 2, backoffMs: [10_000, 10_000] });
    const one = bench.consumer();
    for (const payload of ["a1", "a2", "b1"]) bench.keyed(payload);
    bench.settle(one, "a1", { verb: "nack" });
    expect(one.payloads).toEqual(["a1", "b1"]);
    bench.restart();
    const two = bench.consumer();
    expect(two.payloads).toEqual(["b1"]);
    bench.world.wait(10_000);
    expect(two.payloads).toEqual(["b1", "a1"]);
    bench.settle(two, "a1", { verb: "nack" });
    expect(two.payloads).toEqual(["b1", "a1", "a2"]);
    expect(deadOf(bench.world, "q").map(({ payload }) => payload)).toEqual(["a1"]);
  });

  test("what was given back keeps its key; what expires gives it on", () => {
    const bench = new Bench({ ordering: "key" });
    const one = bench.consumer();
    bench.publish("a1", { attributes: { key: "a" }, expiry: 5 });
    bench.keyed("a2");
    one.isReady = false;
    one.leave();
    bench.world.wait(5_000);
    const two = bench.consumer();
    expect(two.payloads).toEqual(["a2"]);
    expect(bench.world.machine.state.counters.droppedExpired).toBe(1);
  });

  test("the walk stops where too many stand aside, and goes on", () => {
    const bench = new Bench({ ordering: "key" }, { limits: { blockedPerSubscriptionMax: 2 } });
    const one = bench.consumer();
    for (const payload of ["a1", "a2", "a3", "a4", "b1"]) bench.keyed(payload);
    expect(one.payloads).toEqual(["a1"]);
    for (const payload of ["a1", "a2", "a3", "a4"]) bench.settle(one, payload);
    expect(one.payloads).toEqual(["a1", "a2", "a3", "b1", "a4"]);
  });
});

describe("priorities", () => {
  test("the highest first, within one in order; also what was given back", () => {
    const bench = new Bench({ priorities: true });
    bench.publish("low", { attributes: { priority: 1 } });
    bench.publish("none 1");
    bench.publish("high", { attributes: { priority: 9 } });
    bench.publish("none 2");
    bench.restart();
    const one = bench.consumer({ messages: 3 });
    expect(one.payloads).toEqual(["high", "none 1", "none 2"]);
    one.leave();
    const two = bench.consumer();
    expect(two.payloads).toEqual(["high", "none 1", "none 2", "low"]);
    for (const payload of two.payloads) two.settle(payload);
    bench.world.commit();
    bench.restart();
    expect(bench.consumer().payloads).toEqual([]);
    expect(bench.view).toMatchObject({ ready: 0, leased: 0 });
  });

  test("mean nothing where they are not declared", () => {
    const bench = new Bench();
    bench.publish("1", { attributes: { priority: 1 } });
    bench.publish("2", { attributes: { priority: 9 } });
    expect(bench.consumer().payloads).toEqual(["1", "2"]);
  });
});

describe("where", () => {
  test("lets through what has these user properties, now and from history", () => {
    const bench = new Bench({ where: { colour: "red", size: "small" } });
    bench.publish("1", { headers: "colour=red\nsize=small" });
    bench.publish("2", { headers: "colour=red" });
    bench.publish("3", { headers: "colour=blue\nsize=small" });
    bench.restart();
    expect(bench.consumer().payloads).toEqual(["1"]);
    bench.world.machine.queues.reset("q", 1, "admin");
    bench.world.commit();
    bench.publish("4", { headers: "size=small\ncolour=red" });
    const two = bench.consumer();
    expect(two.payloads).toEqual([]);
    expect(bench.view).toMatchObject({ leased: 2, ready: 0, exact: false });
  });
});

describe("credit in bytes", () => {
  test("holds for the sum, and lets one larger message through alone", () => {
    const bench = new Bench();
    const one = bench.consumer({ bytes: 10 });
    for (const payload of ["12345", "67890", "1", "123456789012345"]) bench.publish(payload);
    expect(one.payloads).toEqual(["12345", "67890"]);
    bench.settle(one, "12345");
    expect(one.payloads).toEqual(["12345", "67890", "1"]);
    bench.settle(one, "67890");
    expect(one.payloads.length).toBe(3);
    bench.settle(one, "1");
    expect(one.payloads.length).toBe(4);
  });

  test("a message that no consumer takes for its size is dead, and the others go on", () => {
    const bench = new Bench();
    const one = bench.consumer();
    const two = bench.consumer();
    one.largest = 3;
    two.largest = 3;
    bench.publish("12345");
    bench.publish("1");
    expect([...one.payloads, ...two.payloads]).toEqual(["1"]);
    expect(deadOf(bench.world, "q")).toMatchObject([
      { payload: "12345", attributes: { reason: "it is larger than any consumer takes", attempts: 0 } },
    ]);
    expect(checkInvariants(bench.world.machine.state)).toEqual([]);
  });
});

describe("quotas", () => {
  test("a full subscription refuses, and says so; room comes with acknowledgements", () => {
    const bench = new Bench({ maxMessages: 2 });
    expect([bench.publish("1"), bench.publish("2"), bench.publish("3")]).toEqual([0, 0, Reason.quotaExceeded]);
    expect(bench.world.machine.explainRefusal()).toMatch(/"q" is full: 2 messages/);
    expect(bench.publish("elsewhere", { topic: "b" })).toBe(Reason.noMatchingSubscribers);
    bench.restart();
    expect(bench.publish("4")).toBe(Reason.quotaExceeded);
    const one = bench.consumer();
    bench.settle(one, "1");
    expect(bench.publish("5")).toBe(0);
  });

  test("bytes count too, over acknowledgements and restarts", () => {
    const bench = new Bench({ maxBytes: 10 });
    expect([bench.publish("12345"), bench.publish("678901"), bench.publish("6789")]).toEqual([
      0,
      Reason.quotaExceeded,
      0,
    ]);
    bench.settle(bench.consumer(), "12345");
    bench.restart();
    expect([bench.publish("123456"), bench.publish("1")]).toEqual([0, Reason.quotaExceeded]);
    bench.world.snapshot();
    bench.restart();
    expect(bench.publish("1")).toBe(Reason.quotaExceeded);
    expect(bench.world.machine.state.queues.get("q")).toMatchObject({ messages: 2, bytes: 10 });
  });

  test("a batch is refused as a whole where its end would not fit", () => {
    const bench = new Bench({ maxMessages: 2 });
    expect(bench.publish("1")).toBe(0);
    const draft = (payload: string): MessageDraft => {
      const made = new MessageDraft();
      made.qos = 1;
      made.topicBytes = Buffer.from("a/b");
      made.topicEnd = made.topicBytes.length;
      made.payloadBytes = Buffer.from(payload);
      made.payloadEnd = payload.length;
      return made;
    };
    const reasons: number[][] = [];
    for (const payloads of [["2", "3"], ["2"]]) {
      bench.world.machine.queues.publishBatch({ principal: "dev", number: 0 }, payloads.map(draft), (results) =>
        reasons.push(results.map(({ reason }) => reason)),
      );
      bench.world.commit();
    }
    expect(reasons).toEqual([[Reason.implementationSpecific, Reason.quotaExceeded], [0]]);
    expect(bench.view).toMatchObject({ ready: 2 });
  });

  test("drop-oldest makes room with the oldest that nobody has", () => {
    const bench = new Bench({ maxMessages: 3, overflow: "drop-oldest" });
    const one = bench.consumer({ messages: 1 });
    for (const payload of ["1", "2", "3", "4", "5"]) expect(bench.publish(payload)).toBe(0);
    expect(bench.view).toMatchObject({ leased: 1, ready: 2 });
    bench.restart();
    expect(bench.consumer().payloads).toEqual(["1", "4", "5"]);
    expect(one.payloads).toEqual(["1"]);
  });

  test("dead-letter keeps what made room", () => {
    const bench = new Bench({ maxBytes: 4, overflow: "dead-letter" }, { journal: { cachedFrames: 1 } });
    for (const payload of ["11", "22", "33"]) bench.publish(payload);
    bench.world.journal.answerFetches();
    bench.world.commit();
    expect(deadOf(bench.world, "q")).toMatchObject([
      { payload: "11", attributes: { reason: "the subscription was full, and it was the oldest", attempts: 0 } },
    ]);
    expect(bench.publish("12345")).toBe(Reason.quotaExceeded);
    bench.restart();
    const one = bench.consumer();
    bench.world.journal.answerFetches();
    bench.world.journal.answerFetches();
    expect(one.payloads).toEqual(["22", "33"]);
  });

  test("drop-oldest frees the key of what it drops", () => {
    const bench = new Bench({ ordering: "key", maxMessages: 2, overflow: "drop-oldest", backoffMs: [10_000, 10_000] });
    const one = bench.consumer();
    bench.keyed("a1");
    bench.keyed("a2");
    bench.settle(one, "a1", { verb: "nack" });
    bench.keyed("b1");
    expect(one.payloads).toEqual(["a1", "a2", "b1"]);
    expect(checkInvariants(bench.world.machine.state)).toEqual([]);
  });

  test("what has expired does not keep a full subscription closed", () => {
    const bench = new Bench({ maxMessages: 2, expired: "dead-letter" });
    bench.publish("1", { expiry: 1 });
    bench.publish("2");
    bench.world.wait(1_000);
    expect(bench.publish("3")).toBe(Reason.quotaExceeded);
    bench.world.commit();
    expect(bench.publish("3")).toBe(0);
    expect(deadOf(bench.world, "q")).toMatchObject([{ payload: "1", attributes: { reason: "it expired" } }]);
  });
});

describe("expiry", () => {
  test("of messages: dropped and counted, or dead-lettered", () => {
    for (const expired of ["drop", "dead-letter"] as const) {
      const bench = new Bench({ expired });
      bench.publish("1", { expiry: 1 });
      bench.publish("2", { expiry: 10 });
      bench.world.wait(1_500);
      const one = bench.consumer();
      expect(one.payloads).toEqual(["2"]);
      expect(bench.world.machine.state.counters.droppedExpired).toBe(1);
      expect(deadOf(bench.world, "q").length).toBe(expired === "drop" ? 0 : 1);
    }
  });

  test("of the subscription: when nobody consumed for so long, restarts not counted", () => {
    const bench = new Bench({ expiryMs: 60_000 });
    const { world } = bench;
    const one = bench.consumer();
    world.wait(100_000);
    world.machine.tidy();
    expect(world.machine.state.queues.size).toBe(1);
    one.leave();
    world.wait(50_000);
    bench.restart();
    world.wait(9_999);
    world.machine.tidy();
    expect(world.machine.state.queues.size).toBe(1);
    world.wait(1);
    world.machine.tidy();
    world.commit();
    expect([...world.machine.queues.names]).toEqual([]);
    expect(world.audited).toContain("subscription.expired");
    world.restart();
    expect(world.machine.state.queues.size).toBe(0);
  });
});

describe("reset", () => {
  test("back: everything again, attempts forgotten, leases void", () => {
    const bench = new Bench({ backoffMs: [60_000, 60_000] });
    const one = bench.consumer();
    for (const payload of ["1", "2", "3"]) bench.publish(payload);
    bench.settle(one, "1");
    bench.settle(one, "2", { verb: "nack" });
    bench.world.machine.queues.reset("q", 1, "admin");
    bench.world.commit();
    expect(one.taken.slice(3)).toMatchObject([
      { payload: "1", attempt: 1 },
      { payload: "2", attempt: 1 },
      { payload: "3", attempt: 1 },
    ]);
    bench.settle(one, "2");
    bench.publish("4");
    bench.restart();
    expect(bench.consumer().payloads).toEqual(["1", "3", "4"]);
    expect(checkInvariants(bench.world.machine.state)).toEqual([]);
  });

  test("forward: what lies before is done", () => {
    const bench = new Bench();
    for (const payload of ["1", "2"]) bench.publish(payload);
    bench.world.machine.queues.resolve("latest", (from) =>
      bench.world.machine.queues.reset("q", Number(from), "admin"),
    );
    bench.publish("3");
    bench.world.snapshot();
    bench.restart();
    expect(bench.consumer().payloads).toEqual(["3"]);
  });

  test("while a frame is being read", () => {
    const bench = new Bench({}, { journal: { cachedFrames: 1 } });
    for (const payload of ["1", "2", "3", "4"]) bench.publish(payload);
    const one = bench.consumer();
    expect(bench.world.journal.fetchesWaiting).toBe(1);
    bench.world.machine.queues.reset("q", bench.world.journal.lastSeq + 1, "admin");
    bench.publish("5");
    bench.world.journal.answerFetches();
    bench.world.commit();
    expect(one.payloads).toEqual(["5"]);
    expect(checkInvariants(bench.world.machine.state)).toEqual([]);
  });

  test("to a time", () => {
    const bench = new Bench({}, { journal: { cachedFrames: 2 } });
    const { world } = bench;
    const times: number[] = [];
    for (const payload of ["1", "2", "3", "4", "5"]) {
      world.wait(1_000);
      times.push(world.clock.wall);
      bench.publish(payload);
    }
    world.wait(1_000);
    const found: number[] = [];
    for (const at of [0, times[2] ?? 0, (times[2] ?? 0) + 1, (times[4] ?? 0) + 1]) {
      world.machine.queues.resolve({ at }, (from) => found.push(Number(from)));
      for (let i = 0; i < 10; i++) world.journal.answerFetches();
    }
    const one = bench.consumer();
    for (let i = 0; i < 10; i++) world.journal.answerFetches();
    const offsets = one.taken.map(({ offset }) => offset);
    expect(found).toEqual([offsets[0], offsets[2], offsets[3], world.journal.durableSeq + 1]);
  });
});

describe("QoS 0", () => {
  test("is kept too, and reaches sessions once", () => {
    const bench = new Bench();
    const watcher = bench.world.connected("w");
    watcher.subscribe("a/#");
    bench.world.commit();
    bench.live("1");
    bench.publish("2");
    bench.live("3");
    expect(watcher.link.payloads).toEqual(["1", "2", "3"]);
    bench.restart();
    const one = bench.consumer();
    expect(one.payloads).toEqual(["1", "2", "3"]);
    bench.settle(one, "1", { verb: "reject" });
    expect(deadOf(bench.world, "q").map(({ payload }) => payload)).toEqual(["1"]);
  });

  test("is not kept where there is no room", () => {
    const bench = new Bench({ maxMessages: 1 });
    expect([bench.live("1"), bench.live("2")]).toEqual([0, 0]);
    expect(bench.view).toMatchObject({ ready: 1 });
  });
});

describe("rights", () => {
  const allow = (filter: string) =>
    [
      { action: "consume", filter: "q" },
      { action: "subscribe", filter },
    ] as const;
  const policy: Policy = {
    roles: {
      writer: { allow: [{ action: "publish", filter: "#" }], deny: [] },
      all: { allow: allow("a/#"), deny: [] },
      most: { allow: allow("a/#"), deny: [{ action: "subscribe", filter: "a/secret" }] },
      part: { allow: allow("a/+"), deny: [] },
    },
    principals: {
      dev: { roles: ["writer"] },
      all: { roles: ["all"] },
      most: { roles: ["most"] },
      part: { roles: ["part"] },
    },
  };

  test("need `consume` on the name and `subscribe` on every filter", () => {
    const bench = new Bench({}, { policy });
    expect(bench.consumer({ principal: "dev" }).refusal).toMatchObject({ reason: Reason.notAuthorized });
    expect(bench.consumer({ principal: "part" }).refusal?.text).toMatch(/subscribe is not granted on "a\/#"/);
    expect(bench.consumer({ principal: "all" }).refusal).toBeUndefined();
    expect(new FakeConsumer(bench.world, "none", { principal: "all" }).refusal?.reason).toBe(Reason.notAuthorized);
  });

  test("a message goes to who may read its topic; where nobody may it is dead", () => {
    const bench = new Bench({}, { policy });
    const most = bench.consumer({ principal: "most" });
    const all = bench.consumer({ principal: "all" });
    bench.publish("1", { topic: "a/secret" });
    bench.publish("2", { topic: "a/secret" });
    expect([most.payloads, all.payloads]).toEqual([[], ["1", "2"]]);
    all.isReady = false;
    bench.publish("3", { topic: "a/secret" });
    bench.publish("4");
    expect(most.payloads).toEqual(["4"]);
    all.isReady = true;
    bench.world.wait(1_000);
    expect(all.payloads).toEqual(["1", "2", "3"]);
    all.leave();
    bench.world.commit();
    expect(deadOf(bench.world, "q").map(({ payload }) => payload)).toEqual(["1", "2", "3"]);
    expect(deadOf(bench.world, "q")[0]).toMatchObject({ attributes: { reason: "no consumer may read its topic" } });
  });

  test("that are taken away, and revoked keys, end consumers; their messages go to others", () => {
    const bench = new Bench({}, { policy });
    const { world } = bench;
    world.machine.credentials.createKey({ id: "k", principal: "all", name: "", secretHash: "", createdAt: 0, by: "" });
    const one = bench.consumer({ principal: "all", keyId: "k" });
    const two = bench.consumer({ principal: "most" });
    two.isReady = false;
    bench.publish("1");
    two.isReady = true;
    world.machine.credentials.revokeKey("k", "admin");
    world.commit();
    expect(one.ended).toBe("not-authorized");
    expect(two.taken).toMatchObject([{ payload: "1", attempt: 1 }]);
    world.machine.credentials.applyPolicy({ policy: { ...policy, principals: {} }, by: "admin" });
    expect(two.ended).toBe("not-authorized");
    expect(bench.view).toMatchObject({ consumers: 0, leased: 0, ready: 1 });
  });
});

describe("consumers that act while they are told", () => {
  test("leave, settle and release inside of deliver", () => {
    const bench = new Bench();
    const one = bench.consumer();
    const two = bench.consumer();
    one.onTaken = () => one.leave();
    two.onTaken = ({ payload }) => two.settle(payload);
    for (const payload of ["1", "2", "3"]) bench.publish(payload);
    expect(one.payloads.length).toBe(1);
    expect(two.payloads.slice().sort()).toEqual(["1", "2", "3"]);
    expect(bench.view).toMatchObject({ leased: 0, ready: 0, consumers: 1 });
  });

  test("delete the subscription inside of deliver", () => {
    const bench = new Bench();
    const one = bench.consumer();
    one.onTaken = () => bench.world.machine.queues.delete("q", "admin");
    bench.publish("1");
    bench.world.commit();
    expect(one.ended).toBe("administrative");
    expect(checkInvariants(bench.world.machine.state)).toEqual([]);
  });
});
