/**
 * A snapshot: the state of one moment as the records that would rebuild it, taken in one go and written in pieces, so
 * that recovery reads it and what follows instead of the whole journal. All messages stay where they are.
 */

import { awaitingPuback, awaitingPubcomp } from "../delivery/in-flight.ts";
import {
  type BacklogState,
  type CounterState,
  deliveryNoteBytes,
  endedGroup,
  jsonBytes,
  messageOffset,
  RecordKind,
  type RetainedDue,
  type RetainedState,
  type SubscriptionSet,
  writeDeliveryNote,
} from "../model/record.ts";
import type { AckKeeper } from "./ack-keeper.ts";
import { addAuditTrail } from "./audit-records.ts";
import { confineMessage } from "./erasing.ts";
import { passwordRecord } from "./passwords.ts";
import { addPublishing } from "./publishing-state.ts";
import { addQueues } from "./queue-snapshot.ts";
import { fromGroup, fromRetained, type Session, type SubscriptionEntry } from "./session.ts";
import { detachedRecord, openedRecord } from "./session-records.ts";
import type { RetainedEntry, State } from "./state.ts";

interface Part {
  readonly kind: number;
  /** Or what makes it, where that stays the same until it is written. */
  readonly body: Buffer | (() => Buffer);
}

/** How much of a snapshot goes into one frame: it must not make the acknowledgements of that frame wait. */
const bytesPerFrame = 256 * 1024;

export class SnapshotWriter {
  readonly #state: State;
  readonly #acks: AckKeeper;
  readonly #done: (firstSeq: number) => void;
  #parts: Part[] = [];
  #next = 0;
  #firstSeq = 0;

  constructor(state: State, acks: AckKeeper, done: (firstSeq: number) => void) {
    this.#state = state;
    this.#acks = acks;
    this.#done = done;
  }

  get running(): boolean {
    return this.#firstSeq !== 0;
  }

  begin(): void {
    if (this.running) return;
    this.#write(RecordKind.snapshotBegun, Buffer.alloc(0));
    this.#firstSeq = this.#state.journal.lastSeq;
    this.#parts = partsOf(this.#state, this.#acks);
    this.#next = 0;
    this.#state.journal.commit();
  }

