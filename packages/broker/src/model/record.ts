/**
 * What the journal may say. A record is a fact; its body is written and read here and nowhere else. Kinds never
 * change their meaning: a new layout is a new kind (docs/journal-format.md).
 */
import type { Grant, Policy } from "./policy.ts";
import type { TopicSettings } from "./settings.ts";

export const RecordKind = {
  /** A message (model/message.ts). */
  messagePublished: 1,
  /** QoS 2, first half: u32 session, u16 packet id, u16 0, message. Not delivered yet. */
  messageHeld: 2,
  /** QoS 2, second half: as `messageHeld`; the message counts from here on. */
  messageReleased: 3,
  /** A retained message copied out of a segment that is to be dropped: f64 first seq, message. */
  messageCarried: 4,
  /** A held message that may not be released any more: u32 session, u16 packet id. */
  holdDropped: 5,
  sessionOpened: 6,
  sessionDetached: 7,
  sessionEnded: 8,
  subscriptionSet: 9,
  subscriptionRemoved: 10,
  deliveriesAcked: 11,
  /** Outgoing QoS 2 id bound to a message, durable before its PUBLISH leaves. */
  deliveryReserved: 12,
  /** PUBREC, durable before PUBREL leaves. */
  deliveryReceived: 13,
  deliveryCompleted: 14,
  willTaken: 15,
  keyCreated: 16,
  keyRevoked: 17,
  policyApplied: 18,
  audited: 19,
  snapshotBegun: 20,
  /** One record of the snapshot: u8 kind, body. */
  snapshotPart: 21,
  snapshotEnded: 22,
  /** What waits for a reader: in snapshots, and when a shared subscription gets its first member that stays. */
  backlogState: 23,
  // only inside snapshots
  retainedState: 24,
  counterState: 25,
  /** A retained message that a subscription was due needs no delivery any more: a delivery note. */
  retainedSettled: 26,
  /** Retained messages that subscriptions are still due; only inside snapshots. */
  retainedDue: 27,
  /** A message that counts later (attribute `deliverAt`); it is released as a `messagePublished` that names it in `origin`. */
  messageDelayed: 28,
  /** Delayed messages that will not be released: f64 seq each. */
  delayedCancelled: 29,
  /** A dead letter that was redriven: u32 number of the subscription it is for, u32 0, message. */
  messageDirected: 30,
  subscriptionDeclared: 31,
  subscriptionDeleted: 32,
  topicDeclared: 33,
  topicDeleted: 34,
  /** An attempt failed (nack, expired lease): core/queue-records.ts. */
  attemptFailed: 35,
  /** Dead letters that were redriven or purged: u32 subscription, u32 0, f64 seq each. */
  deadRemoved: 36,
  positionReset: 37,
  // only inside snapshots
  queueState: 38,
  delayedState: 39,
  messageIdState: 40,
  retentionState: 41,
  /** What consumers of one declared subscription are done with: core/queue-records.ts. */
  queueAcked: 42,
  /** The first consumer of a subscription that expires came, or its last one left: core/queue-records.ts. */
  subscriptionIdle: 43,
  /** A QoS 0 message that declared subscriptions keep; everybody else had it live, and does not get it from here. */
  messageQueued: 44,
  /** A password of a principal, as its SCRAM verifier; replaces the one before. */
  passwordSet: 45,
  passwordRemoved: 46,
  certificateIssued: 47,
  certificateRevoked: 48,
  signingKeyAdded: 49,
  signingKeyRemoved: 50,
  /** Nonces of signed messages that may not come again: in snapshots, and of one that was not stored because its id was known. */
  nonceState: 51,
  /** Erasure domains: one that is made, and in snapshots all that there are. */
  erasureState: 52,
  /** Erasure domains whose messages nobody is given any more. */
  domainsErased: 53,
  /** Audit records copied out of a segment that is to be dropped: core/audit-copies.ts. */
  auditCarried: 54,
  /** Where the audit records lie; only inside snapshots. */
  auditState: 55,
} as const;
export type RecordKind = (typeof RecordKind)[keyof typeof RecordKind];

/** Of the journal's own kinds: a record that was lost to damage, or that meant something to the journal before a repair. */
export const LOST_KIND = 203;

/** Where the message begins in the body of a record of this kind; -1 when it holds none. */
export function messageOffset(kind: number): number {
  switch (kind) {
    case RecordKind.messagePublished:
    case RecordKind.messageDelayed:
    case RecordKind.messageQueued:
      return 0;
    case RecordKind.messageHeld:
    case RecordKind.messageReleased:
    case RecordKind.messageCarried:
    case RecordKind.messageDirected:
      return 8;
    default:
      return -1;
  }
}

/** True for records that stand for a message every matching reader gets. `messageDirected` is for one subscription alone. */
export function isDeliverable(kind: number): boolean {
  return kind === RecordKind.messagePublished || kind === RecordKind.messageReleased;
}

