import { PacketType } from "@mess/wire";
import { describe, expect, expectTypeOf, it, vi } from "vitest";
import { FakeBroker } from "../fake-broker.test-data.ts";
import type { MessError } from "../mess-error.ts";
import { openClient, type Reading, readingSchema, slowSchema } from "../open-client.test-data.ts";
import { TopicTemplate } from "./topic-template.ts";

describe("templates", () => {
  it("become names, filters and parameters", () => {
    const template = new TopicTemplate("plant/{line}/x/{path...}");
    expect(template.name({ line: 7, path: "a/b" })).toBe("plant/7/x/a/b");
    expect(template.filter()).toBe("plant/+/x/#");
    expect(template.filter({ line: "7", path: "#" })).toBe("plant/7/x/#");
    expect(template.params("plant/7/x/a/b")).toEqual({ line: "7", path: "a/b" });
    expect(new TopicTemplate("a/b").hasParameters).toBe(false);
  });

  it.each([
    ["", /empty/u],
    ["a/+", /wildcard/u],
    ["a/{b}c", /neither text nor a parameter/u],
    ["a/{b", /neither text nor a parameter/u],
    ["{a...}/b", /comes last/u],
    ["{a}/{a}", /twice/u],
    ["{__proto__}", /cannot be a parameter/u],
  ])("%j is refused", (template, message) => {
    expect(() => new TopicTemplate(template)).toThrow(message);
  });

  it.each([["a/b"], ["+"], ["#"], [""], ["a\0"]])("the parameter %j is refused: it would change the topic", (line) => {
    expect(() => new TopicTemplate("plant/{line}").name({ line })).toThrow(/parameter "line"/u);
  });

  it("misses no parameter, not even one that every object has", () => {
    expect(() => new TopicTemplate("plant/{toString}").name({})).toThrow(/missing/u);
  });
});

describe("types", () => {
  it("follow the template and the schema", async () => {
    const { mess } = await openClient();
    const readings = mess.topic("plant/{line}/{path...}", readingSchema);
    expectTypeOf(readings.publish).parameter(0).toEqualTypeOf<{
      readonly line: string | number;
      readonly path: string | number;
    }>();
    expectTypeOf(readings.publish).parameter(1).toEqualTypeOf<Reading>();
    const reader = readings.subscribe({ line: 1 });
    type Value = Awaited<ReturnType<typeof reader.next>>["value"];
    expectTypeOf<NonNullable<Value>["value"]>().toEqualTypeOf<Reading & { readonly checked: true }>();
    expectTypeOf<NonNullable<Value>["params"]>().toEqualTypeOf<{ readonly line: string; readonly path: string }>();
    const bytes = mess.topic("b", { codec: "bytes" });
    expectTypeOf(bytes.publish).parameter(0).toEqualTypeOf<Uint8Array>();
    const plain = mess.topic("p");
    expectTypeOf(plain.publish).parameter(0).toEqualTypeOf<unknown>();
  });
});

describe("payloads", () => {
  it("are held to the schema before they are sent", async () => {
    const { mess, broker } = await openClient();
    const topic = mess.topic("t", readingSchema);
    const bad = topic.publish({ celsius: "warm" } as never);
    await expect(bad).rejects.toMatchObject({ code: "INVALID_PAYLOAD", message: /\/celsius: is not a number/u });
    await topic.publish({ celsius: 1 });
    expect(broker.log.map(({ payload }) => payload)).toEqual(['{"celsius":1}']);
  });

  it("keep the order of the calls when the schema takes its time", async () => {
    const { mess, broker } = await openClient();
    const topic = mess.topic("t", slowSchema);
    const order = [1, 15, 3, 19];
    await Promise.all(order.map((celsius) => topic.publish({ celsius })));
    expect(broker.log.map(({ payload }) => (JSON.parse(payload) as Reading).celsius)).toEqual(order);
  });

  it.each([
    ["json", { a: [1, "ä"] }, "application/json"],
    ["text", "äöü\ufeff", "text/plain;charset=utf-8"],
    ["bytes", new Uint8Array([65, 66]), undefined],
  ] as const)("go there and back as %s", async (codec, value, contentType) => {
    const { mess } = await openClient();
    const topic = mess.topic("t", { codec: codec as "json" });
    const reader = topic.subscribe();
    await reader.ready;
    await topic.publish(value);
    const { value: message } = await reader.next();
    expect(message?.value).toEqual(value);
    expect(message?.contentType).toBe(contentType);
  });

  it.each([
    ["json", undefined],
    ["json", 1n],
    ["text", 5],
    ["bytes", "x"],
  ])("%s refuses %s", async (codec, value) => {
    const { mess } = await openClient();
    const refused = mess.topic("t", { codec: codec as "json" }).publish(value);
    await expect(refused).rejects.toMatchObject({ code: "INVALID_PAYLOAD" });
  });

  it("are copied: the caller may use its bytes again", async () => {
    const { mess, broker } = await openClient();
    const bytes = new Uint8Array([97]);
    const published = mess.topic("t", { codec: "bytes" }).publish(bytes);
    bytes[0] = 98;
    await published;
    expect(broker.log[0]?.payload).toBe("a");
  });
});

