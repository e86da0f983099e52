import type { DirectoryLock, DiskFile, Host } from "../host/host.ts";
import { type CheckedCheckpoint, CheckpointChecks } from "./checkpoint-checks.ts";
import { checkDirectory, lockDirectory } from "./data-directory.ts";
import { readAt, step } from "./disk-io.ts";
import { KEYRING_FILE, segmentName } from "./file-names.ts";
import { decodeExtension } from "./frame-extension.ts";
import { readHead } from "./head-file.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { readKeyringFile } from "./keyring-file.ts";
import { isZero } from "./little-endian.ts";
import { recordRoot } from "./record-tree.ts";
import { readSegmentHeaders } from "./segment-files.ts";
import { type IdRange, idRanges, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";
import type { SegmentKey } from "./segment-key.ts";
import { type ScannedFrame, type ScanResult, scanSegment, scanStart } from "./segment-scan.ts";
import { StorageError } from "./storage-error.ts";
import { judgeTail, ZEROS_WITHOUT_HEAD } from "./torn-tail.ts";
import { TreeScan } from "./tree-scan.ts";
import { readTrim, TRIM_KIND, type Trim } from "./trim-record.ts";

/** A run of bytes that hold no frame: zeros for frames to come, or what a crash left of one. */
interface EmptyBytes {
  readonly segment: number;
  readonly from: number;
  readonly to: number;
  readonly what: "zeros" | "torn";
}

/** The first place where the journal is not what was written. */
export interface BadPosition {
  readonly file: string;
  readonly segment: number;
  readonly offset: number;
  readonly seq: number;
  readonly reason: string;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly problem: BadPosition | undefined;
  readonly segments: number;
  readonly frames: number;
  readonly records: number;
  /** Records of which a part went with the key of its erasure domain. */
  readonly erased: number;
  readonly firstSeq: number;
  readonly lastSeq: number;
  /** Chain hash after the last record, hex. */
  readonly headHash: string;
  /** Dropped segments whose trim records were found, oldest first. */
  readonly trims: readonly { readonly segment: number; readonly firstSeq: number; readonly lastSeq: number }[];
  readonly emptyBytes: readonly EmptyBytes[];
  /** True without the key-encryption key: chain, sums and places were checked; what is inside the frames was not. */
  readonly keyless: boolean;
  /** The tree of frames as it was found; `root` in hex. */
  readonly tree: { readonly size: number; readonly root: string };
  /** Files whose checkpoints the tree was compared with, and what came of it. */
  readonly checkpoints: readonly CheckedCheckpoint[];
  /** Segments that are gone, where nobody without the key can tell whether a trim record accounts for them. */
  readonly unexplained: readonly IdRange[];
}

export interface VerifyOptions {
  readonly host: Host;
  readonly directory: string;
  /** 32 bytes. `undefined`: what can be checked without a key. Anybody can make a journal that passes that. */
  readonly kek: Uint8Array | undefined;
  /** A checkpoint from outside, compared besides the directory's own. */
  readonly checkpointFile?: string;
  readonly onProgress?: (done: number, total: number) => void;
}

/**
 * Checks everything, offline, and changes nothing: each frame's sums, chain, text and numbers, and that bytes which
 * carry nothing are zeros. Rejects with a `StorageError` only for what keeps it from checking: the lock, keys, rights.
 */
export async function verifyJournal(options: VerifyOptions): Promise<VerifyReport> {
  const { host, directory } = options;
  await checkDirectory(host, directory);
  const lock: DirectoryLock = await lockDirectory(host, directory);
  try {
    const { kek } = options;
    const keyring = kek === undefined ? undefined : await openKeyring({ host, directory, kek, create: false });
    const journalId = keyring?.journalId ?? (await readJournalId(host, directory));
    const checks = await CheckpointChecks.open({ host, directory, keyring, file: options.checkpointFile });
    return await new Verification(options, { journalId, keyring }, checks).run();
  } finally {
    await lock.release();
  }
}

interface Ring {
  readonly journalId: Buffer;
  /** `undefined`: nothing is opened. */
  readonly keyring: Keyring | undefined;
}

/** The id is in clear in the keyring. */
async function readJournalId(host: Host, directory: string): Promise<Buffer> {
  const content = await readKeyringFile(host, directory);
  if (content !== undefined) return Buffer.from(content.journal, "base64");
  const file = `${directory}/${KEYRING_FILE}`;
  throw new StorageError("damaged", `The keyring of ${directory} is missing. Restore it from a backup.`, { file });
}

class Verification {
  readonly #options: VerifyOptions;
  readonly #ring: Ring;
  readonly #checks: CheckpointChecks;
  readonly #trims: Trim[] = [];
  readonly #empty: EmptyBytes[] = [];
  readonly #unexplained: number[] = [];
  #head: Awaited<ReturnType<typeof readHead>>;
  #problem: BadPosition | undefined;
  #segments = 0;
  #frames = 0;
  #records = 0;
  #erased = 0;
  #firstSeq = 0;
  #lastSeq = 0;
  #hash: Buffer = Buffer.alloc(32);

  constructor(options: VerifyOptions, ring: Ring, checks: CheckpointChecks) {
    this.#options = options;
    this.#ring = ring;
    this.#checks = checks;
  }

  async run(): Promise<VerifyReport> {
    try {
      await this.#checkAll();
    } catch (error) {
      if (!(error instanceof StorageError) || error.code !== "damaged") throw error;
      const { file = "", segment = 0, offset = 0, seq = this.#lastSeq + 1 } = error.detail;
      this.#problem ??= {
        file: String(file),
        segment: Number(segment),
        offset: Number(offset),
        seq: Number(seq),
        reason: error.message,
      };
    }
    return {
      ok: this.#problem === undefined,
      problem: this.#problem,
      segments: this.#segments,
      frames: this.#frames,
      records: this.#records,
      erased: this.#erased,
      firstSeq: this.#firstSeq,
      lastSeq: this.#lastSeq,
      headHash: this.#hash.toString("hex"),
      trims: this.#trims.map(({ segmentId, firstSeq, lastSeq }) => ({ segment: segmentId, firstSeq, lastSeq })),
      emptyBytes: this.#empty,
      keyless: this.#ring.keyring === undefined,
      tree: this.#checks.tree,
      checkpoints: this.#checks.results,
      unexplained: idRanges(this.#unexplained),
    };
  }

  async #checkAll(): Promise<void> {
    const { host, directory, onProgress } = this.#options;
    this.#head = await readHead(host, directory);
    const headers = await readSegmentHeaders(host, directory, this.#ring.journalId);
    const total = headers.reduce((sum, header) => sum + header.bytes, 0);
    let done = 0;
    for (const [i, header] of headers.entries()) {
      await this.#checkSegment(header, headers.slice(i + 1));
      if (this.#problem !== undefined) return;
      done += header.bytes;
      onProgress?.(done, total);
    }
    this.#checkGaps(headers);
    this.#checkHead();
    const { problem } = this.#checks;
    if (problem !== undefined) this.#problem ??= { ...problem, segment: 0, offset: 0, seq: 0 };
  }

  async #checkSegment(header: SegmentHeader, later: readonly SegmentHeader[]): Promise<void> {
    const { keyring } = this.#ring;
    const key = keyring?.segmentKey(header.keyId, header.salt);
    if (keyring !== undefined && key === undefined) {
      this.#bad(header, 0, `its data key ${header.keyId} is not in the keyring`);
      return;
    }
    const next = later.find((one) => one.previousId === header.id);
    await this.#withFile(header, async (file) => {
      const tree = new TreeScan();
      const visit = (scanned: ScannedFrame): void => {
        this.#count(scanned);
        tree.visit(scanned);
        this.#checkRecords(header, key, scanned);
      };
      const end = next?.previousEnd;
      const result = await scanSegment({ file, header, key, end, thorough: true, visit });
      if (next !== undefined) await this.#checkSealed({ header, next, file, result });
      else await this.#checkTail({ header, newest: later.length === 0, file, result });
      if (result.seq < header.firstSeq || this.#problem !== undefined) return;
      this.#lastSeq = result.seq;
      this.#hash = result.hash;
      const problem = this.#checks.segment(tree.state?.whole, tree.finish(result.hash));
      if (problem !== undefined) this.#bad(header, SEGMENT_HEADER_BYTES, problem);
    });
    this.#segments++;
  }

  async #checkSealed(at: {
    header: SegmentHeader;
    next: SegmentHeader;
    file: DiskFile;
    result: ScanResult;
  }): Promise<void> {
    const { header, next, file, result } = at;
    if (result.problem !== undefined) this.#bad(header, result.offset, result.problem, result.seq + 1);
    else if (result.seq + 1 !== next.firstSeq || result.hash.compare(next.previousHash) !== 0) {
      this.#bad(header, result.offset, `segment ${next.id} does not continue it`, result.seq + 1);
    } else {
      // What a torn write left here was judged before the next segment sealed this one.
      await this.#listEmpty(header, result.offset, file);
    }
  }

  async #checkTail(at: { header: SegmentHeader; newest: boolean; file: DiskFile; result: ScanResult }): Promise<void> {
    const { header, newest, file, result } = at;
    const verdict = await judgeTail({
      file,
      segmentBytes: header.bytes,
      expected: {
        segmentId: header.id,
        keyId: header.keyId,
        counter: result.counter,
        offset: result.offset,
        firstSeq: result.seq + 1,
        previousHash: result.hash,
      },
      zerosNeeded: this.#head === undefined ? ZEROS_WITHOUT_HEAD : 1,
    });
    // An older segment that nothing continues was empty when the next one was made: its bytes never counted.
    const counts = newest || result.seq >= scanStart(header).seq + 1;
    if (verdict.kind === "damaged" && counts) {
      const reason = `${result.problem ?? "the bytes after the last frame are not zero"}: ${verdict.reason}`;
      this.#bad(header, verdict.offset, reason, result.seq + 1);
    } else await this.#listEmpty(header, result.offset, file);
  }

  async #listEmpty(header: SegmentHeader, from: number, file: DiskFile): Promise<void> {
    if (from === header.bytes) return;
    const piece = Buffer.allocUnsafe(Math.min(1_024 * 1_024, header.bytes - from));
    let zero = true;
    for (let at = from; at < header.bytes && zero; at += piece.length) {
      const length = Math.min(piece.length, header.bytes - at);
      await readAt(file, piece.subarray(0, length), at);
      zero = isZero(piece, 0, length);
    }
    this.#empty.push({ segment: header.id, from, to: header.bytes, what: zero ? "zeros" : "torn" });
  }

  /** A root over records is that of these records; with something erased nobody can make it any more. */
  #checkRecords(segment: SegmentHeader, key: SegmentKey | undefined, { header, frame, extension }: ScannedFrame): void {
    const said = decodeExtension(extension).recordRoot;
    if (said === undefined || key === undefined || frame.erased !== undefined) return;
    if (recordRoot(frame, { key, counter: header.counter }).equals(said)) return;
    this.#bad(segment, header.offset, "the root over the frame's records is another", header.firstSeq);
  }

  #count({ header, frame }: ScannedFrame): void {
    this.#frames++;
    this.#records += header.count;
    this.#erased += frame.erased?.reduce((sum, one) => sum + one, 0) ?? 0;
    if (this.#firstSeq === 0) this.#firstSeq = header.firstSeq;
    for (let i = 0; i < frame.count; i++) {
      if (frame.kinds[i] !== TRIM_KIND) continue;
      const trim = readTrim(frame.bytes, frame.starts[i]!, frame.ends[i]!);
      if (trim !== undefined) this.#trims.push(trim);
    }
  }

  /** Every segment that was made and is not here must have a trim record or lie before all that is here. */
  #checkGaps(headers: readonly SegmentHeader[]): void {
    const newest = headers.at(-1);
    if (newest === undefined) return;
    const here = new Set(headers.map((header) => header.id));
    const trimmed = new Map(this.#trims.map((trim) => [trim.segmentId, trim]));
    for (const { first, last } of newest.live) {
      for (let id = first; id <= Math.min(last, newest.id); id++) {
        if (here.has(id) || trimmed.has(id)) continue;
        if (this.#ring.keyring === undefined) {
          this.#unexplained.push(id);
          continue;
        }
        const file = `${this.#options.directory}/${segmentName(id)}`;
        this.#problem ??= { file, segment: id, offset: 0, seq: 0, reason: "the segment is missing" };
      }
    }
    for (const header of headers) {
      const before = trimmed.get(header.previousId);
      if (before === undefined || before.endHash.compare(header.previousHash) === 0) continue;
      this.#bad(header, 0, `it does not continue segment ${before.segmentId} as its trim record ends it`);
    }
  }

  #checkHead(): void {
    const { directory } = this.#options;
    const head = this.#head;
    if (head === undefined || head.seq < this.#lastSeq) return;
    if (head.seq === this.#lastSeq && (head.seq === 0 || head.hash.compare(this.#hash) === 0)) return;
    const reason = `HEAD says that record ${head.seq} was acknowledged, and the journal does not hold it`;
    this.#problem ??= {
      file: `${directory}/${segmentName(head.segmentId)}`,
      segment: head.segmentId,
      offset: head.offset,
      seq: head.seq,
      reason,
    };
  }

  #bad(header: SegmentHeader, offset: number, reason: string, seq: number = header.firstSeq): void {
    const file = `${this.#options.directory}/${segmentName(header.id)}`;
    this.#problem ??= { file, segment: header.id, offset, seq, reason };
  }

  async #withFile(header: SegmentHeader, use: (file: DiskFile) => Promise<void>): Promise<void> {
    const path = `${this.#options.directory}/${segmentName(header.id)}`;
    await step("reading", path, async () => {
      const file = await this.#options.host.disk.open(path, "read");
      try {
        await use(file);
      } finally {
        await file.close();
      }
    });
  }
}
