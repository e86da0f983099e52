import type { DiskFile, Host } from "../host/host.ts";
import { datasync, step, writeAt } from "./disk-io.ts";
import { segmentName } from "./file-names.ts";
import type { SealedFrame, SealPlace } from "./frame-seal.ts";
import type { Keyring } from "./keyring.ts";
import { encodeSegmentHeader, type IdRange, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";
import type { SegmentKey } from "./segment-key.ts";
import type { ZeroedFile } from "./segment-pool.ts";
import { StorageError } from "./storage-error.ts";

const SALT_BYTES = 32;
/** What the header can say; the data key is to be changed well before. */
const KEY_FRAMES_MAX: number = 2 ** 32 - 1;

/** What a new segment continues. */
export interface SegmentStart {
  readonly id: number;
  readonly firstSeq: number;
  readonly snapshotSeq: number;
  readonly previousHash: Buffer;
  readonly previousId: number;
  readonly previousEnd: number;
  /** Data key of the segment before, and frames it has sealed in all. */
  readonly previousKey: { readonly id: number; readonly frames: number };
  readonly live: readonly IdRange[];
}

/** The segment that frames go to. */
export class ActiveSegment implements SealPlace {
  readonly header: SegmentHeader;
  readonly file: DiskFile;
  readonly key: SegmentKey;
  /** Frames written; the next one's nonce. */
  counter = 0;
  offset: number = SEGMENT_HEADER_BYTES;
  previousHash: Buffer;
  snapshotSeq: number;

  constructor(header: SegmentHeader, file: DiskFile, key: SegmentKey) {
    this.header = header;
    this.file = file;
    this.key = key;
    this.previousHash = header.previousHash;
    this.snapshotSeq = header.snapshotSeq;
  }

  get segmentId(): number {
    return this.header.id;
  }

  get keyId(): number {
    return this.header.keyId;
  }

  /** Frames that its data key has sealed, in this and all earlier segments. */
  get keyFrames(): number {
    return this.header.keyFrames + this.counter;
  }

  get room(): number {
    return this.header.bytes - this.offset;
  }

  /** The frame is durable. */
  advance(frame: SealedFrame): void {
    this.counter++;
    this.offset += frame.bytes.length;
    this.previousHash = frame.hash;
  }
}

/**
 * Makes a segment of a file of zeros: header, sync, name, sync of the directory. Only then may a frame go into it.
 * Its salt is new, so no key and nonce of any earlier segment can come again, whatever a crash left behind.
 */
export async function makeSegment(
  options: { host: Host; directory: string; keyring: Keyring },
  zeroed: ZeroedFile,
  start: SegmentStart,
): Promise<ActiveSegment> {
  const { host, directory, keyring } = options;
  const salt = Buffer.from(host.random.bytes(SALT_BYTES));
  const keyId = keyring.currentKeyId;
  const { previousKey, ...rest } = start;
  const keyFrames = previousKey.id === keyId ? Math.min(previousKey.frames, KEY_FRAMES_MAX) : 0;
  const header: SegmentHeader = { ...rest, journalId: keyring.journalId, keyId, keyFrames, bytes: zeroed.bytes, salt };
  const key = keyring.segmentKey(keyId, salt);
  if (key === undefined) throw new StorageError("configuration", `The keyring has no data key ${keyId}.`);
  const path = `${directory}/${segmentName(start.id)}`;
  await step("making", path, async () => {
    await writeAt(zeroed.file, encodeSegmentHeader(header), 0);
    await datasync(zeroed.file);
    await host.disk.rename(zeroed.path, path);
    await host.disk.syncDirectory(directory);
  });
  return new ActiveSegment(header, zeroed.file, key);
}
