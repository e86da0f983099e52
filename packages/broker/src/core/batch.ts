/** Publishing for somebody who has no session, all or nothing: decided as a whole, then written into one frame. */
import { Reason } from "../model/engine.ts";
import type { MessageDraft } from "../model/message.ts";
import type { PublishOrigin, PublishResult } from "../model/queue.ts";
import { checkTopicName } from "../topics/topic-name.ts";
import type { Audit } from "./audit.ts";
import type { Outbox } from "./outbox.ts";
import { type PublishChecks, PublishPlan } from "./publish-checks.ts";
import { type Publisher, publisherOf } from "./publisher.ts";
import type { Publishing } from "./publishing.ts";
import { auditRefusal } from "./refusal-audit.ts";
import { nonceKey } from "./signature-checks.ts";
import type { State } from "./state.ts";
import type { Topic } from "./topic.ts";

export interface BatchParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly publishing: Publishing;
  readonly audit: Audit;
}

export const reservedText = 'topics that begin with "$" are the broker\'s own';

export class Batch {
  readonly #parts: BatchParts;

  constructor(parts: BatchParts) {
    this.#parts = parts;
  }

  /** As `Queues.publishBatch` has it. */
  publish(
    origin: PublishOrigin,
    drafts: readonly MessageDraft[],
    done: (results: readonly PublishResult[]) => void,
  ): void {
    const publisher = publisherOf(origin);
    const topics: Topic[] = [];
    const refused = this.#refusalOf(publisher, drafts, topics);
    if (refused !== undefined) {
      done(drafts.map((_, i) => (i === refused.at ? refused.result : besides(refused.at))));
      return;
    }
    // One turn of the loop, so one frame: a crash keeps all or none.
    const results = drafts.map((draft, i) => this.#write(publisher, topics[i] as Topic, draft));
    this.#parts.outbox.promise((isDurable) => done(isDurable ? results : results.map(lost)));
  }

  /** Where and why; fills `topics`. */
  #refusalOf(
    publisher: Publisher,
    drafts: readonly MessageDraft[],
    topics: Topic[],
  ): { readonly at: number; readonly result: PublishResult } | undefined {
    const { state, publishing } = this.#parts;
    const { batchMessagesMax } = state.limits;
    if (drafts.length > batchMessagesMax)
      return { at: 0, result: no(Reason.quotaExceeded, `a batch has at most ${batchMessagesMax} messages`) };
    const plan = new PublishPlan();
    for (const [at, draft] of drafts.entries()) {
      const topic = this.#topic(draft);
      if (typeof topic === "string") return { at, result: no(Reason.topicNameInvalid, topic) };
      const reason = this.#reason(publisher, topic, draft, plan);
      if (reason !== 0) return { at, result: refusedBy(publishing.checks, reason) };
      plan.add(draft, publishing.checks.wishOf(draft));
      const use = publishing.checks.useOf(publisher, draft);
      if (use !== undefined) plan.nonces.add(nonceKey(use));
      topics.push(topic);
    }
    return undefined;
  }

  #reason(publisher: Publisher, topic: Topic, draft: MessageDraft, plan: PublishPlan): number {
    const { publishing, audit } = this.#parts;
    const reason = topic.reserved
      ? publishing.checks.refuse(Reason.notAuthorized, reservedText)
      : publishing.refusal(publisher, topic, draft, plan);
    auditRefusal(audit, publishing.checks, { reason, principal: publisher.principal, topic: topic.name });
    return reason;
  }

  /** The topic, or why the name is not one. */
  #topic(draft: MessageDraft): Topic | string {
    const { state, publishing } = this.#parts;
    const { topicBytes, topicStart, topicEnd } = draft;
    const known = state.topics.find(topicBytes, topicStart, topicEnd);
    if (known !== undefined) return known;
    const name = Buffer.from(topicBytes.buffer, topicBytes.byteOffset + topicStart, topicEnd - topicStart).toString();
    const problem = checkTopicName(name, state.limits);
    return problem === undefined ? publishing.topicNamed(name) : problem.reason;
  }

  #write(publisher: Publisher, topic: Topic, draft: MessageDraft): PublishResult {
    const { publishing } = this.#parts;
    const reason = publishing.publish(publisher, topic, draft);
    const { receipt } = publishing;
    return { reason, text: "", offset: Math.abs(receipt), duplicate: receipt < 0 };
  }
}

function no(reason: number, text: string): PublishResult {
  return { reason, text, offset: 0, duplicate: false };
}

function refusedBy({ text, path, isTooLarge, signature }: PublishChecks, reason: number): PublishResult {
  const refused = no(isTooLarge ? Reason.packetTooLarge : reason, text);
  const result = signature === undefined ? refused : { ...refused, signature };
  return path === undefined ? result : { ...result, path };
}

function besides(at: number): PublishResult {
  return no(Reason.implementationSpecific, `not stored, because message ${at + 1} of the batch was refused`);
}

function lost(): PublishResult {
  return no(Reason.implementationSpecific, "the journal has failed");
}
