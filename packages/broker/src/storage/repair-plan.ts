import type { JournalFrame } from "../model/journal.ts";
import { RecordKind } from "../model/record.ts";
import { readHead } from "./head-file.ts";
import { findSegments, type ReadableSegments, type SalvageOptions, salvageFrames } from "./salvage.ts";
import { readTrim, TRIM_KIND } from "./trim-record.ts";

/** Numbers of records, both included. */
export interface SeqRange {
  readonly first: number;
  readonly last: number;
}

/** What can be saved of a damaged journal. */
export interface RepairPlan {
  /** First and last number; 0 and 0 when nothing is left. */
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Records that can be read. */
  readonly records: number;
  /** What was stored and cannot be read, oldest first. In front of `firstSeq` it may have been less. */
  readonly lost: readonly SeqRange[];
  /** Gone before, by retention. */
  readonly trimmed: readonly SeqRange[];
  /** Segments of which nothing can be read, because their header is damaged or they are missing. */
  readonly segmentsLost: readonly number[];
  /** First record of the newest snapshot that is whole; 0: there is none, and the state before is lost with what is lost. */
  readonly snapshotSeq: number;
}

/** Looks at everything and changes nothing. Rejects with a `StorageError`. */
export async function planRepair(options: SalvageOptions): Promise<{ plan: RepairPlan; found: ReadableSegments }> {
  const found = await findSegments(options);
  const survey = new Survey();
  for await (const frame of salvageFrames(options, found)) survey.take(frame);
  // A damaged HEAD says nothing: it is advice.
  const head = await readHead(options.host, options.directory).catch(() => undefined);
  const newest = found.segments.at(-1)?.header;
  const through = Math.max(survey.last, head?.seq ?? 0, (newest?.firstSeq ?? 1) - 1);
  const first = Math.min(survey.first, ...found.segments.map(({ header }) => header.firstSeq));
  const segmentsLost = lostSegments(found, survey.trimmedIds);
  // What was in front of the first that is here, nobody knows: at most everything since what was dropped before it.
  const isHeadless = segmentsLost.some((id) => id < (found.segments[0]?.header.id ?? 0));
  const oldest = isHeadless ? survey.trimmedBefore(first) + 1 : first;
  const plan: RepairPlan = {
    firstSeq: survey.records === 0 ? 0 : first,
    lastSeq: through,
    records: survey.records,
    lost: survey.records === 0 ? [] : survey.missing({ first: oldest, last: through }),
    trimmed: survey.trimmed,
    segmentsLost,
    snapshotSeq: survey.snapshotSeq,
  };
  return { plan, found };
}

/** Ids that should be there, and of which nothing can be read. */
function lostSegments({ segments, unreadable }: ReadableSegments, trimmed: ReadonlySet<number>): number[] {
  const newest = segments.at(-1)?.header;
  const readable = new Set(segments.map(({ header }) => header.id));
  const lost = new Set(unreadable);
  for (const { first, last } of newest?.live ?? []) {
    for (let id = first; id <= last; id++) if (!readable.has(id) && !trimmed.has(id)) lost.add(id);
  }
  return [...lost].sort((a, b) => a - b);
}

class Survey {
  first: number = Number.MAX_SAFE_INTEGER;
  last = 0;
  records = 0;
  snapshotSeq = 0;
  readonly trimmed: SeqRange[] = [];
  readonly trimmedIds: Set<number> = new Set();
  readonly #readable: { first: number; last: number }[] = [];
  /** A snapshot that has begun, and of which nothing is missing so far. */
  #begun = 0;

  take(frame: JournalFrame): void {
    const { firstSeq, count } = frame;
    const isNext = firstSeq === this.last + 1;
    if (!isNext) this.#begun = 0;
    const open = this.#readable.at(-1);
    if (isNext && open !== undefined) open.last = firstSeq + count - 1;
    else this.#readable.push({ first: firstSeq, last: firstSeq + count - 1 });
    this.first = Math.min(this.first, firstSeq);
    this.last = firstSeq + count - 1;
    this.records += count;
    for (let i = 0; i < count; i++) this.#record(frame, i);
  }

  #record(frame: JournalFrame, i: number): void {
    const kind = frame.kinds[i]!;
    if (kind === RecordKind.snapshotBegun) this.#begun = frame.firstSeq + i;
    else if (kind === RecordKind.snapshotEnded && this.#begun > 0) this.snapshotSeq = this.#begun;
    if (kind !== TRIM_KIND) return;
    const trim = readTrim(frame.bytes, frame.starts[i]!, frame.ends[i]!);
    if (trim === undefined) return;
    this.trimmedIds.add(trim.segmentId);
    if (trim.lastSeq >= trim.firstSeq) this.trimmed.push({ first: trim.firstSeq, last: trim.lastSeq });
  }

  /** The last number before `seq` that retention dropped; 0 when nobody knows of any. */
  trimmedBefore(seq: number): number {
    return this.trimmed.reduce((most, { last }) => (last < seq ? Math.max(most, last) : most), 0);
  }

  /** Numbers of the range that are neither readable nor trimmed. */
  missing({ first, last }: SeqRange): SeqRange[] {
    const known = [...this.#readable, ...this.trimmed].sort((a, b) => a.first - b.first);
    const missing: SeqRange[] = [];
    let next = first;
    for (const range of known) {
      if (range.first > next) missing.push({ first: next, last: Math.min(range.first - 1, last) });
      next = Math.max(next, range.last + 1);
      if (next > last) break;
    }
    if (next <= last) missing.push({ first: next, last });
    return missing.filter((range) => range.first <= range.last);
  }
}
