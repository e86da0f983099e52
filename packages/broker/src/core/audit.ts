/** Audit records: security-relevant acts, in the same journal as everything else. Bounded in rate; what is left out is counted. */
import type { TopicAction } from "../model/policy.ts";
import { type Audited, jsonBytes, RecordKind } from "../model/record.ts";
import type { SignatureProblem } from "../model/signing.ts";
import type { State } from "./state.ts";

const perSecondMax = 50;
const burst = 200;
const delayMs = 200;
/** Of a topic that somebody was refused, as much as a record keeps. */
const topicLengthMax = 128;

export class Audit {
  readonly #state: State;
  /** Told of each record too: the log. */
  readonly #observe: (event: string, detail: Readonly<Record<string, string | number>>) => void;
  #tokens = burst;
  #filledAt = 0;
  #leftOut = 0;
  readonly countOf: Map<string, number> = new Map();
  /** How often each limit was hit (`limit.hit`), by the name of its setting; those left out of the journal too. */
  readonly limitHits: Map<string, number> = new Map();

  constructor(state: State, observe: (event: string, detail: Readonly<Record<string, string | number>>) => void) {
    this.#state = state;
    this.#observe = observe;
  }

  /** An event a client can provoke at will: sampled past the rate, so that nobody fills the disk with refusals (D10). */
  write(event: string, detail: Readonly<Record<string, string | number>>): void {
    this.countOf.set(event, (this.countOf.get(event) ?? 0) + 1);
    const limit = detail["limit"];
    if (event === "limit.hit" && typeof limit === "string")
      this.limitHits.set(limit, (this.limitHits.get(limit) ?? 0) + 1);
    const now = this.#state.clock.monotonic();
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) / 1000) * perSecondMax);
    this.#filledAt = now;
    if (this.#tokens < 1) {
      this.#leftOut++;
      return;
    }
    this.#tokens--;
    const leftOut = this.#leftOut;
    this.#leftOut = 0;
    this.#record(event, leftOut > 0 ? { ...detail, leftOutBefore: leftOut } : detail);
    this.#state.journal.commitWithin(delayMs);
  }

  /** A right that was missing: who, what, and on which topic or filter. `mess why` tells the deciding grant. */
  denied(action: TopicAction, principal: string, topic: string): void {
    this.write("acl.deny", { action, principal, topic: topic.slice(0, topicLengthMax) });
  }

  /** A message that was not taken for its signature, or for want of one. */
  signature(problem: SignatureProblem, principal: string, topic: string): void {
    this.write(problem, { principal, topic: topic.slice(0, topicLengthMax) });
  }

  /** An administrative act: always recorded, and the caller commits it together with the act itself. */
  act(event: string, detail: Readonly<Record<string, string | number>>): void {
    this.countOf.set(event, (this.countOf.get(event) ?? 0) + 1);
    this.#record(event, detail);
  }

  #record(event: string, detail: Readonly<Record<string, string | number>>): void {
    this.#observe(event, detail);
    if (this.#state.journal.hasFailed) return;
    const { journal, auditTrail, clock } = this.#state;
    const now = clock.now();
    const body = jsonBytes({ at: now, event, detail } satisfies Audited);
    const at = journal.reserve(RecordKind.audited, body.length);
    body.copy(journal.openBytes, at);
    auditTrail.note(journal.lastSeq, now, body.length);
  }
}
