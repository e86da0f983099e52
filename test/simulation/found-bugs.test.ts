/** Bugs of the broker that the simulator found, each as the shortest run that shows it. */
import { describe, expect, it } from "vitest";
import type { ClientPlan, ConnectWish } from "./client.ts";
import type { Operation } from "./operations.ts";
import { Run } from "./run.ts";
import { startBroker } from "./system-under-test.ts";

const fresh: ConnectWish = { cleanStart: true, expiry: 86_400, will: undefined };
const client = (index: number): ClientPlan => ({ index, version: 5, receiveMaximum: 100, window: 50, keepAlive: 0 });

function publish(from: number, topic: string, qos: 0 | 1 | 2, retain = false): Operation {
  return { after: 5_000, kind: "publish", client: from, topic, qos, retain, size: 40 };
}

function subscribe(who: number, filter: string, qos: 0 | 1 | 2): Operation {
  return { after: 5_000, kind: "subscribe", client: who, filter, qos, noLocal: false };
}

const connectAll: readonly Operation[] = [0, 1, 2].map((index) => ({
  after: 2_000,
  kind: "connect",
  client: index,
  wish: fresh,
}));

const runs: readonly { readonly name: string; readonly operations: readonly Operation[] }[] = [
  {
    name: "a QoS 0 publish goes to its own topic when a QoS 1 publish to that topic came before it",
    operations: [subscribe(1, "t/0", 1), publish(0, "t/0", 0), publish(0, "t/1", 1), publish(0, "t/1", 0)],
  },
  {
    name: "a QoS 1 message below a QoS 2 delivery under way is not skipped after a crash",
    operations: [
      subscribe(1, "t/#", 2),
      { after: 5_000, kind: "withhold", client: 1, milliseconds: 400 },
      publish(0, "t/0", 1),
      publish(0, "t/0", 2),
      { after: 50_000, kind: "kill" },
    ],
  },
  {
    name: "a QoS 2 delivery of a group that is under way at a crash is made once",
    operations: [
      subscribe(1, "$share/g/t/#", 2),
      { after: 5_000, kind: "withhold", client: 1, milliseconds: 400 },
      publish(0, "t/0", 2),
      { after: 50_000, kind: "kill" },
    ],
  },
  {
    name: "retained messages are not sent again at every start",
    operations: [
      publish(0, "r/0a", 2, true),
      subscribe(1, "r/+", 2),
      { after: 500_000, kind: "kill" },
      { after: 500_000, kind: "kill" },
    ],
  },
  {
    name: "a retained message under way at a crash is sent again with RETAIN",
    operations: [
      publish(0, "r/0a", 2, true),
      subscribe(1, "r/+", 2),
      { after: 100, kind: "stall", client: 1, milliseconds: 400 },
      { after: 50_000, kind: "crash" },
    ],
  },
  {
    name: "a message published after a crash is not marked as sent before it [MQTT-3.3.1-2]",
    operations: [subscribe(1, "t/0", 1), { after: 100_000, kind: "kill" }, { ...publish(0, "t/0", 1), after: 300_000 }],
  },
  {
    name: "an UNSUBSCRIBE does not bring retained messages again that were sent already",
    operations: [
      publish(0, "r/0a", 1, true),
      subscribe(1, "t/0", 1),
      subscribe(1, "r/+", 1),
      { after: 100, kind: "slowSync", milliseconds: 300 },
      publish(2, "r/2a", 1, true),
      subscribe(1, "#", 1),
      { after: 3_000, kind: "unsubscribe", client: 1, filter: "t/0" },
    ],
  },
  {
    name: "a session of expiry 0 that is kept for its will is not resumed after a crash",
    operations: [
      {
        after: 2_000,
        kind: "connect",
        client: 1,
        wish: { cleanStart: false, expiry: 0, will: { topic: "w/1", qos: 1, retain: false, size: 20 } },
      },
      subscribe(1, "t/0", 1),
      publish(0, "t/0", 1),
      { after: 300_000, kind: "kill" },
    ],
  },
  {
    name: "a QoS 2 publish whose commit failed is not answered, so that its id is not used for another message",
    operations: [
      subscribe(1, "t/#", 1),
      { after: 20_000, kind: "diskError", operation: "datasync", nth: 1, code: "EIO", persisted: "all" },
      publish(0, "t/0", 2),
      publish(0, "t/1", 2),
      { after: 300_000, kind: "jump", milliseconds: 0 },
      publish(0, "t/2", 2),
      publish(0, "t/0", 2),
    ],
  },
];

describe("found by the simulator", () => {
  it.each(runs)("$name", async ({ operations }) => {
    for (let seed = 1; seed <= 5; seed++) {
      const clients = [0, 1, 2].map(client);
      const plan = { seed, features: [], clients, segmentBytes: 65_536, operations: [...connectAll, ...operations] };
      const { violation } = await new Run(plan, { start: startBroker }).result();
      expect(violation?.message, `seed ${seed}`).toBeUndefined();
    }
  });
});
