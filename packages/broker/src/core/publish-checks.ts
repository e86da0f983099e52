/** What a message must satisfy before it is taken, rights apart: what it says to the broker, and the quotas. */
import { ownerOf } from "../model/derived-principal.ts";
import { Reason } from "../model/engine.ts";
import { type MessageAttributes, type MessageDraft, readAttributes } from "../model/message.ts";
import { priorityMax } from "../model/settings.ts";
import { type SignatureFault, type SignatureProblem, signatureFault } from "../model/signing.ts";
import type { DeclaredTopic } from "./declared-topic.ts";
import { domainRefusal } from "./erasing.ts";
import type { NonceUse } from "./nonces.ts";
import type { Publisher } from "./publisher.ts";
import type { Queue } from "./queue.ts";
import { type Planned, QueueQuota } from "./queue-quota.ts";
import type { RetainedKeeper } from "./retained-keeper.ts";
import { SignatureChecks, signatureReasons } from "./signature-checks.ts";
import type { State } from "./state.ts";
import type { Topic } from "./topic.ts";

/** What a batch asked for so far: quotas count it as if it were stored. */
export class PublishPlan {
  ids = 0;
  delayed = 0;
  retained = 0;
  retainedBytes = 0;
  readonly queues: Map<Queue, Planned> = new Map();
  /** Of signed messages. */
  readonly nonces: Set<string> = new Set();

  add(draft: MessageDraft, wish: MessageAttributes): void {
    if (wish.id !== undefined) this.ids++;
    if (wish.deliverAt !== undefined) this.delayed++;
    if (!draft.retain) return;
    this.retained++;
    this.retainedBytes += draft.payloadEnd - draft.payloadStart;
  }
}

export const nothingPlanned: PublishPlan = new PublishPlan();
const noWish: MessageAttributes = {};
/** The broker's own to set. */
const reservedNames = ["origin", "originTopic", "reason", "attempts", "domain"] as const;

/** Of a message, wherever it lies. */
export interface Content {
  readonly retain: boolean;
  readonly headerStart: number;
  readonly headerEnd: number;
  readonly payloadBytes: Uint8Array;
  readonly payloadStart: number;
  readonly payloadEnd: number;
}

/** Of the path and of the text of a fault: they come from the publisher. */
const faultLengthMax = 200;

export class PublishChecks {
  readonly #state: State;
  readonly #retained: RetainedKeeper;
  readonly quota: QueueQuota;
  readonly signatures: SignatureChecks;
  #wish: MessageAttributes = noWish;
  #wishBytes: Uint8Array | undefined;
  /** Why the last one was refused, for people. */
  text = "";
  /** Where in the payload, when a schema refused it. */
  path: string | undefined;
  /** It was refused for its size. */
  isTooLarge = false;
  /** It was refused for its signature, or for want of one. */
  signature: SignatureProblem | undefined;

  constructor(state: State, retained: RetainedKeeper) {
    this.#state = state;
    this.#retained = retained;
    this.quota = new QueueQuota(state);
    this.signatures = new SignatureChecks(state);
  }

  /** What the draft says to the broker; read once, however often it is asked for. */
  wishOf(draft: MessageDraft): MessageAttributes {
    const { attributes } = draft;
    if (attributes.length === 0) return noWish;
    if (attributes === this.#wishBytes) return this.#wish;
    const bytes = Buffer.from(attributes.buffer, attributes.byteOffset, attributes.length);
    this.#wish = readAttributes({ bytes, attributesStart: 0, headerStart: bytes.length });
    this.#wishBytes = attributes;
    return this.#wish;
  }

  /** The draft was dealt with: the next one may have its attributes in the same bytes. */
  forget(): void {
    this.#wishBytes = undefined;
  }

  /** The offset of the message that the draft repeats, or 0. */
  repeated(publisher: Publisher, draft: MessageDraft): number {
    const { id } = this.wishOf(draft);
    return id === undefined ? 0 : this.#state.messageIds.find(ownerOf(publisher.principal), id);
  }

  /** The signature that the draft bears. */
  useOf(publisher: Publisher, draft: MessageDraft): NonceUse | undefined {
    return draft.attributes.length === 0 ? undefined : this.signatures.useOf(publisher, this.wishOf(draft));
  }

  /** 0, or why the signature of the message is not taken. */
  signatureReason(publisher: Publisher, draft: MessageDraft, plan: PublishPlan): number {
    const use = this.useOf(publisher, draft);
    const fault = use && this.signatures.fault(use, draft, plan.nonces);
    return fault === undefined ? 0 : this.#refuseSignature(fault);
  }

  /** The offset of the message that this is once more, 0 for none; -1 where the offset is not known any more. */
  known(publisher: Publisher, draft: MessageDraft): number {
    const use = this.useOf(publisher, draft);
    return use !== undefined && this.signatures.isSamePacket(use, draft) ? -1 : this.repeated(publisher, draft);
  }

  /** 0, or that the messages of the topic must be signed. */
  unsignedReason(declared: DeclaredTopic, isSigned: boolean): number {
    if (declared.settings.signing !== "required" || isSigned) return 0;
    return this.#refuseSignature(signatureFault("sig.required", `messages of "${declared.filter}" must be signed`));
  }

  #refuseSignature({ problem, text }: SignatureFault): number {
    const reason = this.refuse(signatureReasons[problem], text);
    this.signature = problem;
    return reason;
  }