describe("subscribe", () => {
  it("gives messages with all that is known of them, and unsubscribes when the loop is left", async () => {
    const { mess, broker } = await openClient();
    const topic = mess.topic("plant/{line}/temp", readingSchema);
    const reader = topic.subscribe({ line: "+" });
    await reader.ready;
    const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    await topic.publish({ line: 7 }, { celsius: 20 }, { key: "k", headers: { a: "b" }, trace: { traceparent } });
    for await (const message of reader) {
      expect(message).toMatchObject({
        topic: "plant/7/temp",
        params: { line: "7" },
        value: { celsius: 20, checked: true },
        offset: 0,
        publisher: "somebody",
        key: "k",
        contentType: "application/json",
        retained: false,
        redelivered: false,
        trace: { traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331", sampled: true },
      });
      expect(message.headers).toEqual({ a: "b", traceparent });
      break;
    }
    const left = broker.connections[0]?.received.find(({ type }) => type === PacketType.UNSUBSCRIBE);
    expect(left).toMatchObject({ filters: ["plant/+/temp"] });
    expect(await reader.next()).toEqual({ done: true, value: undefined });
  });

  it("ends quietly by its signal, and before it began", async () => {
    const { mess } = await openClient();
    const stop = new AbortController();
    const reading = (async () => {
      for await (const _ of mess.topic("t").subscribe({ signal: stop.signal }));
      return "over";
    })();
    setTimeout(() => stop.abort(), 10);
    expect(await reading).toBe("over");
    for await (const _ of mess.topic("t").subscribe({ signal: AbortSignal.abort() })) expect.unreachable();
  });

  it("holds the broker back to the loop's pace: never more than the window", async () => {
    const { mess, broker } = await openClient({ receiveMaximum: 3 });
    const reader = mess.topic("t").subscribe();
    await reader.ready;
    for (let index = 0; index < 50; index += 1) broker.publish("t", String(index));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(reader.waiting).toBe(3);
    const seen: unknown[] = [];
    for await (const { value } of reader) {
      seen.push(value);
      expect(reader.waiting).toBeLessThanOrEqual(3);
      if (seen.length === 50) break;
    }
    expect(seen).toEqual(Array.from({ length: 50 }, (_, index) => index));
  });

  it("with an abandoned loop leaves the window to the others", async () => {
    const { mess, broker } = await openClient({ receiveMaximum: 2 });
    const first = mess.topic("a").subscribe();
    const second = mess.topic("b").subscribe();
    await Promise.all([first.ready, second.ready]);
    for (let index = 0; index < 5; index += 1) broker.publish("a", String(index));
    await first.next();
    await first.return();
    broker.publish("b", "9");
    expect((await second.next()).value?.value).toBe(9);
  });

  it("on an isolated connection does not hold up the others", async () => {
    const { mess, broker } = await openClient({ receiveMaximum: 2 });
    const slow = mess.topic("a").subscribe({ isolated: true, prefetch: 2 });
    const other = mess.topic("b").subscribe();
    await Promise.all([slow.ready, other.ready]);
    for (let index = 0; index < 5; index += 1) broker.publish("a", String(index));
    broker.publish("b", "9");
    expect((await other.next()).value?.value).toBe(9);
    expect(slow.waiting).toBe(2);
    await slow.return();
    expect(broker.open).toHaveLength(1);
  });

  it("twice to one filter gives both loops everything, last values too", async () => {
    const { mess, broker } = await openClient();
    broker.publish("t", "1", {}, true);
    const readers = [mess.topic("t").subscribe(), mess.topic("t").subscribe()];
    await Promise.all(readers.map(({ ready }) => ready));
    broker.publish("t", "2");
    for (const reader of readers) {
      expect((await reader.next()).value).toMatchObject({ value: 1, retained: true });
      expect((await reader.next()).value).toMatchObject({ value: 2, retained: false });
    }
  });

  it("to overlapping filters gives each loop its copy, acknowledged when both are done", async () => {
    const { mess, broker } = await openClient();
    const all = mess.topic("a/{b}").subscribe();
    const one = mess.topic("a/1").subscribe();
    await Promise.all([all.ready, one.ready]);
    broker.publish("a/1", "5");
    expect((await all.next()).value?.value).toBe(5);
    const session = [...broker.sessions.values()][0];
    void all.next();
    await new Promise((resolve) => setTimeout(resolve, 10));
    expect(session?.inFlight.size).toBe(1);
    expect((await one.next()).value?.value).toBe(5);
    await one.return();
    await vi.waitFor(() => expect(session?.inFlight.size).toBe(0));
  });

  it("passes over what is invalid, and tells", async () => {
    const { mess, broker } = await openClient();
    const told: string[] = [];
    mess.on("invalid", ({ error, message }) => told.push(`${message.topic} ${error.code}`));
    const own: MessError[] = [];
    const quiet = mess.topic("t", readingSchema).subscribe();
    const loud = mess.topic("t", readingSchema).subscribe({ onInvalid: (error) => own.push(error) });
    await Promise.all([quiet.ready, loud.ready]);
    broker.publish("t", "{}");
    broker.publish("t", "not JSON");
    broker.publish("t", '{"celsius":1}');
    for (const reader of [quiet, loud])
      expect((await reader.next()).value?.value).toEqual({ celsius: 1, checked: true });
    expect(told).toEqual(["t INVALID_PAYLOAD", "t INVALID_PAYLOAD"]);
    expect(own.map(({ message }) => message)).toEqual([
      expect.stringMatching(/celsius/u),
      expect.stringMatching(/cannot be decoded/u),
    ]);
  });

  it("that the broker refuses fails its loop, and ready", async () => {
    const broker = new FakeBroker({
      intercept: (packet, connection) => {
        if (packet.type !== PacketType.SUBSCRIBE) return false;
        const properties = { reasonString: "not yours" };
        connection.send({ type: PacketType.SUBACK, packetId: packet.packetId, reasonCodes: [0x87], properties });
        return true;
      },
    });
    const { mess } = await openClient({}, broker);
    const reader = mess.topic("t").subscribe();
    await expect(reader.ready).rejects.toMatchObject({ code: "NOT_AUTHORIZED", reason: "not yours" });
    await expect(reader.next()).rejects.toMatchObject({ code: "NOT_AUTHORIZED" });
    expect((await mess.topic("u").publish(1)).subscribed).toBe(false);
  });

  it("goes on after the broker has forgotten the session", async () => {
    const { mess, broker } = await openClient();
    const reader = mess.topic("t").subscribe();
    await reader.ready;
    broker.sessions.clear();
    broker.cutAll();
    await vi.waitFor(() => expect([...broker.sessions.values()][0]?.subscriptions.size).toBe(1));
    broker.publish("t", "1");
    expect((await reader.next()).value?.value).toBe(1);
  });

  it("left while there was no connection is left with the next one", async () => {
    const { mess, broker } = await openClient();
    const reader = mess.topic("t").subscribe();
    await reader.ready;
    broker.reachable = false;
    broker.cutAll();
    await vi.waitFor(() => expect(mess.state.name).toBe("reconnecting"));
    await reader.return();
    broker.reachable = true;
    await vi.waitFor(() => expect([...broker.sessions.values()][0]?.subscriptions.size).toBe(0));
  });

  it("at durability sent drops the oldest when the loop is slow, and counts", async () => {
    const { mess, broker } = await openClient();
    const reader = mess.topic("t").subscribe({ durability: "sent" });
    await reader.ready;
    for (let index = 0; index < 1010; index += 1) broker.publish("t", String(index));
    await vi.waitFor(() => expect(reader.dropped).toBe(10));
    expect((await reader.next()).value?.value).toBe(10);
  });
});
