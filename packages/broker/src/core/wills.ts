/** Will messages: kept with the session, authorised when accepted and again when sent (MQTT 5.0 section 3.1.2.5, THREATS E1). */
import type { Deadline } from "../delivery/deadlines.ts";
import { MessageDraft } from "../model/message.ts";
import { jsonBytes, RecordKind, type WillRecord } from "../model/record.ts";
import { type SignatureFault, signatureFault } from "../model/signing.ts";
import type { Audit } from "./audit.ts";
import type { Publishing } from "./publishing.ts";
import { allowed } from "./rights.ts";
import type { Session } from "./session.ts";
import type { State } from "./state.ts";

export interface WillsParts {
  readonly state: State;
  readonly publishing: Publishing;
  readonly audit: Audit;
}

export class Wills {
  readonly #state: State;
  readonly #publishing: Publishing;
  readonly #audit: Audit;

  constructor(parts: WillsParts) {
    this.#state = parts.state;
    this.#publishing = parts.publishing;
    this.#audit = parts.audit;
  }

  allowed(principal: string, will: { readonly topic: string; readonly retain: boolean }): boolean {
    return (
      allowed(this.#state, principal, "will", will.topic) &&
      allowed(this.#state, principal, "publish", will.topic) &&
      (!will.retain || allowed(this.#state, principal, "retain", will.topic))
    );
  }

  /** The connection ended without goodbye: publish after `delayMs`, unless the session is taken up again before. */
  schedule(session: Session, delayMs: number): void {
    this.unschedule(session);
    if (session.will === undefined) return;
    if (delayMs <= 0) {
      this.send(session);
      return;
    }
    const deadline: Deadline<() => void> = this.#state.deadlines.set(this.#state.clock.monotonic() + delayMs, () => {
      session.willDeadline = undefined;
      this.send(session);
    });
    session.willDeadline = deadline;
  }

  unschedule(session: Session): void {
    if (session.willDeadline !== undefined) this.#state.deadlines.cancel(session.willDeadline);
    session.willDeadline = undefined;
  }

  /** The will is void: goodbye, or a new connection brought its own. */
  forget(session: Session): void {
    this.unschedule(session);
    session.will = undefined;
  }

  send(session: Session): void {
    const { will } = session;
    this.forget(session);
    if (will === undefined) return;
    this.#recordTaken(session);
    if (!this.allowed(session.principal, will)) {
      this.#state.counters.deniedWill++;
      this.#audit.denied("will", session.principal, will.topic);
      return;
    }
    if (this.#publishing.publishFor(session, draftOf(will), will.topic)) return;
    this.#audit.write("will.refused", { principal: session.principal, reason: this.#publishing.checks.text });
  }

  /** Why the topic takes no will, which cannot be signed: what it says is published at a time that nobody knows. */
  unsigned(topicName: string): SignatureFault | undefined {
    const { topicSettings } = this.#state;
    if (topicSettings.size === 0) return undefined;
    const declared = topicSettings.of(this.#publishing.topicNamed(topicName));
    if (declared?.settings.signing !== "required") return undefined;
    return signatureFault("sig.required", `messages of "${declared.filter}" must be signed, and a will cannot be`);
  }

  /** So that a crash after the will was published does not publish it again. */
  #recordTaken(session: Session): void {
    if (!session.journaled) return;
    const body = jsonBytes({ number: session.number });
    const at = this.#state.journal.reserve(RecordKind.willTaken, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commitWithin(50);
  }
}

function draftOf(will: WillRecord): MessageDraft {
  const draft = new MessageDraft();
  draft.qos = will.qos;
  draft.retain = will.retain;
  draft.expirySeconds = will.expirySeconds;
  draft.topicBytes = Buffer.from(will.topic, "utf8");
  draft.topicEnd = draft.topicBytes.length;
  draft.headerBytes = Buffer.from(will.headers, "base64");
  draft.headerEnd = draft.headerBytes.length;
  draft.payloadBytes = Buffer.from(will.payload, "base64");
  draft.payloadEnd = draft.payloadBytes.length;
  if (will.attributes !== undefined) draft.attributes = Buffer.from(will.attributes, "base64");
  return draft;
}