  /** 0, or why the message is not taken. */
  reason(publisher: Publisher, topic: Topic, draft: MessageDraft, plan: PublishPlan): number {
    if (this.#state.topicSettings.size > 0) {
      const reason = this.#declaredReason(topic, draft);
      if (reason !== 0) return reason;
    }
    if (draft.attributes.length > 0) {
      const reason = this.#wishReason(publisher, this.wishOf(draft), plan);
      if (reason !== 0) return reason;
    }
    const reason = draft.retain ? this.retainedReason(publisher, topic, draft, plan) : 0;
    return reason === 0 ? this.#queueReason(topic, draft, plan) : reason;
  }

  /** A delayed message is counted when its time comes: it was taken, and is not refused any more. */
  #queueReason(topic: Topic, draft: MessageDraft, plan: PublishPlan): number {
    if (topic.generation === this.#state.generation && topic.queues.length === 0) return 0;
    const isDelayed = draft.attributes.length > 0 && this.wishOf(draft).deliverAt !== undefined;
    const text = isDelayed ? "" : this.quota.refusal(topic, draft, plan === nothingPlanned ? undefined : plan.queues);
    return text === "" ? 0 : this.refuse(Reason.quotaExceeded, text);
  }

  /** 0, or why the topic takes no such message. Of QoS 0 messages on their way too. */
  contentReason(declared: DeclaredTopic, content: Content): number {
    const { maxMessageBytes } = declared.settings;
    const payloadBytes = content.payloadEnd - content.payloadStart;
    const bytes = payloadBytes + content.headerEnd - content.headerStart;
    if (maxMessageBytes !== undefined && bytes > maxMessageBytes) {
      this.#state.counters.contentRefused++;
      this.refuse(
        Reason.quotaExceeded,
        `payload and properties have ${bytes} bytes; "${declared.filter}" is declared to have ${maxMessageBytes} at most`,
      );
      this.isTooLarge = true;
      return Reason.quotaExceeded;
    }
    // One without payload that is to be retained says that nothing is: that is no message of the topic.
    if (declared.check === undefined || (content.retain && payloadBytes === 0)) return 0;
    const fault = declared.check(content.payloadBytes.subarray(content.payloadStart, content.payloadEnd));
    if (fault === undefined) return 0;
    this.#state.counters.contentRefused++;
    const path = fault.path.slice(0, faultLengthMax);
    this.refuse(
      Reason.payloadFormatInvalid,
      `against the schema of "${declared.filter}": ${path === "" ? "" : `${path}: `}${fault.message.slice(0, faultLengthMax)}`,
    );
    this.path = path;
    return Reason.payloadFormatInvalid;
  }

