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
    const { broker, client } = mess;
    await using other = await broker.connect();
    const temperatures = client.topic<"plant/{line}/temp", { celsius: number }>("plant/{line}/temp");
    const reader = temperatures.subscribe({ line: "7" });
    await reader.ready;
    const receipt = await temperatures.publish({ line: "7" }, { celsius: 21.5 });
    expect(receipt.offset).toBeGreaterThan(0);
    for await (const { params, value } of reader) {
      expect([params.line, value.celsius]).toEqual(["7", 21.5]);
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
