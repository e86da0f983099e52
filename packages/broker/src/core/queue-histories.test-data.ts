/** Random histories of declared subscriptions: steps as data, and a player that keeps account of every message. */
import fc from "fast-check";
import type { Policy } from "../model/policy.ts";
import type { SubscriptionSettings } from "../model/settings.ts";
import { declare, FakeConsumer, type Taken } from "./fake-consumer.test-data.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { World, type WorldOptions } from "./world.test-data.ts";

const consumersMax = 4;
const sessionsMax = 2;
export const queueNames = ["shared", "key", "exclusive", "small"] as const;

const base: Partial<SubscriptionSettings> = { ackWaitMs: 5_000, maxDeliveries: 3, backoffMs: [1_000, 4_000] };
/** By name; the second is what they are changed to and back. */
const settings: Readonly<Record<string, readonly Partial<SubscriptionSettings>[]>> = {
  shared: [base, { ...base, priorities: true, expired: "dead-letter" }],
  key: [
    { ...base, ordering: "key" },
    { ...base, ordering: "shared", filters: ["a/b", "c"] },
  ],
  exclusive: [
    { ...base, ordering: "exclusive", filters: ["a/b", "a/+"], where: { colour: "red" } },
    { ...base, ordering: "key", filters: ["a/b"], expiryMs: 20_000 },
  ],
  small: [
    { ...base, maxMessages: 3, maxBytes: 12, overflow: "drop-oldest" },
    { ...base, ordering: "key", maxMessages: 4, overflow: "dead-letter", priorities: true },
  ],
};

export type QueueStep =
  | {
      readonly do: "publish";
      readonly topic: string;
      readonly key: string;
      readonly priority: number;
      readonly expiry: number;
      readonly red: boolean;
      readonly qos: 0 | 1 | 2;
    }
  | { readonly do: "live"; readonly topic: string }
  | {
      readonly do: "attach";
      readonly consumer: number;
      readonly queue: string;
      readonly messages: number;
      readonly bytes: number;
    }
  | { readonly do: "leave"; readonly consumer: number; readonly keep: boolean }
  | { readonly do: "stall" | "flow" | "narrow"; readonly consumer: number }
  | {
      readonly do: "settle";
      readonly consumer: number;
      readonly last: boolean;
      readonly verb: "ack" | "nack" | "reject" | "release" | "extend";
    }
  | { readonly do: "connect" | "cut" | "unsubscribe"; readonly session: number }
  | { readonly do: "subscribe"; readonly session: number; readonly filter: string; readonly explicit: boolean }
  | { readonly do: "answer"; readonly session: number; readonly reason: number }
  | { readonly do: "change"; readonly queue: string; readonly which: number }
  | { readonly do: "delete"; readonly queue: string }
  | { readonly do: "reset"; readonly queue: string; readonly back: number }
  | { readonly do: "redrive" | "purge"; readonly queue: string; readonly reason: string | undefined }
  | { readonly do: "policy"; readonly which: number }
  | { readonly do: "wait"; readonly milliseconds: number }
  | { readonly do: "seal" | "commitSealed" | "commit" | "turn" | "read" | "snapshot" | "tidy" | "crash" };

const consumer = fc.nat(consumersMax - 1);
const session = fc.nat(sessionsMax - 1);
const queue = fc.constantFrom(...queueNames);
const topic = fc.constantFrom("a/b", "a/b", "a/c", "c");
const filters = [
  ...queueNames.map((name) => `$mess/queue/${name}/#`),
  "$share/shared/a/#",
  "$share/key/a/#",
  "$mess/dead/key",
];

