/** Connections that break at any moment: every publish resolves once, nothing doubles, the order is kept, readers go on. */
import type { Packet } from "@mess/wire";
import fc from "fast-check";
import { expect, it } from "vitest";
import { connect } from "./connect.ts";
import { FakeBroker, type FakeConnection } from "./fake-broker.test-data.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

async function turns(count: number): Promise<void> {
  for (let index = 0; index < count; index += 1) await turn();
}

/** Breaks the connection at its n-th packet, before or after the broker has dealt with it. */
function cutter(plan: readonly { readonly after: number; readonly dealt: boolean }[]): {
  intercept: (packet: Packet, connection: FakeConnection) => boolean;
  broker: FakeBroker | undefined;
} {
  const left = [...plan];
  let seen = 0;
  const self: ReturnType<typeof cutter> = {
    broker: undefined,
    intercept: (_packet, connection) => {
      const next = left[0];
      if (next === undefined) return false;
      seen += 1;
      if (seen < next.after) return false;
      seen = 0;
      left.shift();
      if (next.dealt) setImmediate(() => self.broker?.cut(connection));
      else self.broker?.cut(connection);
      return !next.dealt;
    },
  };
  return self;
}

const plan = fc.array(fc.record({ after: fc.integer({ min: 1, max: 12 }), dealt: fc.boolean() }), { maxLength: 8 });

it("every publish resolves exactly once, stored once, in order", async () => {
  const calls = fc.array(fc.record({ pause: fc.integer({ min: 0, max: 3 }), burst: fc.integer({ min: 1, max: 6 }) }), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(plan, calls, fc.integer({ min: 1, max: 5 }), async (cuts, bursts, receiveMaximum) => {
      const cut = cutter(cuts);
      const broker = new FakeBroker({
        intercept: cut.intercept,
        connack: () => ({ reasonCode: 0, properties: { receiveMaximum } }),
      });
      cut.broker = broker;
      const mess = await connect("mqtt://localhost", {
        transport: broker.transport,
        reconnect: { min: 1, max: 2 },
        waitForServer: true,
      });
      const topic = mess.topic("t");
      const resolved: number[] = [];
      const all: Promise<void>[] = [];
      let count = 0;
      for (const { pause, burst } of bursts) {
        for (let index = 0; index < burst; index += 1) {
          const value = count++;
          all.push(
            topic.publish(value).then(({ offset }) => {
              resolved.push(value);
              expect(broker.log[offset ?? -1]?.payload).toBe(String(value));
            }),
          );
        }
        await turns(pause);
      }
      await Promise.all(all);
      expect(resolved.sort((a, b) => a - b)).toEqual(Array.from({ length: count }, (_, index) => index));
      expect(broker.log.map(({ payload }) => Number(payload))).toEqual(resolved);
      await mess.close({ timeout: 100 });
    }),
    { numRuns: 150 },
  );
}, 60_000);

it("a loop sees every message once, in order, while the session lives", async () => {
  await fc.assert(
    fc.asyncProperty(plan, fc.integer({ min: 1, max: 4 }), async (cuts, receiveMaximum) => {
      const broker = new FakeBroker();
      const mess = await connect("mqtt://localhost", {
        transport: broker.transport,
        reconnect: { min: 1, max: 2 },
        receiveMaximum,
      });
      const reader = mess.topic("t/{n}").subscribe();
      await reader.ready;
      const breaking = cutter(cuts);
      breaking.broker = broker;
      broker.options.intercept = breaking.intercept;
      const seen: number[] = [];
      const reading = (async () => {
        for await (const { value, params } of reader) {
          expect(params.n).toBe("1");
          seen.push(value as number);
          if (seen.length % 3 === 0) await turns(2);
          if (value === 39) break;
        }
      })();
      for (let index = 0; index < 40; index += 1) {
        broker.publish("t/1", String(index));
        if (index % 4 === 0) await turn();
      }
      await reading;
      expect(seen).toEqual(Array.from({ length: 40 }, (_, index) => index));
      await mess.close({ timeout: 100 });
    }),
    { numRuns: 150 },
  );
}, 60_000);

it("a queue loses nothing, and counts no attempt for a lost connection", async () => {
  await fc.assert(
    fc.asyncProperty(plan, fc.integer({ min: 1, max: 4 }), async (cuts, concurrency) => {
      const breaking = cutter(cuts);
      const broker = new FakeBroker();
      breaking.broker = broker;
      const queue = broker.queue("work", "jobs/#");
      const mess = await connect("mqtt://localhost", { transport: broker.transport, reconnect: { min: 1, max: 2 } });
      broker.options.intercept = breaking.intercept;
      for (let index = 0; index < 20; index += 1) broker.publish(`jobs/${index}`, String(index));
      const stop = new AbortController();
      const handled = new Set<number>();
      const attempts = new Set<number>();
      const working = mess.queue("work").process(
        async ({ value, attempt }) => {
          attempts.add(attempt);
          await turns(1);
          handled.add(value as number);
        },
        { concurrency, signal: stop.signal },
      );
      while (queue.acked.length < 20) await turn();
      stop.abort();
      await working;
      expect(handled.size).toBe(20);
      expect([...attempts]).toEqual([1]);
      expect(queue.dead).toEqual([]);
      expect(queue.acked.map(Number).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, index) => index));
      await mess.close({ timeout: 100 });
    }),
    { numRuns: 100 },
  );
}, 60_000);

it("a stream goes on behind the last message it saw", async () => {
  await fc.assert(
    fc.asyncProperty(plan, async (cuts) => {
      const breaking = cutter(cuts);
      const broker = new FakeBroker();
      breaking.broker = broker;
      const mess = await connect("mqtt://localhost", { transport: broker.transport, reconnect: { min: 1, max: 2 } });
      broker.options.intercept = breaking.intercept;
      for (let index = 0; index < 20; index += 1) broker.publish(index % 2 === 0 ? "a" : "b", String(index));
      const seen: unknown[] = [];
      for await (const { value } of mess.stream("a").read({ prefetch: 3, limit: 15 })) {
        seen.push(value);
        if (seen.length === 5) for (let index = 20; index < 40; index += 2) broker.publish("a", String(index));
      }
      expect(seen).toEqual(Array.from({ length: 15 }, (_, index) => index * 2));
      await mess.close({ timeout: 100 });
    }),
    { numRuns: 100 },
  );
}, 60_000);
