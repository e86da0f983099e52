/** The SDK against a broker that is a process of its own: everything it promises, over sockets. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { connect, type Mess, MessError } from "../../packages/client/src/index.ts";
import { withPolicy } from "../support/declared.ts";
import { Server } from "../support/server.ts";

const policy = `
[topics."orders/#"]
retention = "1h"

[topics."checked/#"]
schema = '{"type": "object", "required": ["n"], "properties": {"n": {"type": "number"}}}'

[subscriptions.work]
filters = ["jobs/#"]
backoff = ["50ms", "100ms"]
maxDeliveries = 3

[subscriptions.short]
filters = ["short/#"]
ackWait = "1s"

[subscriptions.ordered]
filters = ["ordered/#"]
ordering = "key"
`;

describe("the SDK with a broker", () => {
  let server: Server;
  const clients: Mess[] = [];
  const url = (): string => `mqtt://127.0.0.1:${server.mqtt.port}`;
  const open = async (): Promise<Mess> => {
    const mess = await connect(url(), { reconnect: { min: 20, max: 200 } });
    clients.push(mess);
    return mess;
  };

  beforeAll(async () => {
    server = await Server.start({ args: withPolicy(policy) });
  });
  afterAll(async () => {
    await Promise.all(clients.map((client) => client.close({ timeout: 100 })));
    await server.remove();
  });

  it("publishes, and tells offset, repeat and whether anybody subscribes", async () => {
    const mess = await open();
    const topic = mess.topic("plain/{n}");
    const first = await topic.publish({ n: 1 }, "a", { id: "one" });
    expect(first).toMatchObject({ durability: "persisted", duplicate: false, subscribed: false });
    expect(first.offset).toBeGreaterThan(0);
    expect(await topic.publish({ n: 1 }, "a", { id: "one" })).toMatchObject({ offset: first.offset, duplicate: true });
    const reader = topic.subscribe();
    await reader.ready;
    const second = await topic.publish({ n: 2 }, { b: "ä" }, { headers: { h: "v" }, key: "k" });
    expect(second.subscribed).toBe(true);
    const { value: message } = await reader.next();
    expect(message).toMatchObject({
      topic: "plain/2",
      params: { n: "2" },
      value: { b: "ä" },
      offset: second.offset,
      key: "k",
      headers: { h: "v" },
    });
    expect(Math.abs((message?.time?.getTime() ?? 0) - Date.now())).toBeLessThan(10_000);
    expect(message?.publisher).toMatch(/./u);
    await reader.return();
  });

  it("is told by the broker's schema what is wrong", async () => {
    const mess = await open();
    const refused = mess.topic("checked/a").publish({ n: "x" });
    await expect(refused).rejects.toMatchObject({ reasonCode: 0x99, message: /\/n/u });
  });

  it("works through a queue: acks, retries with backoff, buries with the reason", async () => {
    const mess = await open();
    const jobs = mess.topic("jobs/{n}");
    const stop = new AbortController();
    const attempts = new Map<unknown, number[]>();
    const done = new Set<unknown>();
    const dead = mess.topic("{a}/{b}/{c}");
    expect(dead.template).toBe("{a}/{b}/{c}");
    const working = mess.queue<number>("work", { concurrency: 3 }).process(
      async ({ value, topic, attempt }) => {
        expect(topic).toBe(`jobs/${value}`);
        attempts.set(value, [...(attempts.get(value) ?? []), attempt]);
        if (value === 3 || (value === 5 && attempt < 3)) throw new Error("ledger is down");
        done.add(value);
      },
      { signal: stop.signal },
    );
    await Promise.all(Array.from({ length: 10 }, (_, n) => jobs.publish({ n }, n)));
    await until(() => done.size === 9 && attempts.get(3)?.length === 3);
    await pause(300);
    stop.abort();
    await working;
    expect(attempts.get(5)).toEqual([1, 2, 3]);
    expect(attempts.get(3)).toEqual([1, 2, 3]);
    expect(attempts.get(1)).toEqual([1]);
  });

  it("keeps a lease that is shorter than its handler", async () => {
    const mess = await open();
    const stop = new AbortController();
    const seen: number[] = [];
    const working = mess.queue("short", { concurrency: 2 }).process(
      async ({ attempt }) => {
        seen.push(attempt);
        await pause(2500);
      },
      { signal: stop.signal },
    );
    await mess.topic("short/a").publish(1);
    await until(() => seen.length > 0);
    await pause(3000);
    stop.abort();
    await working;
    expect(seen).toEqual([1]);
  });

  it("keeps the order of a key over several handlers", async () => {
    const mess = await open();
    const stop = new AbortController();
    const seen: Record<string, number[]> = { a: [], b: [], c: [] };
    let count = 0;
    const working = mess.queue<{ key: string; n: number }>("ordered", { concurrency: 5 }).process(
      async ({ value }) => {
        await pause(Math.random() * 5);
        seen[value.key]?.push(value.n);
        count += 1;
      },
      { signal: stop.signal },
    );
    const all = [];
    for (let n = 0; n < 30; n += 1) {
      const key = "abc"[n % 3] as string;
      all.push(mess.topic("ordered/x").publish({ key, n }, { key }));
    }
    await Promise.all(all);
    await until(() => count === 30);
    stop.abort();
    await working;
    for (const list of Object.values(seen)) expect(list).toEqual([...list].sort((a, b) => a - b));
  });

  it("settles by hand, and gives back what it does not", async () => {
    const mess = await open();
    for (let n = 100; n < 103; n += 1) await mess.topic(`jobs/${n}`).publish(n);
    const seen: unknown[] = [];
    for await (const message of mess.queue("work")) {
      seen.push(message.value);
      if (seen.length === 1) await message.reject("not wanted");
      else if (seen.length === 2) await message.nack({ delay: 50 });
      else await message.ack();
      if (seen.length === 4) break;
    }
    expect(seen).toEqual([100, 101, 102, 101]);
    {
      await using reader = mess.queue("work").consume();
      await mess.topic("jobs/200").publish(200);
      await reader.next();
    }
    for await (const message of mess.queue("work")) {
      expect([message.value, message.attempt]).toEqual([200, 1]);
      await message.ack();
      await expect(message.ack()).rejects.toMatchObject({ code: "INVALID_ARGUMENT" });
      break;
    }
  });

  it("says when there is no such subscription", async () => {
    const mess = await open();
    const missing = mess.queue("missing").process(() => undefined);
    await expect(missing).rejects.toThrow(MessError);
  });

  it("reads a stream again, from the beginning and from an offset", async () => {
    const mess = await open();
    const orders = mess.topic("orders/{n}");
    const offsets: number[] = [];
    for (let n = 0; n < 20; n += 1) offsets.push((await orders.publish({ n }, n)).offset ?? 0);
    const read = async (options: object): Promise<unknown[]> => {
      const seen: unknown[] = [];
      for await (const { value } of mess.stream("orders/#").read({ follow: false, idle: 300, ...options }))
        seen.push(value);
      return seen;
    };
    expect(await read({})).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(await read({ from: { offset: offsets[15] }, prefetch: 2 })).toEqual([15, 16, 17, 18, 19]);
    expect(await read({ limit: 3 })).toEqual([0, 1, 2]);
    expect(await read({ from: { time: "-1h" } })).toHaveLength(20);
    expect(await read({ from: "latest" })).toEqual([]);
  });

  it("asks and answers", async () => {
    const mess = await open();
    const service = await open();
    await using responder = service.respond<{ sku: string }>("svc/price", ({ sku }) => {
      if (sku === "none") throw new MessError("REFUSED", "no such article", { reason: "NO_ARTICLE" });
      return { price: sku.length };
    });
    await responder.ready;
    expect(await mess.request("svc/price", { sku: "abc" })).toEqual({ price: 3 });
    const refused = mess.request("svc/price", { sku: "none" });
    await expect(refused).rejects.toMatchObject({ code: "REMOTE_FAILURE", message: "no such article" });
    await expect(mess.request("svc/none", 1)).rejects.toMatchObject({ code: "NO_RESPONDER" });
  });

  it("delivers later what is published with a delay", async () => {
    const mess = await open();
    const reader = mess.topic("later").subscribe();
    await reader.ready;
    const began = Date.now();
    await mess.topic("later").publish("late", { delay: "700ms" });
    await mess.topic("later").publish("soon", { at: new Date(Date.now() - 1000) });
    expect((await reader.next()).value?.value).toBe("soon");
    expect((await reader.next()).value?.value).toBe("late");
    expect(Date.now() - began).toBeGreaterThanOrEqual(690);
    await reader.return();
  });

  it("loses and doubles nothing over restarts of the broker", async () => {
    const mess = await open();
    const reader = mess.topic("restart").subscribe();
    await reader.ready;
    const seen: unknown[] = [];
    const reading = (async () => {
      for await (const { value } of reader) {
        seen.push(value);
        if (value === "last") return;
      }
    })();
    let stop = false;
    let count = 0;
    const receipts: Promise<unknown>[] = [];
    const publishing = (async () => {
      while (!stop) {
        receipts.push(mess.topic("restart").publish(count++));
        await pause(3);
      }
    })();
    for (let round = 0; round < 3; round += 1) {
      await pause(300);
      await server.kill();
      await pause(100);
      await server.start();
    }
    await pause(300);
    stop = true;
    await publishing;
    await Promise.all(receipts);
    await mess.topic("restart").publish("last");
    await reading;
    expect(seen).toEqual([...Array.from({ length: count }, (_, index) => index), "last"]);
  }, 60_000);
});

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

async function until(condition: () => boolean, milliseconds = 15_000): Promise<void> {
  const deadline = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > deadline) throw new Error("it did not come to be in time");
    await pause(5);
  }
}
