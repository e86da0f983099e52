/** Records of declared subscriptions: their bodies are written and read here and nowhere else. Little-endian. */
import type { SubscriptionSettings } from "../model/settings.ts";

/** JSON. The same name declared again keeps its number. */
export interface SubscriptionDeclared {
  readonly number: number;
  readonly name: string;
  readonly settings: SubscriptionSettings;
  readonly by: string;
  /** Wall-clock milliseconds. */
  readonly at: number;
  /** Of a new one: what lies from here up to `through` is read too, as far as it matches. */
  readonly from: number;
  readonly through: number;
}

/** JSON. */
export interface SubscriptionDeleted {
  readonly number: number;
  readonly by: string;
}

/** JSON. */
export interface PositionReset {
  readonly number: number;
  readonly from: number;
  readonly through: number;
  readonly by: string;
  readonly at: number;
}

/** JSON. `at`: since when nobody consumes, wall-clock milliseconds; null while somebody does. */
export interface SubscriptionIdle {
  readonly number: number;
  readonly at: number | null;
}

/** JSON, only inside snapshots; only of subscriptions for which there is more to say than what was declared. */
export interface QueueState {
  readonly number: number;
  /** Priority, and the runs of its backlog as `Backlog.save` gives them. */
  readonly lanes: readonly (readonly [priority: number, runs: readonly number[], count: number])[];
  readonly messages: number;
  readonly bytes: number;
  readonly historyThrough: number;
  readonly eras: readonly {
    readonly through: number;
    readonly filters: readonly string[];
    readonly where: Readonly<Record<string, string>>;
    readonly priorities: boolean;
  }[];
  readonly ackedFloor: number;
  readonly attempts: readonly (readonly [seq: number, failed: number, retryAt: number])[];
  readonly dead: readonly number[];
  readonly deadCount: number;
  readonly idleSince: number | null;
}

/** u32 subscription, u32 failed attempts, f64 seq, f64 retry at (wall-clock milliseconds), reason (UTF-8, to the end). */
export interface AttemptFailed {
  readonly number: number;
  readonly failed: number;
  readonly seq: number;
  readonly retryAt: number;
  readonly reason: string;
}

const attemptBytes = 24;

export function attemptFailedBytes(attempt: AttemptFailed): number {
  return attemptBytes + Buffer.byteLength(attempt.reason);
}

export function writeAttemptFailed(out: Buffer, at: number, attempt: AttemptFailed): void {
  out.writeUInt32LE(attempt.number, at);
  out.writeUInt32LE(attempt.failed, at + 4);
  out.writeDoubleLE(attempt.seq, at + 8);
  out.writeDoubleLE(attempt.retryAt, at + 16);
  if (attempt.reason !== "") out.write(attempt.reason, at + attemptBytes, "utf8");
}

export function readAttemptFailed(bytes: Buffer, start: number, end: number): AttemptFailed {
  return {
    number: bytes.readUInt32LE(start),
    failed: bytes.readUInt32LE(start + 4),
    seq: bytes.readDoubleLE(start + 8),
    retryAt: bytes.readDoubleLE(start + 16),
    reason: bytes.toString("utf8", start + attemptBytes, end),
  };
}

/**
 * u32 subscription, u32 0, f64 floor, f64 messages that wait, f64 their bytes, f64 each number beyond the floor. The sums
 * are those after this record: the sizes of what is done are not in the journal once more.
 */
export interface QueueAcked {
  readonly number: number;
  readonly floor: number;
  readonly messages: number;
  readonly bytes: number;
  readonly beyond: readonly number[];
}

const queueAckedHeadBytes = 32;

export function queueAckedBytes(acked: QueueAcked): number {
  return queueAckedHeadBytes + acked.beyond.length * 8;
}

export function writeQueueAcked(out: Buffer, at: number, acked: QueueAcked): void {
  out.writeUInt32LE(acked.number, at);
  out.writeUInt32LE(0, at + 4);
  out.writeDoubleLE(acked.floor, at + 8);
  out.writeDoubleLE(acked.messages, at + 16);
  out.writeDoubleLE(acked.bytes, at + 24);
  writeSeqs(out, at + queueAckedHeadBytes, acked.beyond);
}

export function readQueueAcked(bytes: Buffer, start: number, end: number): QueueAcked {
  return {
    number: bytes.readUInt32LE(start),
    floor: bytes.readDoubleLE(start + 8),
    messages: bytes.readDoubleLE(start + 16),
    bytes: bytes.readDoubleLE(start + 24),
    beyond: readSeqs(bytes, start + queueAckedHeadBytes, end),
  };
}

/** u32 subscription, u32 0, f64 seq each. */
export interface DeadRemoved {
  readonly number: number;
  readonly seqs: readonly number[];
}

const numberedHeadBytes = 8;

export function deadRemovedBytes(removed: DeadRemoved): number {
  return numberedHeadBytes + removed.seqs.length * 8;
}

export function writeDeadRemoved(out: Buffer, at: number, removed: DeadRemoved): void {
  writeNumber(out, at, removed.number);
  writeSeqs(out, at + numberedHeadBytes, removed.seqs);
}

export function readDeadRemoved(bytes: Buffer, start: number, end: number): DeadRemoved {
  return { number: bytes.readUInt32LE(start), seqs: readSeqs(bytes, start + numberedHeadBytes, end) };
}

/** In front of the message of `messageDirected`: u32 subscription, u32 0. */
export const directedHeadBytes = 8;

export function writeNumber(out: Buffer, at: number, number: number): void {
  out.writeUInt32LE(number, at);
  out.writeUInt32LE(0, at + 4);
}

function writeSeqs(out: Buffer, at: number, seqs: readonly number[]): void {
  let to = at;
  for (const seq of seqs) {
    out.writeDoubleLE(seq, to);
    to += 8;
  }
}

function readSeqs(bytes: Buffer, start: number, end: number): number[] {
  const seqs: number[] = [];
  for (let at = start; at + 8 <= end; at += 8) seqs.push(bytes.readDoubleLE(at));
  return seqs;
}
