/** Random histories of one declared subscription: steps as data, so that a failing one can be shrunk, and a player that takes them. */
import fc from "fast-check";
import { writeAttributes } from "../model/attributes.ts";
import { MessageDraft, type MessageView, noExpiry } from "../model/message.ts";
import type { Consumer, ConsumerHandle, Lease, PublishResult, Settlement } from "../model/queue.ts";
import { defaultSubscriptionSettings, type SubscriptionSettings } from "../model/settings.ts";
import { FakeClient } from "./fake-link.test-data.ts";
import { checkInvariants } from "./invariants.ts";
import { QueueModel } from "./queue-model.test-data.ts";
import { World } from "./world.test-data.ts";

const keys = [undefined, "k0", "k1", "k2"] as const;
const ids = [undefined, undefined, "i0", "i1"] as const;

export type QueueStep =
  | {
      readonly do: "publish";
      readonly key: number;
      readonly priority: number | undefined;
      readonly delayMs: number;
      readonly expiry: number;
      readonly id: number;
      readonly lost: boolean;
    }
  | { readonly do: "join"; readonly consumer: number; readonly credit: number }
  | { readonly do: "leave"; readonly consumer: number; readonly keep: boolean }
  | { readonly do: "pause" | "resume"; readonly consumer: number }
  | {
      readonly do: "settle";
      readonly consumer: number;
      readonly which: number;
      readonly verb: "ack" | "ack" | "nack" | "reject" | "release" | "extend";
      readonly delayMs: number | undefined;
      readonly lost: boolean;
    }
  | { readonly do: "wait"; readonly milliseconds: number }
  | { readonly do: "redrive" | "purge" | "snapshot" | "crash" | "tidy" | "stale" };

/** Consumers from here on are MQTT sessions, the others ports. */
const sessionsFrom = 3;
const consumer = fc.nat(4);

const publish: fc.Arbitrary<QueueStep> = fc.record({
  do: fc.constant("publish" as const),
  key: fc.nat(keys.length - 1),
  priority: fc.option(fc.nat(9), { nil: undefined }),
  delayMs: fc.constantFrom(0, 0, 0, 0, 300, 2_000),
  expiry: fc.constantFrom(noExpiry, noExpiry, noExpiry, 1, 3),
  id: fc.nat(ids.length - 1),
  lost: fc.nat(15).map((n) => n === 0),
});
const settle: fc.Arbitrary<QueueStep> = fc.record({
  do: fc.constant("settle" as const),
  consumer,
  which: fc.nat(3),
  verb: fc.constantFrom("ack", "ack", "ack", "nack", "nack", "reject", "release", "extend"),
  delayMs: fc.option(fc.constantFrom(0, 50, 5_000), { nil: undefined, freq: 2 }),
  lost: fc.nat(15).map((n) => n === 0),
});
const step: fc.Arbitrary<QueueStep> = fc.oneof(
  { weight: 8, arbitrary: publish },
  { weight: 8, arbitrary: settle },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("join" as const), consumer, credit: fc.integer({ min: 1, max: 3 }) }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("leave" as const), consumer, keep: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom("pause" as const, "resume" as const), consumer }) },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("wait" as const),
      milliseconds: fc.constantFrom(10, 100, 500, 1_500, 5_000),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom(
        ...(["redrive", "purge", "snapshot", "snapshot", "crash", "crash", "tidy", "stale"] as const),
      ),
    }),
  },
);

export interface QueueHistory {
  readonly settings: SubscriptionSettings;
  /** Newest frames that need no reading. */
  readonly cachedFrames: number;
  readonly steps: readonly QueueStep[];
}

const settings: fc.Arbitrary<SubscriptionSettings> = fc
  .record({
    ordering: fc.constantFrom("shared" as const, "exclusive" as const, "key" as const),
    priorities: fc.boolean(),
    maxDeliveries: fc.integer({ min: 1, max: 3 }),
    expired: fc.constantFrom("drop" as const, "dead-letter" as const),
  })
  .map((some) => ({
    ...defaultSubscriptionSettings,
    filters: ["a/#", "+/b"],
    ackWaitMs: 1_000,
    backoffMs: [100, 400] as const,
    ...some,
    priorities: some.priorities && some.ordering !== "key",
  }));

export const queueHistory: fc.Arbitrary<QueueHistory> = fc.record({
  settings,
  cachedFrames: fc.constantFrom(0, 2, Number.POSITIVE_INFINITY),
  steps: fc.array(step, { minLength: 5, maxLength: 60 }),
});

const name = "work";

/** Somebody who reads the subscription: by the port, or as an MQTT session. */
interface Reader {
  ready: boolean;
  readonly held: Map<string, Held>;
  leave(keep: boolean): void;
  resume(): void;
  /** PUBACK; absent where leases are settled by token. */
  readonly settle?: (packetId: number, reason: number) => void;
}