  #declaredReason(topic: Topic, draft: MessageDraft): number {
    const { topicSettings, limits } = this.#state;
    const declared = topicSettings.of(topic);
    if (declared === undefined) return 0;
    // Two bytes for the length of all, three for tag and length.
    if (topic.keyAttributes.length > limits.messageKeyBytesMax + 5 && this.wishOf(draft).key === undefined)
      return this.refuse(
        Reason.implementationSpecific,
        `the level of the topic that is its ordering key has more than ${limits.messageKeyBytesMax} bytes`,
      );
    const isSigned = draft.attributes.length > 0 && this.wishOf(draft).nonce !== undefined;
    const unsigned = this.unsignedReason(declared, isSigned);
    if (unsigned !== 0) return unsigned;
    const full = this.domainText(topic, draft);
    if (full !== "") {
      this.#state.counters.quotaRefused++;
      return this.refuse(Reason.quotaExceeded, full);
    }
    return this.contentReason(declared, draft);
  }

  /** Why there is no erasure domain for the message; "" where there is, or where its topic asks for none. */
  domainText(topic: Topic, draft: MessageDraft): string {
    const { topicSettings } = this.#state;
    const asks = topicSettings.size > 0 && topicSettings.of(topic)?.settings.erasure !== undefined;
    return asks ? domainRefusal(this.#state, topic, this.#keyOf(topic, draft)) : "";
  }

  /** The ordering key that the message has, or that its topic gives it. */
  #keyOf(topic: Topic, draft: MessageDraft): string | undefined {
    const { key } = this.wishOf(draft);
    const { keyAttributes } = topic;
    if (key !== undefined || keyAttributes.length === 0) return key;
    const bytes = Buffer.from(keyAttributes.buffer, keyAttributes.byteOffset, keyAttributes.length);
    return readAttributes({ bytes, attributesStart: 0, headerStart: bytes.length }).key;
  }

  refuse(reason: number, text: string): number {
    this.text = text;
    this.path = undefined;
    this.isTooLarge = false;
    this.signature = undefined;
    return reason;
  }

  #wishReason(publisher: Publisher, wish: MessageAttributes, plan: PublishPlan): number {
    const { limits } = this.#state;
    const { key, id, priority, deliverAt } = wish;
    const problem =
      reservedNames.some((name) => wish[name] !== undefined) && "where a message comes from is for the broker to say";
    if (problem !== false) return this.refuse(Reason.implementationSpecific, problem);
    if (key !== undefined && !isWithin(key, limits.messageKeyBytesMax))
      return this.refuse(Reason.implementationSpecific, `an ordering key has 1 to ${limits.messageKeyBytesMax} bytes`);
    if (id !== undefined && !isWithin(id, limits.messageIdBytesMax))
      return this.refuse(Reason.implementationSpecific, `a message id has 1 to ${limits.messageIdBytesMax} bytes`);
    if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= priorityMax))
      return this.refuse(Reason.implementationSpecific, `a priority is a whole number from 0 to ${priorityMax}`);
    const reason = deliverAt === undefined ? 0 : this.#delayReason(deliverAt, plan);
    if (reason !== 0 || id === undefined) return reason;
    const owner = ownerOf(publisher.principal);
    const full = this.#state.messageIds.whyFull(owner, plan.ids, !this.#state.everythingAllowed);
    if (full === "") return 0;
    this.#state.counters.quotaRefused++;
    return this.refuse(Reason.quotaExceeded, full);
  }

  #delayReason(deliverAt: number, plan: PublishPlan): number {
    const { clock, limits, delayed, counters } = this.#state;
    const inMs = deliverAt - clock.now();
    if (!(inMs <= limits.delayMsMax))
      return this.refuse(
        Reason.implementationSpecific,
        `a message may be delayed by ${Math.floor(limits.delayMsMax / 1000)} s at most`,
      );
    if (inMs <= 0 || delayed.size + plan.delayed < limits.delayedMax) return 0;
    counters.quotaRefused++;
    return this.refuse(Reason.quotaExceeded, `${limits.delayedMax} delayed messages wait, and no more may`);
  }

  retainedReason(publisher: Publisher, topic: Topic, draft: MessageDraft, plan: PublishPlan): number {
    const payloadBytes = draft.payloadEnd - draft.payloadStart;
    const reason = this.#retained.quotaReason(publisher.principal, topic.name, payloadBytes, plan);
    if (reason === 0) return 0;
    this.#state.counters.quotaRefused++;
    const { retainedPerPrincipalMax, retainedBytesMax } = this.#state.limits;
    return this.refuse(
      reason,
      `a principal may have ${retainedPerPrincipalMax} retained messages, and all together ${retainedBytesMax} bytes`,
    );
  }
}

function isWithin(text: string, bytesMax: number): boolean {
  return text.length > 0 && text.length <= bytesMax && Buffer.byteLength(text) <= bytesMax;
}