export interface WillRecord {
  readonly topic: string;
  /** base64 */
  readonly payload: string;
  readonly qos: 0 | 1 | 2;
  readonly retain: boolean;
  /** base64 of the headers that travel on. */
  readonly headers: string;
  readonly expirySeconds: number;
  readonly delaySeconds: number;
  /** base64 of the attributes, if it has some. */
  readonly attributes?: string | undefined;
}

/** Rare records are JSON: they are small, and a person with the key can read them. */
export interface SessionOpened {
  readonly number: number;
  readonly principal: string;
  /** Credential it came with: with its revocation the will is void. */
  readonly keyId?: string | undefined;
  readonly clientId: string;
  /** 0: the session ends with its connection, and is here for its will only. */
  readonly expirySeconds: number;
  readonly receiveMaximum: number;
  readonly will?: WillRecord | undefined;
}

export interface SessionDetached {
  readonly number: number;
  readonly at: number;
  readonly expirySeconds: number;
  /** When the will falls due, wall-clock ms; absent when there is none (any more). */
  readonly willAt?: number | undefined;
  /** What waits up to this number was sent; after a restart it is sent again, marked DUP. */
  readonly sentThrough?: number | undefined;
  /** So many of what waits beyond may have been sent, in a life before that ended in a crash. */
  readonly maybeSent?: number | undefined;
  readonly maybeSentThrough?: number | undefined;
}

export interface SubscriptionSet {
  readonly number: number;
  /** As the client wrote it, `$share/...` included. */
  readonly filter: string;
  readonly qos: 0 | 1 | 2;
  readonly noLocal: boolean;
  readonly retainAsPublished: boolean;
  readonly retainHandling: 0 | 1 | 2;
  readonly identifier: number;
  /** Name of the declared subscription that it reads, if it does. */
  readonly queue?: string | undefined;
  readonly explicit?: boolean | undefined;
  readonly credit?: { readonly messages?: number; readonly bytes?: number } | undefined;
  /** Of a subscription that began with a replay. */
  readonly replay?: SubscriptionReplay | undefined;
}

export interface SubscriptionReplay {
  /** Last record that is replayed. */
  readonly through: number;
  /** Messages published before this time, wall-clock milliseconds, are passed over in it; 0 for none. */
  readonly since: number;
}

export interface SubscriptionRemoved {
  readonly number: number;
  readonly filter: string;
}

/** One with an id that is there already replaces it: that is how a key that is rotated gets its end. */
export interface KeyCreated {
  readonly id: string;
  readonly principal: string;
  readonly name: string;
  /** base64 */
  readonly secretHash: string;
  readonly createdAt: number;
  readonly by: string;
  readonly expiresAt?: number | undefined;
  readonly scope?: readonly Grant[] | undefined;
  readonly isToken?: boolean | undefined;
  readonly madeWith?: string | undefined;
  readonly replacedBy?: string | undefined;
}

export interface KeyRevoked {
  readonly id: string;
  readonly by: string;
  /** Its time was over: nobody took it back, so what was said with it stands. */
  readonly expired?: boolean | undefined;
  /** Ids of tokens that were made with it, and go with it. */
  readonly tokens?: readonly string[] | undefined;
}

export interface PasswordSet {
  readonly principal: string;
  /** base64, as are the keys. */
  readonly salt: string;
  readonly iterations: number;
  readonly storedKey: string;
  readonly serverKey: string;
  readonly setAt: number;
  readonly by: string;
}

export interface PasswordRemoved {
  readonly principal: string;
  readonly by: string;
}

export interface CertificateIssued {
  /** Upper-case hexadecimal. */
  readonly serial: string;
  readonly principal: string;
  /** Wall-clock milliseconds. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  readonly by: string;
  /** In snapshots, of one that was revoked since. */
  readonly revokedAt?: number;
}

export interface CertificateRevoked {
  /** Credential of the sessions it came with, `cert:…`. */
  readonly id: string;
  /** Of one that this broker issued. */
  readonly serial?: string | undefined;
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly by: string;
}

export interface PolicyApplied {
  readonly policy: Policy;
  readonly by: string;
}

export interface TopicDeclared {
  readonly filter: string;
  readonly settings: TopicSettings;
  readonly by: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
}

export interface TopicDeleted {
  readonly filter: string;
  readonly by: string;
}

/** What a declaration keeps, as `RetentionMarks.save` gives it. */
export interface RetentionState {
  /** Empty, and no marks: it is the index of times. */
  readonly filter: string;
  /** As `TimeIndex.save` gives it. */
  readonly times?: readonly number[];
  readonly marks: readonly (readonly [from: number, to: number, bytes: number, firstAt: number, lastAt: number])[];
}

