import { describe, expect, it, vi } from "vitest";
import { FakeBroker, type FakeQueue } from "../fake-broker.test-data.ts";
import type { Mess } from "../mess.ts";
import { MessError } from "../mess-error.ts";
import { openClient, readingSchema } from "../open-client.test-data.ts";
import type { QueueMessage } from "./queue-message.ts";

async function work(jobs = 0): Promise<{ mess: Mess; broker: FakeBroker; queue: FakeQueue }> {
  const broker = new FakeBroker();
  const queue = broker.queue("work", "jobs/#");
  for (let index = 0; index < jobs; index += 1) broker.publish(`jobs/${index}`, String(index));
  return { ...(await openClient({}, broker)), queue };
}

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("process", () => {
  it("acks when the handler returns, with as many handlers at a time as asked for", async () => {
    const { mess, queue } = await work(20);
    const stop = new AbortController();
    let running = 0;
    let most = 0;
    const working = mess.queue("work", { concurrency: 4 }).process(
      async ({ topic, value, offset, attempt }) => {
        expect(topic).toBe(`jobs/${String(value)}`);
        expect([offset, attempt]).toEqual([value, 1]);
        running += 1;
        most = Math.max(most, running);
        await pause(2);
        running -= 1;
      },
      { signal: stop.signal },
    );
    await vi.waitFor(() => expect(queue.acked).toHaveLength(20));
    stop.abort();
    await working;
    expect(most).toBe(4);
    expect(queue.settlements.every((settlement) => settlement.startsWith("ack"))).toBe(true);
  });

  it("nacks with the reason when it throws, and the last attempt makes a dead letter", async () => {
    const { mess, queue } = await work(1);
    const attempts: number[] = [];
    const stop = new AbortController();
    const working = mess.queue("work").process(
      ({ attempt }) => {
        attempts.push(attempt);
        throw new Error("ledger is down");
      },
      { signal: stop.signal },
    );
    await vi.waitFor(() => expect(queue.dead).toHaveLength(1));
    stop.abort();
    await working;
    expect(attempts).toEqual([1, 2, 3]);
    expect(queue.dead[0]).toMatchObject({ reason: "ledger is down", attempts: 3 });
  });

  it("leaves it to a handler that settles by itself", async () => {
    const { mess, queue } = await work(3);
    const stop = new AbortController();
    const working = mess.queue("work").process(
      async (message) => {
        if (message.value === 0) await message.reject("never");
        if (message.value === 1 && message.attempt === 1) await message.nack({ delay: "2s", reason: "later" });
        if (message.value === 2) {
          await message.ack();
          throw new Error("after it was settled");
        }
      },
      { signal: stop.signal },
    );
    await vi.waitFor(() => expect(queue.acked).toHaveLength(2));
    stop.abort();
    await working;
    expect(queue.settlements).toContain("reject 0 never");
    expect(queue.settlements).toContain("nack 1 later 2000");
    expect(queue.settlements.filter((settlement) => settlement.includes(" 2"))).toEqual(["nack 1 later 2000", "ack 2"]);
    expect(queue.dead).toHaveLength(1);
  });

  it("extends the lease while the handler runs", async () => {
    const { mess, queue } = await work(1);
    const stop = new AbortController();
    let lost = false;
    const working = mess.queue("work", { lease: 60 }).process(
      async ({ signal }) => {
        signal.addEventListener("abort", () => {
          lost = true;
        });
        await pause(200);
      },
      { signal: stop.signal },
    );
    await vi.waitFor(() => expect(queue.acked).toHaveLength(1));
    stop.abort();
    await working;
    expect(lost).toBe(false);
    expect(queue.settlements.filter((settlement) => settlement === "extend 0  60").length).toBeGreaterThan(5);
  });

  it("tells the handler that the lease is lost: with the connection, and when the broker says so", async () => {
    const { mess, broker, queue } = await work(1);
    const errors: unknown[] = [];
    mess.on("error", ({ error }) => errors.push(error));
    const reasons: unknown[] = [];
    const stop = new AbortController();
    const working = mess.queue("work", { lease: 60 }).process(
      async ({ signal, attempt }) => {
        if (attempt > 1) return;
        if (reasons.length === 0) broker.cut(broker.open[1] as never);
        else for (const token of [...queue.leases.keys()]) broker.expire("work", token);
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        reasons.push((signal.reason as MessError).code);
      },
      { signal: stop.signal },
    );
    await vi.waitFor(() => expect(queue.acked).toHaveLength(1));
    stop.abort();
    await working;
    expect(reasons).toEqual(["LEASE_LOST", "LEASE_LOST"]);
    expect(queue.settlements.at(-1)).toBe("ack 0");
  });

  it("stops gracefully: finishes what runs, gives back the rest, counts nothing", async () => {
    const { mess, broker, queue } = await work(10);
    const stop = new AbortController();
    const finish: (() => void)[] = [];
    const working = mess
      .queue("work", { concurrency: 2, prefetch: 3 })
      .process(() => new Promise<void>((resolve) => finish.push(resolve)), { signal: stop.signal });
    await vi.waitFor(() => expect([queue.leases.size, finish.length]).toEqual([5, 2]));
    stop.abort();
    await pause(10);
    for (const resolve of finish) resolve();
    await working;
    await vi.waitFor(() => expect(queue.leases.size).toBe(0));
    expect(queue.acked).toEqual(["0", "1"]);
    expect(queue.ready.map(({ stored, attempt }) => [Number(stored.payload), attempt]).sort()).toEqual(
      [2, 3, 4, 5, 6, 7, 8, 9].map((value) => [value, 1]),
    );
    expect(broker.open).toHaveLength(1);
  });

  it("waits for handlers no longer than its grace", async () => {
    const { mess, queue } = await work(1);
    const stop = new AbortController();
    let code = "";
    const working = mess.queue("work").process(
      async ({ signal }) => {
        stop.abort();
        await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
        code = (signal.reason as MessError).code;
      },
      { signal: stop.signal, grace: 20 },
    );
    await working;
    expect(code).toBe("LEASE_LOST");
    expect(queue.ready).toMatchObject([{ attempt: 1 }]);
  });

  it("nacks a handler that takes longer than its timeout, whether it heeds the signal or not", async () => {
    const { mess, queue } = await work(1);
    const stop = new AbortController();
    const working = mess
      .queue("work")
      .process(({ attempt }) => (attempt === 1 ? new Promise(() => undefined) : undefined), {
        signal: stop.signal,
        timeout: 20,
      });
    await vi.waitFor(() => expect(queue.acked).toHaveLength(1));
    stop.abort();
    await working;
    expect(queue.settlements[0]).toMatch(/^nack 0 the handler took longer than 20 ms/u);
  });

  it("rejects what is invalid with the reason, or as onInvalid says", async () => {
    const { mess, broker, queue } = await work();
    broker.publish("jobs/a", "{}");
    broker.publish("jobs/b", "not JSON");
    const stop = new AbortController();
    const handler = vi.fn();
    const own = mess.queue("work", { schema: readingSchema, onInvalid: (_error, message) => message.ack() });
    const working = own.process(handler, { signal: stop.signal });
    await vi.waitFor(() => expect(queue.acked).toHaveLength(2));
    stop.abort();
    await working;
    const again = new AbortController();
    const plain = mess.queue("work", { schema: readingSchema }).process(handler, { signal: again.signal });
    broker.publish("jobs/c", "{}");
    await vi.waitFor(() => expect(queue.dead).toHaveLength(1));
    again.abort();
    await plain;
    expect(queue.dead[0]?.reason).toMatch(/\/celsius: is not a number/u);
    expect(handler).not.toHaveBeenCalled();
  });

  it("rejects when there is no such subscription", async () => {
    const { mess } = await work();
    const missing = mess.queue("missing").process(() => undefined);
    await expect(missing).rejects.toMatchObject({ code: "NOT_AUTHORIZED", message: /no subscription "missing"/u });
  });

  it("resolves when the client is closed", async () => {
    const { mess } = await work();
    const working = mess.queue("work").process(() => undefined);
    await pause(10);
    await mess.close();
    expect(await working).toBeUndefined();
  });
});

