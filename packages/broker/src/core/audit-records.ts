/** The audit trail in the journal: recovery and snapshots. */
import { type Audited, type AuditState, RecordKind, readJson } from "../model/record.ts";
import { runOfCopies } from "./audit-copies.ts";
import type { AuditTrail } from "./audit-trail.ts";

interface RecordAt {
  readonly kind: number;
  readonly seq: number;
  readonly bytes: Buffer;
  readonly start: number;
  readonly end: number;
}

/** Runs in one record of a snapshot. */
const runsPerPart = 1_000;
const numbersPerRun = 6;

/** False when the record is of another kind. */
export function applyAudit(trail: AuditTrail, { kind, seq, bytes, start, end }: RecordAt): boolean {
  if (kind === RecordKind.audited) trail.note(seq, readJson<Audited>(bytes, start, end).at, end - start);
  else if (kind === RecordKind.auditCarried) trail.carried(runOfCopies(seq, bytes, start));
  else if (kind === RecordKind.auditState) trail.load(readJson<AuditState>(bytes, start, end).runs);
  else return false;
  return true;
}

export function addAuditTrail(trail: AuditTrail, add: (kind: number, value: AuditState) => void): void {
  const numbers = trail.save();
  const step = runsPerPart * numbersPerRun;
  for (let at = 0; at < numbers.length; at += step) add(RecordKind.auditState, { runs: numbers.slice(at, at + step) });
}
