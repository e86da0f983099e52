/**
 * The master invariant (I5, THREATS E): an effect happens only if its principal holds the right at that moment. Random
 * histories with random rights, changed between any two steps, over every way a message can go: live, stored, retained,
 * shared, held (QoS 2), delayed, wills, replayed, leased by consumers and sessions, dead letters, batches, browsing; with
 * crashes. The model decides by the text of the policy alone. `npm run authorization` plays 100,000 of them.
 */
import fc from "fast-check";
import { expect, test } from "vitest";
import { Reason } from "../model/engine.ts";
import { MessageDraft, MessageView } from "../model/message.ts";
import type { Policy } from "../model/policy.ts";
import type { PublishResult } from "../model/queue.ts";
import { isDeliverable, messageOffset, RecordKind } from "../model/record.ts";
import {
  everythingForAll,
  type ModelAction,
  mayIn,
  mayRead,
  queueNames,
  randomPolicies,
} from "./authorization-model.test-data.ts";
import { declare, FakeConsumer } from "./fake-consumer.test-data.ts";
import type { Delivered, FakeClient } from "./fake-link.test-data.ts";
import { histories, Player, principals, type Step } from "./history.test-data.ts";

type OwnStep =
  | { readonly do: "rights"; readonly policy: Policy }
  | { readonly do: "consume" | "nack" | "ackLease" | "leave"; readonly who: number; readonly queue: number }
  | { readonly do: "post"; readonly who: number; readonly topics: readonly string[]; readonly retain: boolean }
  | { readonly do: "browse"; readonly who: number; readonly filter: string }
  | { readonly do: "queueFilter"; readonly client: number; readonly filter: string };

const who = fc.nat(1);
const queue = fc.nat(1);
const ownStep: fc.Arbitrary<OwnStep> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ do: fc.constant("rights" as const), policy: randomPolicies }) },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom("consume", "nack", "nack", "ackLease", "leave"), who, queue }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      do: fc.constant("post" as const),
      who,
      topics: fc.array(fc.constantFrom("a", "a/b", "a/c", "b", "p0/x"), { minLength: 1, maxLength: 3 }),
      retain: fc.nat(3).map((n) => n === 0),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("browse" as const),
      who,
      filter: fc.constantFrom("#", "a/#", "a/b", "$mess/dead/work"),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("queueFilter" as const),
      client: fc.nat(3),
      filter: fc.constantFrom("$mess/queue/work/#", "$mess/queue/all/#", "$mess/dead/work", "$mess/dead/all"),
    }),
  },
);

/** After the clients have come: a consumer that fails, and somebody who reads what became of it. */
const failing: readonly OwnStep[] = [
  { do: "consume", who: 0, queue: 0 },
  { do: "queueFilter", client: 3, filter: "$mess/dead/work" },
  { do: "post", who: 1, topics: ["a/b"], retain: false },
];
const openingLength = 12;

/** A history, and what happens between its steps. */
const mixed = fc
  .tuple(
    histories(20, 60, ["policy"]),
    fc.array(fc.tuple(fc.nat(70), ownStep), { minLength: 8, maxLength: 30 }),
    fc.boolean(),
  )
  .map(([history, own, fails]) => {
    const steps: (Step | OwnStep)[] = [...history];
    for (const [at, step] of own) steps.splice(at % (steps.length + 1), 0, step);
    if (fails) steps.splice(openingLength, 0, ...failing);
    return steps;
  });

const counted = [
  "delivered",
  "leased",
  "dead",
  "published",
  "refused",
  "wills",
  "retained",
  "browsed",
  "settled",
] as const;
type Seen = Record<(typeof counted)[number], number>;

interface Kept {
  readonly principal: string;
  readonly topic: string;
}

/** Plays a history and compares each effect with what the policy says at that moment. */
class Referee {
  readonly player: Player = new Player({ policy: everythingForAll, journal: { cachedFrames: 4 } });
  readonly seen: Seen = {
    delivered: 0,
    leased: 0,
    dead: 0,
    published: 0,
    refused: 0,
    wills: 0,
    retained: 0,
    browsed: 0,
    settled: 0,
  };
  readonly #view: MessageView = new MessageView();
  /** Retained messages whose author had the rights all the time since; and all there ever were. */
  readonly #kept: Map<string, Kept> = new Map();
  readonly #revoked: { readonly name: string; readonly kept: Kept; readonly seq: number }[] = [];
  readonly #ever: Set<string> = new Set();
  #consumers: (FakeConsumer | undefined)[] = [];
  #read = 0;
  #posts = 0;

