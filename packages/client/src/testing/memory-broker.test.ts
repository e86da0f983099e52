import { describe, expect, it } from "vitest";
import { memoryBroker } from "./memory-broker.ts";

const text = (payload: Uint8Array | undefined): string => Buffer.from(payload ?? new Uint8Array()).toString();

describe("memoryBroker", () => {
  it("is the real broker, at once and without moving the clock", async () => {
    await using mess = await memoryBroker();
    const { broker, clock } = mess;
    await using client = await broker.connectMqtt();
    const before = clock.now();
    await client.subscribe(["a/#"]);
    for (const qos of [0, 1, 2] as const) await client.publish(`a/${qos}`, "x", { qos });
    const topics: string[] = [];
    for await (const message of client) {
      topics.push(message.topic);
      if (topics.length === 3) break;
    }
    expect(topics.sort()).toEqual(["a/0", "a/1", "a/2"]);
    expect(clock.now()).toBe(before);
    expect(new Date(before).toISOString()).toBe("2026-01-01T00:00:00.000Z");
  });

  it("lets time pass when the test says so: a session expires after its hour and not before", async () => {
    await using mess = await memoryBroker();
    const { broker, clock } = mess;
    await using client = await broker.connectMqtt();
    const session = { clientId: "s", cleanStart: false, sessionExpiry: 3_600 };
    await (await broker.connectMqtt(undefined, session)).disconnect();
    await clock.advance("59m");
    const again = await broker.connectMqtt(undefined, session);
    expect(again.sessionPresent).toBe(true);
    await again.subscribe(["t"]);
    await again.disconnect();
    await clock.advance("61m");
    await client.publish("t", "x");
    await using late = await broker.connectMqtt(undefined, session);
    expect(late.sessionPresent).toBe(false);
  });

  it("publishes a will after its delay", async () => {
    await using mess = await memoryBroker();
    const { broker, clock } = mess;
    await using client = await broker.connectMqtt();
    await client.subscribe(["wills/#"]);
    const will = { topic: "wills/a", payload: "gone", properties: { willDelayInterval: 30 } };
    const dying = await broker.connectMqtt(undefined, { will, sessionExpiry: 3_600, clientId: "d" });
    dying.abort();
    await clock.advance("29s");
    let came = false;
    const next = client
      .messages()
      .next()
      .then((result) => {
        came = true;
        return result;
      });
    await clock.advance("500ms");
    expect(came).toBe(false);
    await clock.advance("2s");
    expect(text((await next).value?.payload)).toBe("gone");
  });

  it("keeps its clients over any time", async () => {
    await using mess = await memoryBroker();
    const { broker, clock } = mess;
    await using client = await broker.connectMqtt();
    await client.subscribe(["t"]);
    const began = performance.now();
    await clock.advance("30d");
    expect(performance.now() - began).toBeLessThan(10_000);
    await client.publish("t", "still here");
    expect((await client.messages().next()).value?.topic).toBe("t");
    expect(new Date(clock.now()).toISOString()).toBe("2026-01-31T00:00:00.000Z");
  });

  it("holds to the rights of the policy", async () => {
    const policy = {
      roles: { writer: { allow: [{ publish: "orders/#" }] } },
      principals: { shop: { roles: ["writer"] } },
    };
    await using mess = await memoryBroker({ policy, principal: "shop" });
    await mess.client.topic("orders/{id}").publish({ id: 1 }, "x", { id: false });
    await expect(mess.client.topic("other").publish("x", { id: false })).rejects.toMatchObject({
      code: "NOT_AUTHORIZED",
    });
  });

  it("repeats itself by its seed", async () => {
    const ids = async (seed: number): Promise<string> => {
      await using mess = await memoryBroker({ seed });
      const { id, secret } = await mess.broker.administrator.createKey("admin", "admin", []);
      return `${id}.${secret}`;
    };
    expect(await ids(7)).toBe(await ids(7));
    expect(await ids(7)).not.toBe(await ids(8));
  });

  it("refuses what is no duration", async () => {
    await using mess = await memoryBroker();
    expect(() => mess.clock.advance("1 fortnight")).toThrow(RangeError);
    expect(() => mess.clock.advance(-1)).toThrow(RangeError);
  });

  it("closes without the clock being moved, its clients too", async () => {
    const mess = await memoryBroker();
    const plain = await mess.broker.connectMqtt();
    await mess.close();
    expect(await plain.ended).toMatchObject({ reasonCode: 0x8b });
    expect(await mess.client.ended).toBeUndefined();
  });

  it("carries what the SDK does: typed topics, receipts, requests and replies", async () => {
    await using mess = await memoryBroker();
    const { broker, client, clock } = mess;
    await using other = await broker.connect();
    const temperatures = client.topic<"plant/{line}/temp", { celsius: number }>("plant/{line}/temp");
    const reader = temperatures.subscribe({ line: "7" });
    await reader.ready;
    const receipt = await temperatures.publish({ line: "7" }, { celsius: 21.5 });
    expect(receipt.offset).toBeGreaterThan(0);
    for await (const { params, value, offset, time } of reader) {
      expect([params.line, value.celsius]).toEqual(["7", 21.5]);
      expect([offset, time?.getTime()]).toEqual([receipt.offset, clock.now()]);
      break;
    }
    await using service = other.respond<{ sku: string }>("price", ({ sku }) => ({ sku, cents: 350 }));
    await service.ready;
    expect(await client.request("price", { sku: "tea" })).toEqual({ sku: "tea", cents: 350 });
  });

  it("times a request out when the clock says so", async () => {
    await using mess = await memoryBroker();
    const { broker, client, clock } = mess;
    await using deaf = await broker.connectMqtt();
    await deaf.subscribe(["price"]);
    const asked = client.request("price", { sku: "tea" }, { timeout: "10s" });
    const outcome = asked.then(
      () => "answered",
      (error: unknown) => (error as { code: string }).code,
    );
    await clock.advance("9s");
    expect(await Promise.race([outcome, "pending"])).toBe("pending");
    await clock.advance("2s");
    expect(await outcome).toBe("TIMEOUT");
  });
});

