/** Copies of audit records, out of segments that are dropped: u32 count, then f64 number, u32 length, JSON of each. */
import { type Audited, readJson } from "../model/record.ts";
import type { AuditRun } from "./audit-trail.ts";

const headBytes = 4;
const entryHeadBytes = 12;

export interface AuditEntry {
  readonly seq: number;
  readonly body: Buffer;
}

export function copiesBytes(entries: readonly AuditEntry[]): number {
  return entries.reduce((sum, { body }) => sum + entryHeadBytes + body.length, headBytes);
}

export function writeCopies(out: Buffer, start: number, entries: readonly AuditEntry[]): void {
  out.writeUInt32LE(entries.length, start);
  let at = start + headBytes;
  for (const { seq, body } of entries) {
    out.writeDoubleLE(seq, at);
    out.writeUInt32LE(body.length, at + 8);
    body.copy(out, at + entryHeadBytes);
    at += entryHeadBytes + body.length;
  }
}

/** Only for bodies that `writeCopies` wrote. */
export function eachCopy(
  bytes: Buffer,
  start: number,
  visit: (seq: number, bytes: Buffer, start: number, end: number) => void,
): void {
  let at = start + headBytes;
  for (let left = bytes.readUInt32LE(start); left > 0; left--) {
    const end = at + entryHeadBytes + bytes.readUInt32LE(at + 8);
    visit(bytes.readDoubleLE(at), bytes, at + entryHeadBytes, end);
    at = end;
  }
}

/** The run that the copies in the record number `place` are. */
export function runOfCopies(place: number, bytes: Buffer, start: number): AuditRun {
  const run = { from: 0, to: 0, count: 0, bytes: 0, lastAt: 0, place };
  eachCopy(bytes, start, (seq, _, from, to) => {
    if (run.count === 0) run.from = seq;
    run.to = seq;
    run.count++;
    run.bytes += to - from;
    run.lastAt = Math.max(run.lastAt, readJson<Audited>(bytes, from, to).at);
  });
  return run;
}