interface Held {
  readonly lease: Lease;
  readonly packetId: number;
}

/** Plays a history against the machine and the model; throws at the first difference, and names the step. */
export class QueuePlayer {
  readonly world: World;
  readonly model: QueueModel;
  readonly #readers: Map<number, Reader> = new Map();
  readonly #ids: Map<string, { offset: number; at: number }> = new Map();
  #published = 0;
  #sessions = 0;

  constructor(history: Pick<QueueHistory, "settings" | "cachedFrames">) {
    this.world = new World({ journal: { cachedFrames: history.cachedFrames } });
    this.model = new QueueModel(history.settings);
    this.world.machine.queues.declare({ name, settings: history.settings, by: "test", from: 1 });
    this.#rest();
  }

  /** Everything that is under way at the end is settled well: then nothing may be left over. */
  finish(): void {
    for (const number of [0, 1, 2, 3, 4]) this.#leave(number, false);
    for (const number of [0, 1, 2]) this.#join(number, 3);
    for (let turn = 0; turn < 200; turn++) {
      this.#rest();
      const held = [0, 1, 2].flatMap((number) => this.model.leasedTo(number).map((message) => ({ number, message })));
      for (const { number, message } of held) {
        const lease = this.#readers.get(number)?.held.get(message);
        if (lease !== undefined) this.#settleToken({ verb: "ack", lost: false, delayMs: undefined }, message, lease);
      }
      if (held.length === 0) this.#wait(5_000);
    }
    this.#rest();
    this.#check();
  }

  play(steps: readonly QueueStep[]): void {
    for (const [i, step] of steps.entries()) {
      try {
        this.#take(step);
        this.#rest();
        this.#check();
      } catch (error) {
        throw new Error(`at step ${i} (${JSON.stringify(step)}): ${(error as Error).message}`, { cause: error });
      }
    }
  }

