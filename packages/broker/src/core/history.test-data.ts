/** Random histories of a machine: steps as data, so that a failing one can be shrunk, and a player that takes them. */
import fc from "fast-check";
import type { Policy } from "../model/policy.ts";
import type { TopicSettings } from "../model/settings.ts";
import type { FakeClient } from "./fake-link.test-data.ts";
import { World, type WorldOptions } from "./world.test-data.ts";

const topics = ["a", "a/b", "a/c", "b"] as const;
const filters = ["a", "a/b", "a/+", "a/#", "#", "b", "$share/g/a/#", "$share/g/b", "$share/h/#"] as const;
export const principals = ["p0", "p1"] as const;

export type Step =
  | {
      readonly do: "connect";
      readonly client: number;
      readonly clean: boolean;
      readonly expiry: number;
      readonly receiveMaximum: number;
      readonly will: { topic: string; qos: 0 | 1 | 2; retain: boolean; delaySeconds: number } | undefined;
    }
  | { readonly do: "cut" | "settle" | "stall" | "flow" | "release"; readonly client: number }
  | { readonly do: "disconnect"; readonly client: number; readonly expiry: number | undefined }
  | {
      readonly do: "subscribe";
      readonly client: number;
      readonly filter: string;
      readonly qos: 0 | 1 | 2;
      readonly retainHandling: 0 | 1 | 2;
      readonly noLocal: boolean;
    }
  | { readonly do: "unsubscribe"; readonly client: number; readonly filter: string }
  | {
      readonly do: "publish";
      readonly client: number;
      readonly topic: string;
      readonly qos: 0 | 1 | 2;
      readonly retain: boolean;
      readonly isEmpty: boolean;
      readonly expiry: number;
    }
  | {
      readonly do: "publishWith";
      readonly client: number;
      readonly topic: string;
      readonly qos: 0 | 1 | 2;
      readonly retain: boolean;
      /** Of the attributes: an id that others have too, a key, and in how many milliseconds it is due; 0 for at once. */
      readonly id: string | undefined;
      readonly key: string | undefined;
      readonly inMs: number;
    }
  /** So many records back. */
  | { readonly do: "replay"; readonly client: number; readonly filter: string; readonly back: number }
  | { readonly do: "declare"; readonly filter: string; readonly which: number }
  | { readonly do: "cancel"; readonly which: number }
  | { readonly do: "live"; readonly client: number; readonly topic: string }
  | { readonly do: "ack"; readonly client: number; readonly last: boolean; readonly error: boolean }
  | { readonly do: "policy"; readonly which: number }
  | { readonly do: "revoke"; readonly client: number }
  | { readonly do: "wait"; readonly milliseconds: number }
  | { readonly do: "seal"; readonly own: number }
  | { readonly do: "commitSealed" | "commit" | "read" | "lose" | "snapshot" | "tidy" | "crash" };

const client = fc.nat(3);
const qos = fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>;
const topic = fc.constantFrom(...topics);
const filter = fc.constantFrom(...filters);
const will = fc.record({ topic, qos, retain: fc.boolean(), delaySeconds: fc.constantFrom(0, 0, 5, 50) });

const connect = fc.record({
  do: fc.constant("connect" as const),
  client,
  clean: fc.nat(5).map((n) => n === 0),
  expiry: fc.constantFrom(0, 20, 1_000, 1_000, 1_000),
  receiveMaximum: fc.constantFrom(1, 2, 65_535),
  will: fc.option(will, { nil: undefined, freq: 3 }),
});
const publish = fc.record({
  do: fc.constant("publish" as const),
  client,
  topic,
  qos,
  retain: fc.boolean(),
  isEmpty: fc.nat(3).map((n) => n === 0),
  expiry: fc.constantFrom(0xffff_ffff, 0xffff_ffff, 30),
});
const publishWith = fc.record({
  do: fc.constant("publishWith" as const),
  client,
  topic,
  qos,
  retain: fc.boolean(),
  id: fc.option(fc.constantFrom("i1", "i2", "i3"), { nil: undefined }),
  key: fc.option(fc.constantFrom("k1", "k2"), { nil: undefined }),
  inMs: fc.constantFrom(0, 5, 5_000, 20_000),
});
const declare = fc.record({
  do: fc.constant("declare" as const),
  filter: fc.constantFrom("#", "a/#", "a/b"),
  which: fc.nat(4),
});
const subscribe = fc.record({
  do: fc.constant("subscribe" as const),
  client,
  filter,
  qos,
  retainHandling: fc.constantFrom(0, 1, 2) as fc.Arbitrary<0 | 1 | 2>,
  noLocal: fc.boolean(),
});
const ofClient = (...what: ("cut" | "settle" | "stall" | "flow" | "release")[]): fc.Arbitrary<Step> =>
  fc.record({ do: fc.constantFrom(...what), client });
