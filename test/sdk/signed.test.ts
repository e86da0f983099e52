// Signing publishers and verifying consumers, with a broker between them that can be trusted and one that cannot.
import { Broker } from "@mess/broker";
import type { MessError } from "@mess/client";
import { messageSigner, messageVerifier, type SigningJwk } from "@mess/client/signing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

let broker: Broker;
let key: SigningJwk;

beforeAll(async () => {
  broker = await Broker.open({
    memory: true,
    log: "silent",
    policy: {
      roles: { device: { allow: [{ publish: "#" }, { subscribe: "#" }, { consume: "#" }] } },
      principals: { sensor: { roles: ["device"] }, reader: { roles: ["device"] } },
      topics: { "signed/#": { signing: "required" }, "free/#": { signing: "none" } },
      subscriptions: { work: { filters: ["signed/work", "free/work"], maxDeliveries: 1 } },
    },
  });
  const { id, secret = "" } = await broker.administrator.signingKeys.addSigningKey("admin", {
    principal: "sensor",
    name: "",
    algorithm: "HS256",
  });
  key = { kid: id, kty: "oct", k: secret };
});
afterAll(() => broker.close());

describe("a client that signs", () => {
  it("publishes where signatures are required, in order, as much as it likes at once", async () => {
    await using client = await broker.connect("sensor", { sign: await messageSigner(key) });
    await using reader = await broker.connect("reader", { verify: await messageVerifier({ keys: [key] }) });
    const topic = client.topic("signed/many");
    await using messages = reader.topic("signed/many").subscribe();
    await messages.ready;
    const receipts = await Promise.all(
      Array.from({ length: 200 }, (_, i) => topic.publish(i, { headers: { n: `${i}` } })),
    );
    expect(new Set(receipts.map(({ offset }) => offset)).size).toBe(200);
    const values: unknown[] = [];
    for await (const { value } of messages) if (values.push(value) === 200) break;
    expect(values).toEqual(Array.from({ length: 200 }, (_, i) => i));
  });

  it("publishes once what it sends again with the same id, although it signs it anew", async () => {
    await using client = await broker.connect("sensor", { sign: await messageSigner(key) });
    const topic = client.topic("signed/once");
    const first = await topic.publish("x", { id: "the-one" });
    expect(await topic.publish("x", { id: "the-one" })).toMatchObject({ duplicate: true, offset: first.offset });
  });

  it("and one that does not is refused there, with the reason", async () => {
    await using client = await broker.connect("sensor");
    await expect(client.topic("signed/a").publish("x")).rejects.toMatchObject({
      code: "NOT_AUTHORIZED",
      reason: expect.stringContaining("sig.required"),
    });
  });
});

describe("a client that verifies", () => {
  it("is given signed messages alone, and told of the others, through every way of reading", async () => {
    await using sensor = await broker.connect("sensor", { sign: await messageSigner(key) });
    await using stranger = await broker.connect("sensor");
    await using reader = await broker.connect("reader", { verify: await messageVerifier({ keys: [key] }) });
    const invalid: MessError[] = [];
    reader.on("invalid", ({ error }) => invalid.push(error));
    const topic = "free/mixed";
    await using live = reader.topic(topic).subscribe();
    await live.ready;
    for (const value of [1, 2, 3]) {
      await stranger.topic(topic).publish(-value);
      await sensor.topic(topic).publish(value);
    }
    const seen: unknown[] = [];
    for await (const { value } of live) if (seen.push(value) === 3) break;
    const again: unknown[] = [];
    for await (const { value } of reader.stream(topic).read({ limit: 6, follow: false })) again.push(value);
    expect([seen, again]).toEqual([
      [1, 2, 3],
      [1, 2, 3],
    ]);
    expect(invalid.map(({ code }) => code)).toEqual(Array(6).fill("BAD_SIGNATURE"));
  });

  it("rejects what is not signed in a queue, and leaves the reason with the dead letter", async () => {
    await using sensor = await broker.connect("sensor", { sign: await messageSigner(key) });
    await using stranger = await broker.connect("sensor");
    await using reader = await broker.connect("reader", { verify: await messageVerifier({ keys: [key] }) });
    await stranger.topic("free/work").publish("forged");
    await sensor.topic("signed/work").publish("real");
    const done = new AbortController();
    const handled: unknown[] = [];
    await reader.queue("work").process(
      ({ value }) => {
        handled.push(value);
        done.abort();
      },
      { signal: done.signal },
    );
    expect(handled).toEqual(["real"]);
    const admin = await broker.connect();
    for await (const { value, headers } of admin.stream("$mess/dead/work").read({ follow: false })) {
      expect([value, headers["mess-dead-reason"]]).toEqual(["forged", expect.stringContaining("not signed")]);
    }
    await admin.close();
  });

  it("verifies requests and replies", async () => {
    const sign = await messageSigner(key);
    const verify = await messageVerifier({ keys: [key] });
    await using one = await broker.connect("sensor", { sign, verify });
    await using other = await broker.connect("sensor", { sign, verify });
    await using responder = one.respond("signed/double", (value) => (value as number) * 2);
    await responder.ready;
    expect(await other.request("signed/double", 21, { timeout: "5s" })).toBe(42);
    // What is not signed is not handed to the handler, and a reply that is not is not believed.
    await using unsigned = await broker.connect("sensor");
    await using open = one.respond("free/double", () => expect.unreachable());
    await open.ready;
    await expect(unsigned.request("free/double", 21, { timeout: "5s" })).rejects.toMatchObject({
      code: "REMOTE_FAILURE",
    });
    await using forger = unsigned.respond("free/answer", () => 42);
    await forger.ready;
    await expect(other.request("free/answer", 21, { timeout: "5s" })).rejects.toMatchObject({ code: "BAD_SIGNATURE" });
  });
});