  /** Adds the next piece to the frame that is about to be sealed. */
  beforeSeal(): void {
    if (!this.running) return;
    let bytes = 0;
    while (this.#next < this.#parts.length && bytes < bytesPerFrame) {
      const part = this.#parts[this.#next] as Part;
      const { journal } = this.#state;
      const body = typeof part.body === "function" ? part.body() : part.body;
      const at = journal.reserve(RecordKind.snapshotPart, 1 + body.length);
      journal.openBytes[at] = part.kind;
      body.copy(journal.openBytes, at + 1);
      if (part.kind === RecordKind.messageHeld)
        confineMessage(this.#state, at + 1 + messageOffset(part.kind), at + 1 + body.length);
      bytes += body.length;
      this.#next++;
    }
    if (this.#next < this.#parts.length) {
      this.#state.journal.commitWithin(1);
      return;
    }
    this.#write(RecordKind.snapshotEnded, Buffer.alloc(0));
    const firstSeq = this.#firstSeq;
    this.#firstSeq = 0;
    this.#parts = [];
    this.#done(firstSeq);
  }

  #write(kind: number, body: Buffer): void {
    const at = this.#state.journal.reserve(kind, body.length);
    body.copy(this.#state.journal.openBytes, at);
  }
}

function partsOf(state: State, acks: AckKeeper): Part[] {
  const parts: Part[] = [];
  const add = (kind: number, value: unknown): void => {
    parts.push({ kind, body: jsonBytes(value) });
  };
  add(RecordKind.policyApplied, { policy: state.policy, by: "snapshot" });
  for (const key of state.keys.values()) {
    add(RecordKind.keyCreated, { ...key, secretHash: Buffer.from(key.secretHash).toString("base64"), by: "snapshot" });
  }
  for (const certificate of state.certificates.values()) add(RecordKind.certificateIssued, certificate);
  for (const password of state.passwords.values()) {
    add(RecordKind.passwordSet, { ...passwordRecord(password), by: "snapshot" });
  }
  addQueues((kind, body) => parts.push({ kind, body }), state);
  for (const session of state.sessionsByNumber.values()) if (session.journaled) addSession(parts, add, session);
  for (const group of state.groups.values()) {
    if (group.durableMembers > 0)
      add(RecordKind.backlogState, {
        number: 0,
        group: group.key,
        runs: group.backlog.save(),
        count: group.backlog.count,
      });
  }
  for (const session of state.sessionsByNumber.values()) if (session.durable) addDeliveries(parts, state, session);
  state.retained.forEach((entry) => {
    add(RecordKind.retainedState, { ...entry } satisfies RetainedState);
  });
  for (const session of state.sessionsByNumber.values()) {
    const items = session.durable ? retainedDue(session, acks) : [];
    if (items.length > 0) add(RecordKind.retainedDue, { number: session.number, items });
  }
  addAuditTrail(state.auditTrail, add);
  addPublishing(state, (kind, body) => parts.push({ kind, body }));
  // Last: what follows must not be counted from an older message.
  add(RecordKind.counterState, {
    lastMessageSeq: state.lastMessageSeq,
    lastSessionNumber: state.lastSessionNumber,
    lastQueuedSeq: state.lastQueuedSeq,
    lastQueueNumber: state.lastQueueNumber,
  } satisfies CounterState);
  return parts;
}

function addSession(parts: Part[], add: (kind: number, value: unknown) => void, session: Session): void {
  add(RecordKind.sessionOpened, openedRecord(session));
  if (session.detachedAt !== undefined) add(RecordKind.sessionDetached, detachedRecord(session, session.detachedAt));
  if (!session.durable) return;
  for (const entry of session.subscriptions.values()) add(RecordKind.subscriptionSet, setOf(session, entry));
  const backlog: BacklogState = {
    number: session.number,
    group: "",
    runs: session.backlog.save(),
    count: session.backlog.count,
  };
  if (backlog.runs.length > 0) add(RecordKind.backlogState, backlog);
  for (const [packetId, message] of session.held) {
    const body = Buffer.alloc(8 + message.length);
    body.writeUInt32LE(session.number, 0);
    body.writeUInt16LE(packetId, 4);
    message.copy(body, 8);
    parts.push({ kind: RecordKind.messageHeld, body });
  }
}

/** Retained messages were queued when the subscription was made and must not be queued again by the snapshot. */
function setOf(session: Session, entry: SubscriptionEntry): SubscriptionSet {
  return {
    number: session.number,
    filter: entry.text,
    qos: entry.qos,
    noLocal: entry.noLocal,
    retainAsPublished: entry.retainAsPublished,
    retainHandling: 2,
    identifier: entry.identifier,
    queue: entry.queue,
    explicit: entry.explicit,
    credit: entry.credit,
    replay: entry.replay,
  };
}

/** Outgoing QoS 2 ids; those of QoS 1 are not kept over a restart. */
function addDeliveries(parts: Part[], state: State, session: Session): void {
  session.inFlight.inOrder((packetId) => {
    const step = session.inFlight.stateOf(packetId);
    const source = session.inFlight.sourceOf(packetId);
    if (step === awaitingPuback) return;
    const group = source >= fromGroup ? (state.groupsByNumber.get(source - fromGroup)?.key ?? endedGroup) : "";
    const note = {
      number: session.number,
      packetId,
      seq: session.inFlight.seqOf(packetId),
      group,
      isRetained: source === fromRetained,
    };
    const body = Buffer.alloc(deliveryNoteBytes + Buffer.byteLength(group));
    writeDeliveryNote(body, 0, note);
    parts.push({ kind: RecordKind.deliveryReserved, body });
    if (step === awaitingPubcomp) parts.push({ kind: RecordKind.deliveryReceived, body });
  });
}

/** Retained messages under way at QoS 1, whose ids a restart forgets, and those that are not delivered yet. */
function retainedDue(session: Session, acks: AckKeeper): RetainedDue["items"] {
  const due: RetainedDue["items"][number][] = [];
  const add = ({ text }: SubscriptionEntry, { seq, topic }: RetainedEntry): void => {
    due.push({ seq, topic, filter: text });
  };
  session.inFlight.inOrder((packetId) => {
    const underWay = acks.retainedUnderWay(session, packetId);
    if (underWay !== undefined && session.inFlight.stateOf(packetId) === awaitingPuback)
      add(underWay.subscription, underWay.item);
  });
  session.retained.forEach(add);
  return due;
}