const weighted: readonly (readonly [number, fc.Arbitrary<QueueStep>])[] = [
  [
    20,
    fc.record({
      do: fc.constant("publish" as const),
      topic,
      key: fc.constantFrom("", "x", "x", "y"),
      priority: fc.constantFrom(-1, -1, 0, 9),
      expiry: fc.constantFrom(0, 0, 0, 3),
      red: fc.boolean(),
      qos: fc.constantFrom(1, 1, 2, 0) as fc.Arbitrary<0 | 1 | 2>,
    }),
  ],
  [3, fc.record({ do: fc.constant("live" as const), topic })],
  [
    10,
    fc.record({
      do: fc.constant("attach" as const),
      consumer,
      queue,
      messages: fc.constantFrom(1, 2, 100),
      bytes: fc.constantFrom(4, 1_000),
    }),
  ],
  [3, fc.record({ do: fc.constant("leave" as const), consumer, keep: fc.boolean() })],
  [4, fc.record({ do: fc.constantFrom("stall", "flow", "flow", "narrow"), consumer })],
  [
    24,
    fc.record({
      do: fc.constant("settle" as const),
      consumer,
      last: fc.boolean(),
      verb: fc.constantFrom("ack", "ack", "ack", "nack", "nack", "reject", "release", "extend"),
    }),
  ],
  [4, fc.record({ do: fc.constantFrom("connect", "connect", "cut", "unsubscribe"), session })],
  [
    4,
    fc.record({
      do: fc.constant("subscribe" as const),
      session,
      filter: fc.constantFrom(...filters),
      explicit: fc.boolean(),
    }),
  ],
  [6, fc.record({ do: fc.constant("answer" as const), session, reason: fc.constantFrom(0, 0, 0x80, 0x99) })],
  [1, fc.record({ do: fc.constant("change" as const), queue, which: fc.nat(1) })],
  [1, fc.record({ do: fc.constant("reset" as const), queue, back: fc.nat(30) })],
  [
    2,
    fc.record({
      do: fc.constantFrom("redrive", "redrive", "purge"),
      queue,
      reason: fc.constantFrom(undefined, "full"),
    }),
  ],
  [1, fc.record({ do: fc.constant("policy" as const), which: fc.nat(2) })],
  [6, fc.record({ do: fc.constant("wait" as const), milliseconds: fc.constantFrom(500, 1_000, 4_000, 6_000) })],
  [3, fc.record({ do: fc.constant("seal" as const) })],
  [14, fc.record({ do: fc.constantFrom("commitSealed", "commit", "commit", "turn", "turn", "read", "read") })],
  [2, fc.record({ do: fc.constantFrom("snapshot", "tidy") })],
  [1, fc.record({ do: fc.constant("crash" as const) })],
];

/** Histories of `least` to `most` steps, without what is named. */
export function queueHistories(
  least: number,
  most: number,
  without: readonly QueueStep["do"][] = [],
): fc.Arbitrary<QueueStep[]> {
  const arbitraries = weighted.map(([weight, arbitrary]) => ({ weight, arbitrary }));
  const step = fc.oneof(...arbitraries).filter((one) => !without.includes(one.do));
  return fc.array(step, { minLength: least, maxLength: most, size: "max" });
}

const everything: Policy = {
  roles: {
    user: {
      allow: (["publish", "subscribe", "consume", "share"] as const).map((action) => ({ action, filter: "#" })),
      deny: [],
    },
  },
  principals: { dev: { roles: ["user"] } },
};

/** Everything; without reading `a/c`; without consuming from `key`. */
const queuePolicies: readonly Policy[] = [
  everything,
  {
    ...everything,
    roles: {
      user: {
        ...everything.roles["user"],
        allow: everything.roles["user"]?.allow ?? [],
        deny: [{ action: "subscribe", filter: "a/c" }],
      },
    },
  },
  {
    ...everything,
    roles: {
      user: {
        ...everything.roles["user"],
        allow: everything.roles["user"]?.allow ?? [],
        deny: [{ action: "consume", filter: "key" }],
      },
    },
  },
];

/** A delivery that its consumer has not settled. */
interface Open {
  readonly taken: Taken;
  readonly queue: string;
}

/** Plays steps; what makes no sense at its moment is left out. */
export class QueuePlayer {
  readonly world: World;
  readonly consumers: (FakeConsumer | undefined)[] = [];
  readonly open: Open[][] = [];
  readonly sessions: (FakeClient | undefined)[] = [];
  /** Payloads that were taken from their publisher, QoS 0 apart. */
  readonly published: Set<string> = new Set();
  /** `queue payload` of what a consumer acknowledged and was told is durable. */
  readonly acked: Set<string> = new Set();
  onTaken: ((queue: string, taken: Taken) => void) | undefined;
  #publisher: FakeClient;
  #payloads = 0;

  constructor(options: WorldOptions) {
    this.world = new World({ policy: everything, ...options });
    for (const name of queueNames) declare(this.world, name, settings[name]?.[0]);
    this.#publisher = this.world.connected("publisher");
  }