const bare = (
  ...what: ("commitSealed" | "commit" | "read" | "lose" | "snapshot" | "tidy" | "crash")[]
): fc.Arbitrary<Step> => fc.record({ do: fc.constantFrom(...what) });

const stays = { do: "connect", clean: false, expiry: 1_000, receiveMaximum: 65_535, will: undefined } as const;
const reads = { do: "subscribe", qos: 2, retainHandling: 0, noLocal: false } as const;

/** Four clients that stay, with a subscription each; many histories begin so, or they would end before they get anywhere. */
const opening: readonly Step[] = [0, 1, 2, 3].flatMap((client): Step[] => [
  { ...stays, client },
  { ...reads, client, filter: ["a/#", "$share/g/a/#", "$share/g/a/#", "#"][client] as string },
  { do: "commit" },
]);

/** Histories of `least` to `most` steps, without what is named. */
export function histories(least: number, most: number, without: readonly Step["do"][] = []): fc.Arbitrary<Step[]> {
  const later = fc.array(steps(without), { minLength: least, maxLength: most, size: "max" });
  return fc.oneof(
    later,
    later.map((rest) => [...opening, ...rest]),
    later.map((rest) => [...opening, ...rest]),
  );
}

/** Everything that may happen; what `without` names does not. */
function steps(without: readonly Step["do"][]): fc.Arbitrary<Step> {
  return fc
    .oneof(
      { weight: 6, arbitrary: connect },
      { weight: 6, arbitrary: subscribe },
      { weight: 14, arbitrary: publish },
      { weight: 6, arbitrary: publishWith },
      { weight: 1, arbitrary: declare },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant("replay" as const),
          client,
          filter: fc.constantFrom("a", "a/+", "#", "b"),
          back: fc.nat(30),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("cancel" as const), which: fc.nat(5) }) },
      {
        weight: 14,
        arbitrary: fc.record({
          do: fc.constant("ack" as const),
          client,
          last: fc.boolean(),
          error: fc.nat(9).map((n) => n === 0),
        }),
      },
      { weight: 6, arbitrary: ofClient("release", "release", "settle") },
      { weight: 3, arbitrary: ofClient("cut", "stall", "flow", "flow") },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant("disconnect" as const),
          client,
          expiry: fc.constantFrom(undefined, undefined, 0, 50),
        }),
      },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("unsubscribe" as const), client, filter }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("live" as const), client, topic }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant("policy" as const), which: fc.nat(3) }) },
      { weight: 1, arbitrary: fc.record({ do: fc.constant("revoke" as const), client }) },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant("wait" as const), milliseconds: fc.constantFrom(10, 6_000, 25_000) }),
      },
      { weight: 4, arbitrary: fc.record({ do: fc.constant("seal" as const), own: fc.constantFrom(0, 0, 1) }) },
      { weight: 16, arbitrary: bare("commitSealed", "commit", "commit", "read") },
      { weight: 2, arbitrary: bare("snapshot", "tidy") },
      { weight: 1, arbitrary: bare("lose", "crash") },
    )
    .filter((step) => !without.includes(step.do));
}

/** Nothing at all, and what can be declared of topics; messages here are small, and no JSON. */
const declarations: readonly (TopicSettings | undefined)[] = [
  undefined,
  { maxMessageBytes: 3 },
  { key: "a/{level}" },
  { retention: { ageMs: 5_000 } },
  { retention: { bytes: 200 }, key: "{level}/#" },
];

