/** Reads the audit trail, page by page, each of bounded work. Only what is durable is shown. */
import type { AuditPage, AuditRecord, AuditRequest } from "../model/audit.ts";
import type { JournalFrame } from "../model/journal.ts";
import { type Audited, RecordKind, readJson } from "../model/record.ts";
import { eachCopy } from "./audit-copies.ts";
import type { AuditRun } from "./audit-trail.ts";
import { walkFrames } from "./frame-walk.ts";
import type { Outbox } from "./outbox.ts";
import type { State } from "./state.ts";

/** Runs looked through for one page: whoever finds little goes on from where it ended. */
const runsMax = 64;

export class AuditReading {
  readonly #state: State;
  readonly #outbox: Outbox;

  constructor(state: State, outbox: Outbox) {
    this.#state = state;
    this.#outbox = outbox;
  }

  /** A page may have no record and more to come: there was much else to look through. */
  page(request: AuditRequest, done: (page: AuditPage) => void): void {
    this.#outbox.action(() => this.#run(request, { records: [], runs: 0, from: request.from }, done));
  }

  #run(request: AuditRequest, page: Page, done: (page: AuditPage) => void): void {
    const { journal, auditTrail } = this.#state;
    const run = auditTrail.runs.find(({ to }) => to >= page.from);
    if (run === undefined || Math.max(run.from, page.from) > journal.durableSeq) {
      done({ records: page.records, next: page.from, more: false });
      return;
    }
    if (page.runs === runsMax || page.records.length >= request.limit) {
      done({ records: page.records, next: page.from, more: true });
      return;
    }
    // Copied just now: the copy is read when it is durable.
    if (run.place > journal.durableSeq) {
      this.#outbox.action(() => this.#run(request, page, done));
      return;
    }
    page.runs++;
    if (request.since !== undefined && run.lastAt < request.since) {
      page.from = run.to + 1;
      this.#run(request, page, done);
      return;
    }
    this.#read(request, page, run, () => this.#run(request, page, done));
  }

  #read(request: AuditRequest, page: Page, { from, to, place }: AuditRun, done: () => void): void {
    const last = place === 0 ? to : place;
    let isFull = false;
    const take = (seq: number, bytes: Buffer, start: number, end: number): void => {
      if (isFull || seq < page.from || seq > to) return;
      if (page.records.length >= request.limit) {
        isFull = true;
        return;
      }
      const record = { seq, ...readJson<Audited>(bytes, start, end) };
      if (isWanted(record, request)) page.records.push(record);
      page.from = seq + 1;
    };
    walkFrames(this.#state.journal, place === 0 ? Math.max(from, page.from) : place, {
      frame: (frame, at) => {
        if (place === 0) visit(frame, at, last, take);
        else if (frame.firstSeq <= place) eachCopy(frame.bytes, frame.starts[place - frame.firstSeq] as number, take);
        return !isFull && frame.firstSeq + frame.count <= last;
      },
      done: () => {
        if (!isFull) page.from = Math.min(to, this.#state.journal.durableSeq) + 1;
        done();
      },
    });
  }
}

interface Page {
  readonly records: AuditRecord[];
  runs: number;
  /** Number of the first record that was not looked at. */
  from: number;
}

function visit(
  frame: JournalFrame,
  from: number,
  through: number,
  take: (seq: number, bytes: Buffer, start: number, end: number) => void,
): void {
  const count = Math.min(frame.count, through - frame.firstSeq + 1);
  for (let i = Math.max(0, from - frame.firstSeq); i < count; i++) {
    if (frame.kinds[i] === RecordKind.audited)
      take(frame.firstSeq + i, frame.bytes, frame.starts[i] as number, frame.ends[i] as number);
  }
}

function isWanted({ event, detail, at }: AuditRecord, wanted: AuditRequest): boolean {
  const { event: name, principal, since, until } = wanted;
  if (since !== undefined && at < since) return false;
  if (until !== undefined && at >= until) return false;
  if (name !== undefined && !(name.endsWith(".*") ? event.startsWith(name.slice(0, -1)) : event === name)) return false;
  return principal === undefined || detail["principal"] === principal || detail["by"] === principal;
}