  play(step: QueueStep): void {
    const { world } = this;
    switch (step.do) {
      case "publish":
        this.#publish(step);
        break;
      case "live":
        if (this.#publisher.isOn) this.#publisher.live(step.topic, `${++this.#payloads}`);
        break;
      case "seal":
        world.journal.seal();
        break;
      case "commitSealed":
        world.journal.commitSealed();
        break;
      case "commit":
        world.commit();
        break;
      case "turn":
        world.turn();
        break;
      case "read":
        world.journal.answerFetches();
        break;
      case "wait":
        world.wait(step.milliseconds);
        break;
      case "snapshot":
        world.machine.retention.snapshot();
        break;
      case "tidy":
        world.machine.tidy();
        break;
      case "crash":
        this.#crash();
        break;
      default:
        this.#rare(step);
    }
  }

  /** Everything that is under way comes to rest. */
  settle(): void {
    for (let i = 0; i < 50; i++) {
      this.world.commit();
      if (this.world.journal.fetchesWaiting === 0) return;
      this.world.journal.answerFetches();
    }
    throw new Error("the broker never comes to rest");
  }

  #rare(step: QueueStep): void {
    const { queues, credentials, state } = this.world.machine;
    switch (step.do) {
      case "change":
        declare(this.world, step.queue, settings[step.queue]?.[step.which]);
        break;
      case "delete":
        queues.delete(step.queue, "admin");
        break;
      case "reset":
        queues.reset(step.queue, Math.max(1, this.world.journal.lastSeq + 1 - step.back), "admin");
        break;
      case "redrive":
      case "purge": {
        const selection = step.reason === undefined ? {} : { reason: step.reason };
        queues[step.do](step.queue, { by: "admin", selection }, () => undefined);
        break;
      }
      case "policy":
        credentials.applyPolicy({ policy: queuePolicies[step.which] ?? state.policy, by: "admin" });
        break;
      default:
        this.#consume(step);
    }
  }

  #consume(step: QueueStep): void {
    if ("session" in step) {
      this.#session(step);
      return;
    }
    if (!("consumer" in step)) return;
    const known = this.consumers[step.consumer];
    if (step.do === "attach") {
      if (known === undefined || known.ended !== undefined) this.#attach(step);
      return;
    }
    if (known === undefined) return;
    if (step.do === "leave") {
      known.leave(step.keep);
      if (!step.keep) this.open[step.consumer] = [];
      this.consumers[step.consumer] = undefined;
    } else if (step.do === "narrow") known.largest = known.largest === 2 ? 1_000 : 2;
    else if (step.do === "settle") this.#settle(step);
    else known.isReady = step.do === "flow";
    if (step.do === "flow") known.resume();
  }

  #attach(step: Extract<QueueStep, { do: "attach" }>): void {
    const made = new FakeConsumer(this.world, step.queue, { messages: step.messages, bytes: step.bytes });
    if (made.refusal !== undefined) return;
    const open: Open[] = [];
    this.consumers[step.consumer] = made;
    this.open[step.consumer] = open;
    made.onTaken = (taken) => {
      open.push({ taken, queue: step.queue });
      this.onTaken?.(step.queue, taken);
    };
  }

  #settle(step: Extract<QueueStep, { do: "settle" }>): void {
    const list = this.open[step.consumer] ?? [];
    const one = step.verb === "extend" ? list[0] : step.last ? list.pop() : list.shift();
    if (one === undefined) return;
    const { taken, queue: name } = one;
    this.world.machine.queues.settle("dev", taken.token, { verb: step.verb }, (result) => {
      if (step.verb === "ack" && result === "done") this.acked.add(`${name} ${taken.payload}`);
    });
  }

  #session(step: Extract<QueueStep, { session: number }>): void {
    const known = this.sessions[step.session];
    if (step.do === "connect") {
      if (known?.isOn !== true)
        this.sessions[step.session] = this.world.connect(`s${step.session}`, { expiry: 1_000, receiveMaximum: 3 });
      return;
    }
    if (known?.isOn !== true) return;
    if (step.do === "cut") known.cut();
    else if (step.do === "subscribe") known.subscribe(step.filter, { explicit: step.explicit });
    else if (step.do === "unsubscribe") for (const filter of filters) known.unsubscribe(filter);
    else if (step.do === "answer") {
      const delivered = known.link.delivered.shift();
      if (delivered !== undefined && delivered.packetId > 0)
        known.ack(delivered.packetId, delivered.qos === 2 ? 2 : 1, step.reason);
    }
  }

  #publish(step: Extract<QueueStep, { do: "publish" }>): void {
    if (!this.#publisher.isOn) this.#publisher = this.world.connected("publisher");
    const payload = `${++this.#payloads}`;
    const attributes = {
      ...(step.key === "" ? {} : { key: step.key }),
      ...(step.priority < 0 ? {} : { priority: step.priority }),
    };
    const packetId = this.#payloads;
    const reason = this.#publisher.publish(step.topic, payload, {
      qos: step.qos,
      packetId,
      attributes,
      headers: step.red ? "colour=red" : "",
      ...(step.expiry === 0 ? {} : { expiry: step.expiry }),
    });
    if (reason >= 0x80 || step.qos === 0) return;
    if (step.qos === 2) this.#publisher.release(packetId);
    if (step.expiry === 0) this.published.add(payload);
  }

  #crash(): void {
    this.world.restart();
    this.consumers.length = 0;
    this.open.length = 0;
    this.sessions.length = 0;
    this.#publisher = this.world.connected("publisher");
  }
}