describe("a loop over a queue", () => {
  it("settles by hand, and holds no more than its concurrency", async () => {
    const { mess, queue } = await work(6);
    const open: QueueMessage[] = [];
    const seen: unknown[] = [];
    for await (const message of mess.queue("work", { concurrency: 2 })) {
      seen.push(message.value);
      open.push(message);
      expect(queue.leases.size).toBeLessThanOrEqual(2);
      if (open.length === 2) await Promise.all(open.splice(0).map((held) => held.ack()));
      if (seen.length === 6) break;
    }
    expect(seen).toEqual([0, 1, 2, 3, 4, 5]);
    expect(queue.acked).toHaveLength(6);
  });

  it("that is left still lets the last message be settled, then the connection ends", async () => {
    const { mess, broker, queue } = await work(3);
    let last: QueueMessage | undefined;
    for await (const message of mess.queue("work", { concurrency: 2 })) {
      last = message;
      break;
    }
    await last?.ack();
    await vi.waitFor(() => expect(broker.open).toHaveLength(1));
    expect(queue.acked).toEqual(["0"]);
    expect(queue.ready.map(({ attempt }) => attempt)).toEqual([1, 1]);
  });

  it("gives back what is not settled when it is disposed of", async () => {
    const { mess, queue } = await work(1);
    let message: QueueMessage | undefined;
    {
      await using reader = mess.queue("work").consume();
      message = (await reader.next()).value;
    }
    await expect(message?.ack()).rejects.toMatchObject({ code: "LEASE_LOST", hint: /delivers the message again/u });
    await vi.waitFor(() => expect(queue.ready).toMatchObject([{ attempt: 1 }]));
  });

  it("settles once", async () => {
    const { mess } = await work(1);
    await using reader = mess.queue("work").consume();
    const { value: message } = await reader.next();
    expect(message?.settled).toBe(false);
    await message?.release();
    expect(message?.settled).toBe(true);
    await expect(message?.ack()).rejects.toMatchObject({ code: "INVALID_ARGUMENT", message: /settled already/u });
  });

  it("ends by its signal", async () => {
    const { mess } = await work();
    const reader = mess.queue("work").consume({ signal: AbortSignal.timeout(20) });
    for await (const _ of reader) expect.unreachable();
  });

  it("shortens reasons, and cuts no character in two", async () => {
    const { mess, queue } = await work(1);
    await using reader = mess.queue("work").consume();
    const { value: message } = await reader.next();
    await message?.reject(`\0\ud800${"x".repeat(249)}😀y`);
    expect(queue.dead[0]?.reason).toBe(`${"x".repeat(249)}…`);
  });
});

describe("names and numbers", () => {
  it.each(["", "a/b", "a+", "#"])("%j is not a queue", async (name) => {
    const { mess } = await openClient();
    expect(() => mess.queue(name)).toThrow(MessError);
  });

  it.each([0, 1.5, -1, 100_000])("%s is no concurrency", async (concurrency) => {
    const { mess } = await openClient();
    expect(() => mess.queue("work", { concurrency })).toThrow(/concurrency/u);
  });
});
