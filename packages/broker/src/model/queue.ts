/**
 * What doors may ask about declared subscriptions: consume, settle, publish without a session. The engine's words, free
 * of any protocol. Everything that changes something calls back after it is durable.
 */
import type { DeclaredRate, Refusal } from "./engine.ts";
import type { EndReason } from "./link.ts";
import type { MessageDraft, MessageView } from "./message.ts";
import type { SignatureProblem } from "./signing.ts";

/** A message that a consumer has, until it settles it or the lease expires. */
export interface Lease {
  readonly subscription: string;
  /** Offset of the message: its place in the journal's total order. */
  readonly offset: number;
  /** 1 for the first delivery; grows with each failed attempt (nack or expired lease), not with lost connections. */
  readonly attempt: number;
  /** Unguessable, good for this lease alone. Empty where the consumer asked for none. */
  readonly token: string;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
  /** Seconds left of the message's own expiry, or `noExpiry`. */
  readonly secondsLeft: number;
}

/** Somebody who reads a declared subscription. A door implements it. */
export interface Consumer {
  /** False while it can take nothing more (its buffer is full, its request is answered). */
  readonly ready: boolean;
  /** The view is valid during the call. False: the message is larger than this consumer ever takes. */
  deliver(message: MessageView, lease: Lease): boolean;
  /** The engine has taken its leases back; nothing follows. */
  end(reason: EndReason, text: string): void;
}

export interface ConsumeRequest {
  readonly principal: string;
  /** Credential it came with: its revocation ends the consumer. */
  readonly keyId: string;
  /** Wall-clock milliseconds at which the credential ends, and the consumer with it. */
  readonly expiresAt?: number;
  readonly subscription: string;
  /** Credit: leases it may hold at a time, and their bytes. */
  readonly messages: number;
  readonly bytes: number;
  /** Whether deliveries carry a token to settle them by. */
  readonly tokens: boolean;
}

/** Opaque to doors. */
export interface ConsumerHandle {
  readonly subscription: string;
}

export type Settlement =
  | { readonly verb: "ack" }
  /** A failed attempt: again after backoff (or after `delayMs`), dead-lettered at the limit. */
  | { readonly verb: "nack"; readonly delayMs?: number; readonly reason?: string }
  /** Dead-lettered at once. */
  | { readonly verb: "reject"; readonly reason?: string }
  /** Given back unprocessed: again at once, counts as no attempt. */
  | { readonly verb: "release" }
  /** The lease lasts so long from now; the subscription's ack wait without a time. */
  | { readonly verb: "extend"; readonly forMs?: number };

/** `gone`: no such lease; it expired, was settled, or never was. `dead`: this nack was the last, the message is a dead letter now. */
export type SettleResult = "done" | "dead" | "gone" | "forbidden" | "failed";

export interface PublishOrigin {
  readonly principal: string;
  /** Session number for `noLocal`; 0 for none. */
  readonly number: number;
}

export interface PublishResult {
  /** Of model/engine.ts: 0x00, 0x10, or a refusal from 0x80 on. */
  readonly reason: number;
  /** Why not, for people; empty when accepted. */
  readonly text: string;
  /** When its signature, or the want of one, is why. */
  readonly signature?: SignatureProblem;
  /** Where in the payload, as a JSON pointer, when its topic's schema refuses it. */
  readonly path?: string;
  /** Offset of the message; of the first one when it is a repeat; 0 when refused. */
  readonly offset: number;
  /** Its `id` was published before within the window: nothing was stored. */
  readonly duplicate: boolean;
}

export interface Queues {
  consume(consumer: Consumer, request: ConsumeRequest): ConsumerHandle | Refusal;
  /** The consumer is gone. Its leases go back at once, counting as no attempt; with `keepLeases` they stay until they expire. */
  leave(handle: ConsumerHandle, keepLeases: boolean): void;
  /** The consumer has room again: deliver what waits. */
  resume(handle: ConsumerHandle): void;
  /**
   * By token. `principal` must be the one that the lease was given to.
   * `done` is called once: for all but `extend` when the outcome is durable.
   */
  settle(principal: string, token: string, settlement: Settlement, done: (result: SettleResult) => void): void;
  /** As `Engine.rateOf`, for somebody who has no session. */
  rateOf(principal: string, topic: string): DeclaredRate | undefined;
  /**
   * Publishes for somebody who has no session. All or nothing: when one is refused none is stored, and the others
   * have the reason 0x83. They lie in one frame, so a crash keeps all or none. `done` is called once, when durable.
   */
  publishBatch(
    origin: PublishOrigin,
    drafts: readonly MessageDraft[],
    done: (results: readonly PublishResult[]) => void,
  ): void;
}