const actions = ["publish", "subscribe", "share", "retain", "will"] as const;

const everything: Policy = policy(["p0", "p1"], []);

/** Everything; without `a/b`; without retaining; nothing for p1. */
export const policies: readonly [Policy, ...Policy[]] = [
  everything,
  policy(
    ["p0", "p1"],
    actions.map((action) => ({ action, filter: "a/b" })),
  ),
  policy(
    ["p0", "p1"],
    [
      { action: "retain", filter: "#" },
      { action: "will", filter: "#" },
    ],
  ),
  policy(["p0"], []),
];

function policy(users: readonly string[], deny: Policy["roles"][string]["deny"]): Policy {
  return {
    roles: { user: { allow: actions.map((action) => ({ action, filter: "#" })), deny } },
    principals: Object.fromEntries(users.map((user) => [user, { roles: ["user"] }])),
  };
}

export interface Unacked {
  readonly packetId: number;
  readonly payload: string;
  step: 1 | 2 | 3;
}

/** Plays steps on a world; steps that make no sense at their moment are left out. */
export class Player {
  readonly world: World;
  readonly clients: (FakeClient | undefined)[] = [];
  /** Deliveries a connection has not completed. */
  readonly unacked: Unacked[][] = [];
  readonly holds: number[][] = [];
  /** Of the last publish. */
  lastReason = 0;
  #payloads = 0;
  /** Told of each connection before anything else happens on it. */
  onConnect: ((client: FakeClient, index: number) => void) | undefined;
  /** Told of each publish that was taken: the number its record has. */
  onPublish: ((payload: string, seq: number, client: number, packetId: number) => void) | undefined;
  /** Told of each PUBREL: the number of the last record then. */
  onRelease: ((seq: number, client: number, packetId: number) => void) | undefined;

  constructor(options: WorldOptions) {
    this.world = new World(options);
  }

  on(index: number): FakeClient | undefined {
    const client = this.clients[index];
    return client?.isOn === true ? client : undefined;
  }

  play(step: Step): void {
    switch (step.do) {
      case "connect":
        this.#connect(step);
        break;
      case "policy":
        this.world.machine.credentials.applyPolicy({ policy: policies[step.which] as Policy, by: "test" });
        break;
      case "revoke":
        this.world.machine.credentials.revokeKey(`k${step.client}`, "test");
        break;
      case "wait":
        this.world.clock.wall += step.milliseconds;
        this.world.clock.steady += step.milliseconds;
        this.world.machine.tick();
        break;
      case "declare":
        this.#declare(step.filter, declarations[step.which]);
        break;
      case "cancel":
        this.#cancel(step.which);
        break;
      case "crash":
        this.world.restart();
        this.clients.length = 0;
        break;
      case "seal":
        this.world.journal.seal(step.own);
        break;
      case "commitSealed":
      case "commit":
      case "read":
      case "lose":
      case "snapshot":
      case "tidy":
        this.#disk(step.do);
        break;
      default: {
        const client = this.on(step.client);
        if (client !== undefined) this.#act(client, step);
      }
    }
  }