  constructor() {
    const { world } = this.player;
    declare(world, "work", { filters: ["a/#"], maxDeliveries: 1 });
    declare(world, "all", { filters: ["#"], maxDeliveries: 1 });
    this.player.onConnect = (client, index) => this.#watch(client, principals[index % 2] as string);
    this.#read = world.journal.lastSeq;
  }

  play(step: Step | OwnStep): void {
    const { player } = this;
    const { world } = player;
    if (step.do === "crash") {
      this.#read = world.journal.durableSeq;
      this.#unforget(this.#read);
    }
    const client = "client" in step ? player.on(step.client) : undefined;
    const isOwn = this.#own(step);
    if (!isOwn) player.play(step as Step);
    this.#forgetRevoked();
    this.#checkRecords();
    if (step.do === "publish" && client !== undefined) this.#checkAnswer(step, player.lastReason);
    if (step.do !== "crash") return;
    this.#read = world.journal.lastSeq;
    this.#consumers = [];
  }

  #may(principal: string, action: ModelAction, topic: string): boolean {
    return mayIn(this.player.world.machine.state.policy, principal, action, topic);
  }

  #mayRead(principal: string, topic: string, origin: string | undefined): boolean {
    return mayRead(this.player.world.machine.state.policy, principal, topic, origin);
  }

  #own(step: Step | OwnStep): boolean {
    switch (step.do) {
      case "rights":
        this.player.world.machine.credentials.applyPolicy({ policy: step.policy, by: "test" });
        return true;
      case "consume":
      case "nack":
      case "ackLease":
      case "leave":
        this.#consumer(step.do, step.who, step.queue);
        return true;
      case "post":
        this.#post(principals[step.who] as string, step.topics, step.retain);
        return true;
      case "browse":
        this.#browse(principals[step.who] as string, step.filter);
        return true;
      case "queueFilter":
        this.player.on(step.client)?.subscribe(step.filter, { qos: 1 });
        return true;
      default:
        return false;
    }
  }

  #consumer(what: "consume" | "nack" | "ackLease" | "leave", index: number, which: number): void {
    const { world } = this.player;
    const principal = principals[index] as string;
    const name = queueNames[which] as string;
    const place = index * 2 + which;
    const known = this.#consumers[place];
    if (what === "consume") {
      known?.leave();
      const consumer = new FakeConsumer(world, name, { principal, messages: 3 });
      this.#consumers[place] = consumer.refusal === undefined ? consumer : undefined;
      if (consumer.refusal === undefined)
        expect(this.#may(principal, "consume", name), `${principal} consumes ${name}`).toBe(true);
      for (const taken of consumer.taken) this.#checkLease(principal, name, taken);
      consumer.onTaken = (taken) => this.#checkLease(principal, name, taken);
      return;
    }
    if (known === undefined) return;
    if (what === "leave") {
      known.leave();
      this.#consumers[place] = undefined;
      return;
    }
    const last = known.taken.at(-1);
    if (last === undefined) return;
    const held = this.#may(principal, "consume", name);
    world.machine.queues.settle(principal, last.token, { verb: what === "nack" ? "nack" : "ack" }, (result) => {
      if (result !== "done" && result !== "dead") return;
      this.seen.settled++;
      expect(held, `${principal} settles a message of ${name}`).toBe(true);
    });
  }

  #checkLease(
    principal: string,
    name: string,
    { topic, offset }: { readonly topic: string; readonly offset: number },
  ): void {
    this.seen.leased++;
    expect(this.#may(principal, "consume", name), `${principal} is given ${offset} of ${name}`).toBe(true);
    expect(this.#may(principal, "subscribe", topic), `${principal} is given ${topic} by ${name}`).toBe(true);
  }

  #post(principal: string, topics: readonly string[], retain: boolean): void {
    const drafts = topics.map((topic) => {
      const draft = new MessageDraft();
      draft.qos = 1;
      draft.retain = retain;
      draft.topicBytes = Buffer.from(topic);
      draft.topicEnd = draft.topicBytes.length;
      draft.payloadBytes = Buffer.from(`post ${++this.#posts}`);
      draft.payloadEnd = draft.payloadBytes.length;
      return draft;
    });
    const allAllowed = topics.every(
      (topic) => this.#may(principal, "publish", topic) && (!retain || this.#may(principal, "retain", topic)),
    );
    this.player.world.machine.queues.publishBatch(
      { principal, number: 0 },
      drafts,
      (results: readonly PublishResult[]) => {
        const isTaken = results.every(({ reason }) => reason < 0x80);
        if (!allAllowed) this.seen.refused++;
        // Refused as a whole: nothing of it may count.
        if (isTaken) expect(allAllowed, `${principal} posts to ${topics.join(" ")}`).toBe(true);
        else if (allAllowed) expect(results.map(({ reason }) => reason)).not.toContain(Reason.notAuthorized);
      },
    );
  }

  #browse(principal: string, filter: string): void {
    this.player.world.machine.browsing.browse(
      principal,
      { filter, from: "earliest", limit: 50, bytesMax: 1_000_000 },
      (page) => {
        if (!("messages" in page)) return;
        for (const { topic, attributes } of page.messages) {
          this.seen.browsed++;
          const origin = attributes.originTopic;
          expect(this.#mayRead(principal, topic, origin), `${principal} browses ${topic}`).toBe(true);
        }
      },
    );
  }

  #watch(client: FakeClient, principal: string): void {
    client.link.watch = (what, detail) => {
      if ((what !== "deliver" && what !== "forward") || typeof detail === "number") return;
      this.#checkDelivery(principal, detail);
    };
  }

  #checkDelivery(principal: string, detail: Delivered): void {
    const { topic, payload, attributes } = detail;
    this.seen.delivered++;
    if (topic.startsWith("$mess/dead/")) this.seen.dead++;
    expect(this.#mayRead(principal, topic, attributes?.originTopic), `${principal} gets ${topic}`).toBe(true);
    if (!detail.retain || payload === "") return;
    this.seen.retained++;
    // Once gone it stays gone, whatever is granted later (LESSONS 7). One under way is finished as it is.
    const name = `${topic} ${payload}`;
    if (this.#ever.has(name) && !detail.dup)
      expect(this.#kept.has(name), `${payload} of ${topic} is given to a new subscription`).toBe(true);
  }

  #checkAnswer({ client, topic, retain }: Extract<Step, { do: "publish" }>, reason: number): void {
    const principal = principals[client % 2] as string;
    const isAllowed = this.#may(principal, "publish", topic) && (!retain || this.#may(principal, "retain", topic));
    if (!isAllowed) this.seen.refused++;
    expect(reason === Reason.notAuthorized, `${principal} publishes to ${topic}`).toBe(!isAllowed);
  }

  #forgetRevoked(): void {
    for (const [name, kept] of this.#kept) {
      const { principal, topic } = kept;
      if (this.#may(principal, "publish", topic) && this.#may(principal, "retain", topic)) continue;
      this.#kept.delete(name);
      this.#revoked.push({ name, kept, seq: this.player.world.journal.lastSeq });
    }
  }

  /** A change of rights that nobody was told is done may be lost with the power: then it never was. */
  #unforget(durableSeq: number): void {
    for (const { name, kept, seq } of this.#revoked) if (seq > durableSeq) this.#kept.set(name, kept);
    this.#revoked.length = 0;
  }

  /** Each message that counts from this step on. */
  #checkRecords(): void {
    for (const { seq, kind, bytes, start, end } of this.player.world.journal.recordsAfter(this.#read)) {
      this.#read = seq;
      if (!isDeliverable(kind) && kind !== RecordKind.messageQueued) continue;
      const message = this.#view.read(bytes, start + messageOffset(kind), end);
      const { principal, topic } = message;
      // Dead letters are the broker's own; what they hold was published under its right, and reading it is checked.
      if (topic.startsWith("$mess/dead/")) continue;
      const payload = bytes.toString("utf8", message.payloadStart, message.payloadEnd);
      this.seen.published++;
      expect(this.#may(principal, "publish", topic), `${principal} publishes ${payload} to ${topic}`).toBe(true);
      if (message.retain) expect(this.#may(principal, "retain", topic), `${principal} retains ${topic}`).toBe(true);
      if (payload.startsWith("will")) {
        this.seen.wills++;
        expect(this.#may(principal, "will", topic), `the will of ${principal} to ${topic}`).toBe(true);
      }
      if (!message.retain || payload === "") continue;
      this.#kept.set(`${topic} ${payload}`, { principal, topic });
      this.#ever.add(`${topic} ${payload}`);
    }
  }
}

const runs = Number(process.env["MESS_HISTORIES"] ?? 1_500);

test(
  "an effect happens only if its principal holds the right at that moment, on every path (I5)",
  () => {
    const sums: Seen = {
      delivered: 0,
      leased: 0,
      dead: 0,
      published: 0,
      refused: 0,
      wills: 0,
      retained: 0,
      browsed: 0,
      settled: 0,
    };
    fc.assert(
      fc.property(mixed, (steps) => {
        const referee = new Referee();
        for (const step of steps) referee.play(step);
        for (const what of counted) sums[what] += referee.seen[what];
      }),
      { numRuns: runs },
    );
    // The histories get somewhere; dead letters are the rarest.
    for (const what of counted) expect(sums[what], what).toBeGreaterThan(0);
    if (runs > 10_000) console.log(`${runs} histories`, sums);
  },
  runs * 100,
);
