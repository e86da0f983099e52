import type { DiskFile, Host } from "../host/host.ts";
import { datasync, readAt, step, writeAt } from "./disk-io.ts";
import { HEAD_FILE, segmentName } from "./file-names.ts";
import { readHead } from "./head-file.ts";
import { emptyTree, type RecoveredTree } from "./journal-tree.ts";
import type { Keyring } from "./keyring.ts";
import type { LeafNodes } from "./leaf-nodes.ts";
import type { Span } from "./leaf-span.ts";
import type { SegmentEntry } from "./segment-catalogue.ts";
import { readSegmentHeaders } from "./segment-files.ts";
import { SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";
import { SegmentIndex } from "./segment-index.ts";
import { type ScanPosition, scanSegment, scanStart } from "./segment-scan.ts";
import { StorageError } from "./storage-error.ts";
import { judgeTail, ZEROS_WITHOUT_HEAD } from "./torn-tail.ts";
import { recoveredTree, TreeScan } from "./tree-scan.ts";
import { readTrim, TRIM_KIND } from "./trim-record.ts";

/** Segments before the snapshot are verified at start while they are this small together; else on use and by `verify`. */
const VERIFY_OLDER_BYTES = 32 * 1_024 * 1_024;

export interface RecoveryOptions {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
  /** Where a journal without any segment ends; 0 if not given. */
  readonly startAfter?: number;
}

/** Where the journal ends and what it holds. */
export interface Recovered {
  readonly entries: readonly SegmentEntry[];
  /** Segments whose trim is durable and whose file is still there. */
  readonly leftovers: readonly SegmentHeader[];
  readonly lastSeq: number;
  readonly lastHash: Buffer;
  /** Last segment with a frame and where its frames end; 0 and 0 in a new journal. */
  readonly lastFilledId: number;
  readonly lastFilledEnd: number;
  /** Highest id in use; 0 in a new journal. */
  readonly newestId: number;
  readonly snapshotSeq: number;
  readonly tornBytes: number;
  readonly headGeneration: number;
  readonly tree: RecoveredTree;
  /** Data key of the newest segment, and frames it has sealed in all. */
  readonly newestKey: { readonly id: number; readonly frames: number };
}

interface Scanned {
  readonly position: ScanPosition;
  readonly problem: string | undefined;
  readonly index: SegmentIndex;
  readonly lastFrameAt: number;
  readonly trims: ReadonlySet<number>;
}

type Head = Awaited<ReturnType<typeof readHead>>;

/**
 * Finds the end of the journal, checks what replay will read, and changes nothing but this: a last frame that HEAD
 * does not know as durable is written once more, in place, with the same bytes (F8). Crashing here any number of
 * times changes no outcome.
 */
export async function recover(options: RecoveryOptions): Promise<Recovered> {
  const { host, directory, keyring } = options;
  const head = await readHead(host, directory);
  const headers = await readSegmentHeaders(host, directory, keyring.journalId);
  const newest = headers.at(-1);
  if (head !== undefined && head.journalId.compare(keyring.journalId) !== 0) {
    throw headDamage(directory, "it belongs to another journal");
  }
  if (newest === undefined) {
    if (head !== undefined && head.seq > 0)
      throw headDamage(directory, `it names record ${head.seq}, and there is no segment`);
    return emptyJournal(head?.generation ?? 0, options.startAfter ?? 0);
  }
  return new Recovery(options, headers, head).run(newest);
}

function headDamage(directory: string, what: string): StorageError {
  const message = `The journal in ${directory} does not hold what its HEAD file says was durable: ${what}. Restore it from a backup.`;
  return new StorageError("damaged", message, { file: `${directory}/${HEAD_FILE}` });
}

function emptyJournal(headGeneration: number, lastSeq: number): Recovered {
  return {
    entries: [],
    leftovers: [],
    lastSeq,
    lastHash: Buffer.alloc(32),
    lastFilledId: 0,
    lastFilledEnd: 0,
    newestId: 0,
    snapshotSeq: 0,
    tornBytes: 0,
    headGeneration,
    tree: emptyTree(),
    newestKey: { id: 0, frames: 0 },
  };
}

class Recovery {
  readonly #options: RecoveryOptions;
  readonly #headers: readonly SegmentHeader[];
  readonly #head: Head;
  /** Of the segments that were read, by id. */
  readonly #trees: Map<number, { readonly scan: TreeScan; readonly nodes: LeafNodes | undefined }> = new Map();

  constructor(options: RecoveryOptions, headers: readonly SegmentHeader[], head: Head) {
    this.#options = options;
    this.#headers = headers;
    this.#head = head;
  }

  async run(newest: SegmentHeader): Promise<Recovered> {
    const tail = await this.#scan(newest, undefined);
    const { kept, leftovers } = this.#split(newest, tail.trims);
    const empty = tail.position.seq < newest.firstSeq;
    const snapshotSeq = Math.max(tail.position.snapshotSeq, this.#head?.snapshotSeq ?? 0);
    const tornBytes = await this.#judge(newest, tail);
    const older = kept.filter((header) => header.id !== newest.id);
    const entries = await this.#verifyOlder(older, newest, snapshotSeq);
    const last = empty
      ? { id: newest.previousId, end: newest.previousEnd }
      : { id: newest.id, end: tail.position.offset };
    this.#checkHead(tail.position, last);
    if (!empty) await this.#makeDurable(newest, tail);
    entries.push(entryOf(newest, tail));
    return {
      entries,
      leftovers,
      lastSeq: tail.position.seq,
      lastHash: tail.position.hash,
      lastFilledId: last.id,
      lastFilledEnd: last.end,
      newestId: newest.id,
      snapshotSeq,
      tornBytes,
      headGeneration: this.#head?.generation ?? 0,
      tree: this.#tree(last.id),
      newestKey: { id: newest.keyId, frames: newest.keyFrames + tail.position.counter },
    };
  }

  #tree(lastId: number): RecoveredTree {
    const last = this.#trees.get(lastId);
    const tree = recoveredTree(lastId, last?.scan, last?.nodes);
    const spans = new Map<number, Span>();
    for (const [id, { nodes }] of this.#trees) if (nodes !== undefined) spans.set(id, nodes.span);
    return { ...tree, spans };
  }

  /** Splits the files by what the newest header and the trims after it say; a missing one is damage. */
  #split(newest: SegmentHeader, trims: ReadonlySet<number>): { kept: SegmentHeader[]; leftovers: SegmentHeader[] } {
    const { directory } = this.#options;
    const live = new Set<number>();
    for (const { first, last } of newest.live) {
      for (let id = first; id <= last && id <= newest.id; id++) if (!trims.has(id)) live.add(id);
    }
    const there = new Set(this.#headers.map((header) => header.id));
    for (const id of live) {
      if (there.has(id)) continue;
      const path = `${directory}/${segmentName(id)}`;
      throw new StorageError("damaged", `Segment ${id} (${path}) is missing. Restore it from a backup.`, {
        file: path,
        segment: id,
      });
    }
    const kept = this.#headers.filter((header) => live.has(header.id));
    return { kept, leftovers: this.#headers.filter((header) => !live.has(header.id)) };
  }

  /** Verifies what replay will read: from the segment of the snapshot on, and older ones while they are small. */
  async #verifyOlder(
    older: readonly SegmentHeader[],
    newest: SegmentHeader,
    snapshotSeq: number,
  ): Promise<SegmentEntry[]> {
    const entries: SegmentEntry[] = [];
    const all = [...older, newest];
    const start = all.findLastIndex((header) => header.firstSeq <= Math.max(snapshotSeq, 1));
    const small =
      older.slice(0, Math.max(start, 0)).reduce((sum, header) => sum + header.bytes, 0) <= VERIFY_OLDER_BYTES;
    for (const [i, header] of older.entries()) {
      const next = all.slice(i + 1).find((later) => later.previousId === header.id);
      // Nothing names it as its predecessor: it holds no frame, or the segments that did are dropped.
      const following = all[i + 1]!;
      const sealed = next ?? (following.firstSeq === header.firstSeq ? undefined : following);
      if (next !== undefined && (i >= start || small)) entries.push(await this.#verifySealed(header, next));
      else entries.push(unverified(header, sealed, next !== undefined));
    }
    return entries;
  }

  /** A segment with a successor ends exactly where the successor says. */
  async #verifySealed(header: SegmentHeader, next: SegmentHeader): Promise<SegmentEntry> {
    const scanned = await this.#scan(header, next.previousEnd);
    const { position, problem } = scanned;
    if (problem !== undefined) throw this.#damage(header, position, problem);
    if (position.seq + 1 !== next.firstSeq || position.hash.compare(next.previousHash) !== 0) {
      throw this.#damage(header, position, `segment ${next.id} does not continue it`);
    }
    return entryOf(header, scanned);
  }

  /** Bytes of a torn tail; rejects when the tail is damaged instead. */
  async #judge(newest: SegmentHeader, tail: Scanned): Promise<number> {
    if (tail.problem === undefined) return 0;
    const { position } = tail;
    const verdict = await this.#withFile(newest, "read", (file) =>
      judgeTail({
        file,
        segmentBytes: newest.bytes,
        expected: {
          segmentId: newest.id,
          keyId: newest.keyId,
          counter: position.counter,
          offset: position.offset,
          firstSeq: position.seq + 1,
          previousHash: position.hash,
        },
        zerosNeeded: this.#head === undefined ? ZEROS_WITHOUT_HEAD : 1,
      }),
    );
    if (verdict.kind === "damaged") {
      const problem = `${tail.problem}, and it is no torn write: ${verdict.reason}`;
      throw this.#damage(newest, { ...position, offset: verdict.offset }, problem);
    }
    return verdict.kind === "torn" ? verdict.bytes : 0;
  }

  /** HEAD names records that were acknowledged: they must be here, in the same chain. */
  #checkHead(position: ScanPosition, last: { id: number; end: number }): void {
    const head = this.#head;
    if (head === undefined || head.seq < position.seq) return;
    const { directory } = this.#options;
    if (head.seq > position.seq) {
      throw new StorageError(
        "damaged",
        `Records ${position.seq + 1} to ${head.seq} were acknowledged and are gone: the journal ends in segment ` +
          `${last.id} at byte ${last.end}. Restore it from a backup.`,
        { file: `${directory}/${segmentName(last.id)}`, segment: last.id, offset: last.end, seq: position.seq + 1 },
      );
    }
    if (head.hash.compare(position.hash) !== 0)
      throw headDamage(directory, `record ${head.seq} has another chain hash`);
  }

  /**
   * After a failed sync the page cache can show bytes that are not on disk. Only the last frame can be such: each one
   * before it was synced before the next was written. Writing the same bytes again makes them dirty again.
   */
  async #makeDurable(newest: SegmentHeader, tail: Scanned): Promise<void> {
    if (this.#head !== undefined && this.#head.seq >= tail.position.seq) return;
    const bytes = Buffer.allocUnsafe(tail.position.offset - tail.lastFrameAt);
    await this.#withFile(newest, "readwrite", async (file) => {
      await readAt(file, bytes, tail.lastFrameAt);
      await writeAt(file, bytes, tail.lastFrameAt);
      await datasync(file);
    });
  }

  async #scan(header: SegmentHeader, end: number | undefined): Promise<Scanned> {
    const key = this.#options.keyring.segmentKey(header.keyId, header.salt);
    if (key === undefined) {
      throw this.#damage(header, scanStart(header), `its data key ${header.keyId} is not in the keyring`);
    }
    const index = new SegmentIndex();
    const trims = new Set<number>();
    const tree = new TreeScan();
    let lastFrameAt = SEGMENT_HEADER_BYTES;
    const result = await this.#withFile(header, "read", (file) =>
      scanSegment({
        file,
        header,
        key,
        end,
        thorough: true,
        visit: (scanned) => {
          const { header: at, frame } = scanned;
          index.add(at.firstSeq, at.offset, at.frameBytes);
          lastFrameAt = at.offset;
          tree.visit(scanned);
          for (let i = 0; i < frame.count; i++) {
            if (frame.kinds[i] !== TRIM_KIND) continue;
            const trim = readTrim(frame.bytes, frame.starts[i]!, frame.ends[i]!);
            if (trim !== undefined) trims.add(trim.segmentId);
          }
        },
      }),
    );
    this.#trees.set(header.id, { scan: tree, nodes: tree.finish(result.hash) });
    return { position: result, problem: result.problem, index, lastFrameAt, trims };
  }

  async #withFile<T>(
    header: SegmentHeader,
    how: "read" | "readwrite",
    use: (file: DiskFile) => Promise<T>,
  ): Promise<T> {
    const path = `${this.#options.directory}/${segmentName(header.id)}`;
    return step("reading", path, async () => {
      const file = await this.#options.host.disk.open(path, how);
      try {
        return await use(file);
      } finally {
        await file.close();
      }
    });
  }

  #damage(header: SegmentHeader, position: ScanPosition, problem: string): StorageError {
    const path = `${this.#options.directory}/${segmentName(header.id)}`;
    const seq = position.seq + 1;
    return new StorageError(
      "damaged",
      `Segment ${header.id} (${path}) is damaged at byte ${position.offset}, record ${seq}: ${problem}. ` +
        "Nothing was changed. Run `mess verify` for a full check, and restore the directory from a backup.",
      { file: path, segment: header.id, offset: position.offset, seq },
    );
  }
}

function entryOf(header: SegmentHeader, scanned: Scanned): SegmentEntry {
  return {
    header,
    lastSeq: scanned.position.seq,
    end: scanned.position.offset,
    endHash: scanned.position.hash,
    active: false,
    dropping: false,
    index: scanned.index,
  };
}

/** An old segment that nothing has read yet: its end is known when the segment after it was not dropped. */
function unverified(header: SegmentHeader, next: SegmentHeader | undefined, adjacent: boolean): SegmentEntry {
  const empty = next === undefined;
  return {
    header,
    lastSeq: empty ? header.firstSeq - 1 : next.firstSeq - 1,
    end: empty ? SEGMENT_HEADER_BYTES : adjacent ? next.previousEnd : undefined,
    endHash: empty ? header.previousHash : adjacent ? next.previousHash : undefined,
    active: false,
    dropping: false,
    index: empty ? new SegmentIndex() : undefined,
  };
}