  #declare(filter: string, settings: TopicSettings | undefined): void {
    const { topics } = this.world.machine;
    if (settings === undefined) topics.delete("test", filter);
    else topics.declare("test", filter, settings);
  }

  #cancel(which: number): void {
    const { state, delayed } = this.world.machine;
    const seqs: number[] = [];
    state.delayed.inOrder(({ seq }) => seqs.push(seq) <= which);
    const chosen = seqs[which];
    if (chosen !== undefined) delayed.cancel(chosen);
  }

  #disk(what: "commitSealed" | "commit" | "read" | "lose" | "snapshot" | "tidy"): void {
    const { journal, machine } = this.world;
    if (what === "commitSealed") journal.commitSealed();
    else if (what === "commit") journal.commitNow();
    else if (what === "snapshot") machine.retention.snapshot();
    else if (what === "tidy") machine.tidy();
    else journal.answerFetches(what === "lose");
  }

  #connect(step: Extract<Step, { do: "connect" }>): void {
    const principal = principals[step.client % principals.length] as string;
    const client = this.world.connect(`c${step.client}`, {
      principal,
      keyId: `k${step.client}`,
      clean: step.clean,
      expiry: step.expiry,
      receiveMaximum: step.receiveMaximum,
      ...(step.will === undefined ? {} : { will: { ...step.will, payload: Buffer.from(`will ${++this.#payloads}`) } }),
    });
    if (client.session === undefined) return;
    this.clients[step.client] = client;
    const unacked: Unacked[] = [];
    this.unacked[step.client] = unacked;
    this.holds[step.client] ??= [];
    client.link.onDelivered = ({ packetId, payload, qos }) => {
      if (qos > 0) unacked.push({ packetId, payload, step: qos === 1 ? 1 : 2 });
    };
    client.link.onReleased = (packetId) => {
      if (!unacked.some((one) => one.packetId === packetId && one.step === 3))
        unacked.push({ packetId, payload: "", step: 3 });
    };
    this.onConnect?.(client, step.client);
  }

  #act(client: FakeClient, step: Extract<Step, { readonly client: number }>): void {
    const { link } = client;
    switch (step.do) {
      case "cut":
        client.cut();
        break;
      case "disconnect":
        client.disconnect(step.expiry);
        break;
      case "stall":
        link.hasRoom = false;
        break;
      case "flow":
        link.hasRoom = true;
        client.settle();
        break;
      case "settle":
        client.settle();
        break;
      case "subscribe":
        client.subscribe(step.filter, { ...step, noLocal: step.noLocal && !step.filter.startsWith("$share") });
        break;
      case "unsubscribe":
        client.unsubscribe(step.filter);
        break;
      case "publish":
        this.#publish(client, step);
        break;
      case "replay":
        client.subscribe(step.filter, { from: { offset: Math.max(1, this.world.journal.lastSeq - step.back) } });
        break;
      case "publishWith":
        this.#publishWith(client, step);
        break;
      case "live":
        client.live(step.topic, `live ${++this.#payloads}`);
        break;
      case "release":
        this.#release(client, step.client);
        break;
      case "ack":
        this.#ack(client, step);
        break;
    }
  }

  #publish(client: FakeClient, step: Extract<Step, { do: "publish" }>): void {
    const number = ++this.#payloads;
    const payload = step.isEmpty && step.retain ? "" : `m${number}`;
    // Ids of QoS 1 are never those of QoS 2.
    const packetId = step.qos === 2 ? 40_000 + number : number;
    const reason = client.publish(step.topic, payload, { ...step, packetId });
    this.lastReason = reason;
    if (reason >= 0x80) return;
    if (step.qos === 2) this.holds[step.client]?.push(packetId);
    this.onPublish?.(payload, this.world.journal.lastSeq, step.client, packetId);
  }

  #publishWith(client: FakeClient, step: Extract<Step, { do: "publishWith" }>): void {
    const number = ++this.#payloads;
    const packetId = step.qos === 2 ? 40_000 + number : number;
    const attributes = {
      ...(step.id !== undefined && { id: step.id }),
      ...(step.key !== undefined && { key: step.key }),
      ...(step.inMs > 0 && { deliverAt: this.world.clock.wall + step.inMs }),
    };
    const { qos, retain } = step;
    this.lastReason = client.publish(step.topic, `m${number}`, { qos, retain, packetId, attributes });
    if (this.lastReason >= 0x80) return;
    if (qos === 2) this.holds[step.client]?.push(packetId);
    this.onPublish?.(`m${number}`, this.world.journal.lastSeq, step.client, packetId);
  }

  #release(client: FakeClient, index: number): void {
    const packetId = this.holds[index]?.shift();
    if (packetId === undefined) return;
    client.release(packetId);
    this.onRelease?.(this.world.journal.lastSeq, index, packetId);
  }

  #ack(client: FakeClient, step: Extract<Step, { do: "ack" }>): void {
    const list = this.unacked[step.client] ?? [];
    const one = step.last ? list.pop() : list.shift();
    if (one === undefined) return;
    client.ack(one.packetId, one.step, step.error && one.step !== 3 ? 0x80 : 0);
  }
}