describe("declared subscriptions in memoryBroker", () => {
  const policy = {
    topics: { "orders/#": { key: "orders/{customer}/#" } },
    subscriptions: {
      billing: { filters: ["orders/#"], ordering: "key", ackWait: "30s", maxDeliveries: 3, backoff: ["1m", "1h"] },
    },
  };

  it("retries with backoff and ends in the dead letters, in the time of the test", async () => {
    await using mess = await memoryBroker({ policy });
    const { broker, client, clock } = mess;
    await using watcher = await broker.connectMqtt();
    await watcher.subscribe(["$mess/dead/billing"]);
    const attempts: [number, number][] = [];
    const began = clock.now();
    const stop = new AbortController();
    const working = client.queue("billing").process(
      ({ attempt }) => {
        attempts.push([attempt, clock.now() - began]);
        throw new Error("the ledger is down");
      },
      { signal: stop.signal },
    );
    await client.topic("orders/anna/1").publish({ cents: 350 });
    await clock.advance("1s");
    expect(attempts.map(([attempt]) => attempt)).toEqual([1]);
    await clock.advance("1h");
    expect(attempts.map(([attempt]) => attempt)).toEqual([1, 2, 3]);
    const [, second = 0, third = 0] = attempts.map(([, at]) => at);
    expect(second).toBeGreaterThanOrEqual(30_000);
    expect(second).toBeLessThan(62_000);
    expect(third - second).toBeGreaterThanOrEqual(60_000);
    expect(third - second).toBeLessThan(123_000);
    const letter = (await watcher.messages().next()).value;
    expect(text(letter?.payload)).toBe('{"cents":350}');
    expect(letter?.properties.userProperties).toContainEqual([
      "mess-dead-reason",
      "3 failed attempts; the last: the ledger is down",
    ]);
    stop.abort();
    await working;
  });

  it("gives a message to another when its consumer does nothing for longer than the lease", async () => {
    await using mess = await memoryBroker({ policy });
    const { broker, client, clock } = mess;
    await client.topic("orders/anna/1").publish("slow");
    await using hanging = await broker.connectMqtt();
    await hanging.subscribe(["$mess/queue/billing/#"]);
    expect((await hanging.messages().next()).value?.topic).toBe("$mess/queue/billing/orders/anna/1");
    await clock.advance("31s");
    await hanging.disconnect();
    const reader = client.queue<string>("billing")[Symbol.asyncIterator]();
    const next = reader.next();
    await clock.advance("1m");
    const { value: message } = await next;
    expect([message?.value, message?.attempt]).toEqual(["slow", 2]);
    await message?.ack();
    await reader.return();
  });

  it("delivers delayed messages at their time, over any number of hours", async () => {
    await using mess = await memoryBroker({ policy });
    const { client, clock } = mess;
    const reader = client.topic("reminders/{who}").subscribe();
    await reader.ready;
    const began = clock.now();
    const seen: [string, number][] = [];
    const reading = (async () => {
      for await (const { params } of reader) {
        seen.push([params.who, Math.round((clock.now() - began) / 60_000)]);
        if (seen.length === 2) break;
      }
    })();
    const reminders = client.topic("reminders/{who}");
    await reminders.publish({ who: "bert" }, "tea", { at: began + 26 * 3_600_000 });
    await reminders.publish({ who: "anna" }, "tea", { delay: "1h" });
    await clock.advance("59m");
    expect(seen).toEqual([]);
    await clock.advance("2m");
    await clock.advance("25h");
    await reading;
    expect(seen).toEqual([
      ["anna", 60],
      ["bert", 26 * 60],
    ]);
  });

  it("forgets the id of a publish after its window, and not before", async () => {
    await using mess = await memoryBroker();
    const { client, clock } = mess;
    const publish = (): Promise<{ duplicate: boolean }> => client.topic("t").publish("x", { id: "once" });
    expect((await publish()).duplicate).toBe(false);
    await clock.advance("1m");
    expect((await publish()).duplicate).toBe(true);
    await clock.advance("10m");
    expect((await publish()).duplicate).toBe(false);
  });
});
