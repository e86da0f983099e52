/** A consumer of a declared subscription that writes down what it is given. */
import { type MessageAttributes, readAttributes } from "../model/attributes.ts";
import type { EndReason } from "../model/link.ts";
import { MessageView } from "../model/message.ts";
import type { ConsumeRequest, Consumer, ConsumerHandle, Lease, Settlement, SettleResult } from "../model/queue.ts";
import { defaultSubscriptionSettings, type SubscriptionSettings } from "../model/settings.ts";
import { messageAt } from "./frame-reading.ts";
import type { Machine } from "./machine.ts";
import type { World } from "./world.test-data.ts";

export interface Taken {
  readonly payload: string;
  readonly topic: string;
  readonly offset: number;
  readonly attempt: number;
  readonly token: string;
  readonly expiresAt: number;
}

export class FakeConsumer implements Consumer {
  readonly taken: Taken[] = [];
  isReady = true;
  /** Payloads longer than this are refused. */
  largest: number = Number.POSITIVE_INFINITY;
  ended: EndReason | undefined;
  handle: ConsumerHandle | undefined;
  refusal: { readonly reason: number; readonly text: string } | undefined;
  onTaken: ((taken: Taken) => void) | undefined;
  readonly principal: string;
  readonly #world: World;
  readonly #machine: World["machine"];

  constructor(world: World, subscription: string, wish: Partial<ConsumeRequest> = {}) {
    this.#world = world;
    this.#machine = world.machine;
    this.principal = wish.principal ?? "dev";
    const result = world.machine.queues.consume(this, {
      principal: this.principal,
      keyId: "",
      subscription,
      messages: 100,
      bytes: 1_000_000,
      tokens: true,
      ...wish,
    });
    if ("reason" in result) this.refusal = result;
    else this.handle = result;
  }

  get ready(): boolean {
    return this.isReady && this.ended === undefined;
  }

  get payloads(): string[] {
    return this.taken.map(({ payload }) => payload);
  }

  deliver(message: MessageView, lease: Lease): boolean {
    const payload = message.bytes.toString("utf8", message.payloadStart, message.payloadEnd);
    if (payload.length > this.largest) return false;
    const { offset, attempt, token, expiresAt } = lease;
    const taken = { payload, topic: message.topic, offset, attempt, token, expiresAt };
    this.taken.push(taken);
    this.onTaken?.(taken);
    return true;
  }

  end(reason: EndReason): void {
    this.ended = reason;
  }

  leave(keepLeases = false): void {
    if (this.handle !== undefined) this.#machine.queues.leave(this.handle, keepLeases);
  }

  resume(): void {
    if (this.handle !== undefined) this.#machine.queues.resume(this.handle);
  }

  /** Settles the last delivery of that payload; the result once it is durable, "pending" until then. */
  settle(payload: string, settlement: Settlement = { verb: "ack" }): { result: SettleResult | "pending" } {
    const taken = this.taken.findLast((one) => one.payload === payload);
    const outcome: { result: SettleResult | "pending" } = { result: "pending" };
    this.#world.machine.queues.settle(this.principal, taken?.token ?? "none", settlement, (result) => {
      outcome.result = result;
    });
    return outcome;
  }
}

export function declare(world: World, name: string, settings: Partial<SubscriptionSettings> = {}, from?: number): void {
  world.machine.queues.declare({
    name,
    settings: { ...defaultSubscriptionSettings, filters: ["a/#"], ...settings },
    by: "admin",
    from: from ?? world.journal.lastSeq + 1,
  });
  world.commit();
}

export interface DeadLetter {
  readonly payload: string;
  readonly offset: number;
  readonly publisher: string;
  readonly attributes: MessageAttributes;
}

/** Dead letters as they lie in the journal. */
export function deadOf(world: World, name: string, machine: Machine = world.machine): DeadLetter[] {
  const found: DeadLetter[] = [];
  const view = new MessageView();
  machine.state.queues.get(name)?.dead?.forEachRun((from, to) => {
    for (const frame of world.journal.frames) {
      for (let seq = Math.max(from, frame.firstSeq); seq <= Math.min(to, frame.firstSeq + frame.count - 1); seq++) {
        const message = messageAt(view, frame, seq);
        if (message?.topic !== `$mess/dead/${name}`) continue;
        const payload = message.bytes.toString("utf8", message.payloadStart, message.payloadEnd);
        found.push({ payload, offset: seq, publisher: message.principal, attributes: readAttributes(message) });
      }
    }
  });
  return found;
}