export interface ErasureState {
  readonly domains: readonly {
    readonly number: number;
    readonly by: "topic" | "key";
    readonly filter: string;
    readonly name: string;
    readonly lastSeq: number;
  }[];
  // in snapshots
  readonly lastNumber?: number;
  readonly destroying?: readonly number[];
}

export interface DomainsErased {
  readonly numbers: readonly number[];
  /** Empty where nothing was left in them. */
  readonly by: string;
}

export interface Audited {
  readonly at: number;
  readonly event: string;
  readonly detail: Readonly<Record<string, string | number>>;
}

/** As `AuditTrail.save` gives it, or a part of it. */
export interface AuditState {
  readonly runs: readonly number[];
}

export interface RetainedState {
  readonly seq: number;
  readonly at: number;
  readonly topic: string;
  readonly principal: string;
  readonly qos: 0 | 1 | 2;
  readonly expiresAt: number;
  readonly bytes: number;
  /** Erasure domain, if it has one. */
  readonly domain?: number;
}

export interface RetainedDue {
  readonly number: number;
  readonly items: readonly { readonly seq: number; readonly topic: string; readonly filter: string }[];
}

export interface CounterState {
  readonly lastMessageSeq: number;
  readonly lastSessionNumber: number;
  /** Absent in what was written before there were declared subscriptions. */
  readonly lastQueuedSeq?: number;
  readonly lastQueueNumber?: number;
}

/** Acknowledged deliveries of one reader: everything up to `floor`, and single numbers beyond it. */
export interface DeliveriesAcked {
  /** A session's number, or a group's key in `group`. */
  readonly number: number;
  readonly group: string;
  readonly floor: number;
  readonly beyond: readonly number[];
}

export interface BacklogState {
  readonly number: number;
  readonly group: string;
  /** As `Backlog.save` gives them. */
  readonly runs: readonly number[];
  /** Messages in them. */
  readonly count: number;
}

/**
 * DeliveryReserved, DeliveryReceived, DeliveryCompleted, RetainedSettled: u32 session, u16 packet id, u16 flags (1: a
 * retained message for a new subscription), f64 seq, group key (UTF-8, to the end; `endedGroup` when it is over).
 */
export interface DeliveryNote {
  readonly number: number;
  readonly packetId: number;
  readonly seq: number;
  readonly group: string;
  readonly isRetained: boolean;
}

export const deliveryNoteBytes = 16;
/** Stands for a shared subscription that ended while the delivery was under way. */
export const endedGroup = "-";

export function writeDeliveryNote(out: Buffer, at: number, note: DeliveryNote): void {
  out.writeUInt32LE(note.number, at);
  out.writeUInt16LE(note.packetId, at + 4);
  out.writeUInt16LE(note.isRetained ? 1 : 0, at + 6);
  out.writeDoubleLE(note.seq, at + 8);
  if (note.group !== "") out.write(note.group, at + deliveryNoteBytes, "utf8");
}

export function readDeliveryNote(bytes: Buffer, start: number, end: number): DeliveryNote {
  return {
    number: bytes.readUInt32LE(start),
    packetId: bytes.readUInt16LE(start + 4),
    seq: bytes.readDoubleLE(start + 8),
    group: bytes.toString("utf8", start + deliveryNoteBytes, end),
    isRetained: bytes.readUInt16LE(start + 6) === 1,
  };
}

/** u32 session, u16 length of the group key, u16 0, f64 floor, f64 each number beyond, group key. */
export function ackedBytes(acked: DeliveriesAcked): number {
  return 16 + acked.beyond.length * 8 + Buffer.byteLength(acked.group);
}

export function writeAcked(out: Buffer, at: number, acked: DeliveriesAcked): void {
  const groupBytes = Buffer.byteLength(acked.group);
  out.writeUInt32LE(acked.number, at);
  out.writeUInt16LE(groupBytes, at + 4);
  out.writeUInt16LE(0, at + 6);
  out.writeDoubleLE(acked.floor, at + 8);
  let to = at + 16;
  for (const seq of acked.beyond) {
    out.writeDoubleLE(seq, to);
    to += 8;
  }
  if (groupBytes > 0) out.write(acked.group, to, "utf8");
}

export function readAcked(bytes: Buffer, start: number, end: number): DeliveriesAcked {
  const groupStart = end - bytes.readUInt16LE(start + 4);
  const beyond: number[] = [];
  for (let at = start + 16; at + 8 <= groupStart; at += 8) beyond.push(bytes.readDoubleLE(at));
  return {
    number: bytes.readUInt32LE(start),
    floor: bytes.readDoubleLE(start + 8),
    beyond,
    group: bytes.toString("utf8", groupStart, end),
  };
}

export function jsonBytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value), "utf8");
}

/** Only for bodies that this file's types wrote: they come out of an authenticated frame. */
export function readJson<T>(bytes: Buffer, start: number, end: number): T {
  return JSON.parse(bytes.toString("utf8", start, end)) as T;
}