  get #now(): number {
    return this.world.clock.wall;
  }

  #take(step: QueueStep): void {
    switch (step.do) {
      case "publish":
        return this.#publish(step);
      case "join":
        return this.#join(step.consumer, step.credit);
      case "leave":
        return this.#leave(step.consumer, step.keep);
      case "pause":
      case "resume":
        return this.#setReady(step.consumer, step.do === "resume");
      case "settle":
        return this.#settle(step);
      case "wait":
        return this.#wait(step.milliseconds);
      default:
        return this.#operate(step.do);
    }
  }

  #publish(step: Extract<QueueStep, { do: "publish" }>): void {
    const now = this.#now;
    const message = `m${this.#published++}`;
    const id = ids[step.id];
    const known = id === undefined ? undefined : this.#ids.get(id);
    const isRepeat = known !== undefined && now - known.at < this.world.machine.state.limits.messageIdWindowMs;
    const result = this.#send(message, step, step.lost);
    if (result === undefined) return;
    if (result.reason >= 0x80) throw new Error(`${message} was refused: ${result.text}`);
    if (result.duplicate !== isRepeat) throw new Error(`${message} is ${isRepeat ? "a" : "no"} repeat of ${id}`);
    if (isRepeat && result.offset !== known.offset)
      throw new Error(`${message} was told offset ${result.offset} of ${known.offset}`);
    if (isRepeat) return;
    if (id !== undefined) this.#ids.set(id, { offset: result.offset, at: now });
  }

  /** Undefined when the power went before it was answered. */
  #send(message: string, step: Extract<QueueStep, { do: "publish" }>, lost: boolean): PublishResult | undefined {
    const { world } = this;
    const now = this.#now;
    const draft = new MessageDraft();
    draft.qos = 1;
    draft.expirySeconds = step.expiry;
    draft.topicBytes = Buffer.from("a/b");
    draft.topicEnd = draft.topicBytes.length;
    draft.payloadBytes = Buffer.from(message);
    draft.payloadEnd = draft.payloadBytes.length;
    const [key, id] = [keys[step.key], ids[step.id]];
    const visibleAt = now + step.delayMs;
    draft.attributes = writeAttributes({
      ...(key !== undefined && { key }),
      ...(id !== undefined && { id }),
      ...(step.priority !== undefined && { priority: step.priority }),
      ...(step.delayMs > 0 && { deliverAt: visibleAt }),
    });
    let result: PublishResult | undefined;
    world.machine.queues.publishBatch({ principal: "dev", number: 0 }, [draft], ([only]) => {
      result = only;
      // It may be delivered as soon as it is durable, which is before anybody can look at the result.
      if (only === undefined || only.duplicate || only.reason >= 0x80) return;
      this.#admit(message, step, visibleAt);
    });
    if (lost) {
      this.#crash();
      return undefined;
    }
    world.commit();
    if (result === undefined) throw new Error(`${message} was never answered`);
    return result;
  }

  #admit(message: string, step: Extract<QueueStep, { do: "publish" }>, visibleAt: number): void {
    const key = keys[step.key];
    this.model.published(message, {
      ...(key !== undefined && { key }),
      ...(step.priority !== undefined && { priority: step.priority }),
      visibleAt,
      lastsMs: step.expiry === noExpiry ? Number.POSITIVE_INFINITY : step.expiry * 1_000,
      now: this.#now,
    });
  }

  #join(number: number, credit: number): void {
    if (this.#readers.has(number)) return;
    this.model.join(number, credit);
    this.#readers.set(
      number,
      number >= sessionsFrom ? this.#sessionReader(number, credit) : this.#portReader(number, credit),
    );
  }

  #portReader(number: number, credit: number): Reader {
    const { queues } = this.world.machine;
    const held = new Map<string, Held>();
    const consumer: Consumer = {
      get ready(): boolean {
        return reader.ready;
      },
      deliver: (view, lease) => {
        this.#delivered(number, held, view, { lease: { ...lease }, packetId: 0 });
        return true;
      },
      end: (reason) => {
        throw new Error(`consumer ${number} was ended: ${reason}`);
      },
    };
    let handle: ConsumerHandle;
    const reader: Reader = {
      ready: true,
      held,
      leave: (keep) => queues.leave(handle, keep),
      resume: () => queues.resume(handle),
    };
    const request = { principal: "dev", keyId: "", subscription: name, messages: credit, bytes: 1e9, tokens: true };
    const result = queues.consume(consumer, request);
    if ("reason" in result) throw new Error(`consumer ${number} was refused: ${result.text}`);
    handle = result;
    return reader;
  }

  #sessionReader(number: number, credit: number): Reader {
    const client = new FakeClient(this.world.machine, `client${this.#sessions++}`, { receiveMaximum: credit });
    const held = new Map<string, Held>();
    client.link.onLease = (view, form) => {
      if (form.lease === undefined) throw new Error("a delivery without a lease");
      this.#delivered(number, held, view, { lease: { ...form.lease }, packetId: form.packetId });
    };
    client.subscribe(`$mess/queue/${name}/#`, { qos: 1 });
    return {
      get ready(): boolean {
        return client.link.hasRoom;
      },
      set ready(is: boolean) {
        client.link.hasRoom = is;
      },
      held,
      leave: () => client.cut(),
      resume: () => client.settle(),
      settle: (packetId, reason) => {
        if (!client.ack(packetId, 1, reason)) throw new Error(`packet ${packetId} is not under way`);
      },
    };
  }

  #delivered(number: number, held: Map<string, Held>, view: MessageView, what: Held): void {
    const message = view.bytes.toString("utf8", view.payloadStart, view.payloadEnd);
    this.model.delivered(message, what.lease, number, this.#now);
    // The lease before this one expired within the same moment.
    const before = held.get(message);
    const reader = this.#readers.get(number);
    if (before !== undefined && reader?.settle !== undefined) reader.settle(before.packetId, 0);
    held.set(message, what);
  }

  #leave(number: number, keep: boolean): void {
    const reader = this.#readers.get(number);
    if (reader === undefined) return;
    const keeps = keep && number < sessionsFrom;
    this.#readers.delete(number);
    this.model.leave(number, keeps);
    reader.leave(keeps);
  }

  #setReady(number: number, ready: boolean): void {
    const reader = this.#readers.get(number);
    const consumer = this.model.consumers.get(number);
    if (reader === undefined || consumer === undefined) return;
    reader.ready = ready;
    consumer.ready = ready;
    if (ready) reader.resume();
  }

  #settle(step: Extract<QueueStep, { do: "settle" }>): void {
    const reader = this.#readers.get(step.consumer);
    const names = this.model.leasedTo(step.consumer);
    const message = names[step.which % Math.max(1, names.length)];
    const held = message === undefined ? undefined : reader?.held.get(message);
    if (reader === undefined || message === undefined || held === undefined) return;
    if (reader.settle !== undefined) this.#settlePacket(reader.settle, step, message, held);
    else this.#settleToken(step, message, held);
  }

  /** PUBACK: with an error it is a nack, with 0x99 a reject. */
  #settlePacket(
    settle: (packetId: number, reason: number) => void,
    step: Extract<QueueStep, { do: "settle" }>,
    message: string,
    held: Held,
  ): void {
    const { verb } = step;
    if (verb === "release" || verb === "extend") return;
    const reason = { ack: 0, nack: 0x80, reject: 0x99 }[verb];
    this.#readers.get(step.consumer)?.held.delete(message);
    this.model.settled(message, verb, this.#now);
    if (step.lost && verb === "ack") {
      settle(held.packetId, reason);
      this.model.forget(message);
      this.#crash();
      return;
    }
    settle(held.packetId, reason);
  }

  #settleToken(
    step: Pick<Extract<QueueStep, { do: "settle" }>, "verb" | "lost" | "delayMs">,
    message: string,
    held: Held,
  ): void {
    const { queues } = this.world.machine;
    const { verb } = step;
    const settlement: Settlement =
      verb === "nack" && step.delayMs !== undefined
        ? { verb, delayMs: step.delayMs }
        : verb === "extend"
          ? { verb, forMs: 2_000 }
          : { verb };
    if (verb === "extend") this.model.extended(message, this.#now + 2_000);
    else this.model.settled(message, verb, this.#now, verb === "nack" ? step.delayMs : undefined);
    let answer: string | undefined;
    queues.settle("dev", held.lease.token, settlement, (result) => {
      answer = result;
    });
    if (step.lost && verb === "ack") {
      this.model.forget(message);
      this.#crash();
      return;
    }
    this.#rest();
    const isDead = this.model.messages.get(message)?.state === "dead";
    const wanted = isDead ? "dead" : "done";
    if (answer !== wanted) throw new Error(`${verb} of ${message} was answered ${answer}`);
  }

  #wait(milliseconds: number): void {
    const { world } = this;
    world.clock.wall += milliseconds;
    world.clock.steady += milliseconds;
    this.model.advance(this.#now);
    world.machine.tick();
    this.#acknowledgeLate();
  }

  /** An MQTT client whose lease expired acknowledges all the same: it frees the packet id, and settles nothing. */
  #acknowledgeLate(): void {
    for (const reader of this.#readers.values()) {
      if (reader.settle === undefined) continue;
      for (const [message, { lease, packetId }] of reader.held) {
        const known = this.model.messages.get(message);
        if (known?.state === "leased" && known.leaseEnds === lease.expiresAt) continue;
        reader.held.delete(message);
        reader.settle(packetId, 0);
      }
    }
  }

  #operate(what: "redrive" | "purge" | "snapshot" | "crash" | "tidy" | "stale"): void {
    const { world, model } = this;
    if (what === "snapshot") world.snapshot();
    else if (what === "tidy") world.machine.tidy();
    else if (what === "crash") this.#crash();
    else if (what === "stale") this.#useStaleToken();
    else if (what === "redrive") {
      model.redriven(this.#now);
      world.machine.queues.redrive(name, { by: "test", selection: {} }, () => undefined);
    } else {
      model.purged();
      world.machine.queues.purge(name, { by: "test", selection: {} }, () => undefined);
    }
  }

  /** A token of a lease that is over moves nothing. */
  #useStaleToken(): void {
    for (const reader of this.#readers.values()) {
      for (const [message, { lease }] of reader.held) {
        const now = this.model.messages.get(message);
        if (lease.token === "" || (now?.state === "leased" && now.token === lease.token)) continue;
        let answer: string | undefined;
        this.world.machine.queues.settle("dev", lease.token, { verb: "ack" }, (result) => {
          answer = result;
        });
        this.world.commit();
        if (answer !== "gone") throw new Error(`the old token of ${message} was answered ${answer}`);
        return;
      }
    }
  }

  #crash(): void {
    this.#readers.clear();
    this.model.crash();
    this.world.restart();
  }

  /** Everything that can happen without time passing has happened. */
  #rest(): void {
    const { world } = this;
    for (let turn = 0; turn < 1_000; turn++) {
      world.machine.tick();
      world.commit();
      if (world.journal.fetchesWaiting === 0) return;
      world.journal.answerFetches();
    }
    throw new Error("the queue never comes to rest");
  }

  #check(): void {
    const stalled = this.model.stalled(this.#now);
    if (stalled !== undefined) throw new Error(`${stalled} could be delivered and is not`);
    const { dead = -1, leased = -1 } = this.world.machine.queues.view(name) ?? {};
    const [wantedDead, wantedLeased] = [this.model.namesIn("dead").length, this.model.namesIn("leased").length];
    // Messages that expire become dead letters when they are looked at, which may be later.
    const areDeadKnown = this.model.settings.expired === "drop";
    if (areDeadKnown && dead !== wantedDead)
      throw new Error(`${dead} dead letters, where there should be ${wantedDead}`);
    if (leased !== wantedLeased) throw new Error(`${leased} leases, where there should be ${wantedLeased}`);
    const broken = checkInvariants(this.world.machine.state);
    if (broken.length > 0) throw new Error(broken.join("; "));
  }
}
