import type { DiskFile, Host } from "../host/host.ts";
import type { JournalFrame } from "../model/journal.ts";
import { readAt, step } from "./disk-io.ts";
import { classifyFile, segmentName } from "./file-names.ts";
import { FileWindow } from "./file-window.ts";
import { readFrameHeader } from "./frame-format.ts";
import { frameDamage, openFrame } from "./frame-open.ts";
import type { Keyring } from "./keyring.ts";
import { SECTOR } from "./sector-checksum.ts";
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";
import type { SegmentKey } from "./segment-key.ts";

const WINDOW_BYTES = 1_024 * 1_024;

export interface SalvageOptions {
  readonly host: Host;
  readonly directory: string;
  readonly keyring: Keyring;
  readonly onProgress?: (done: number, total: number) => void;
}

/** A segment whose header can be read. */
interface ReadableSegment {
  readonly header: SegmentHeader;
  /** Bytes of the file, which may be cut short. */
  readonly bytes: number;
}

export interface ReadableSegments {
  readonly segments: readonly ReadableSegment[];
  /** Files that are named like segments and whose header says nothing. */
  readonly unreadable: readonly number[];
}

/** The segments of a damaged journal, oldest first. */
export async function findSegments({ host, directory, keyring }: SalvageOptions): Promise<ReadableSegments> {
  const names = await step("listing", directory, () => host.disk.list(directory));
  const ids = names.flatMap((name) => {
    const kind = classifyFile(name);
    return kind.kind === "segment" ? [kind.id] : [];
  });
  const segments: ReadableSegment[] = [];
  const unreadable: number[] = [];
  for (const id of ids.sort((a, b) => a - b)) {
    const path = `${directory}/${segmentName(id)}`;
    const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
    const size = (await step("looking at", path, () => host.disk.stat(path)))?.size ?? 0;
    await withFile(host, path, (file) => readAt(file, bytes, 0));
    const decoded = decodeSegmentHeader(bytes);
    const isOurs = decoded.ok && decoded.header.id === id && decoded.header.journalId.equals(keyring.journalId);
    if (isOurs) segments.push({ header: decoded.header, bytes: size });
    else unreadable.push(id);
  }
  return { segments, unreadable };
}

/**
 * Every frame that can be read, in the order of its records, each whole and opened by its key: damage in between is
 * passed over, sector by sector. What lies past the end of a segment that the next one sealed never counted.
 */
export async function* salvageFrames(
  options: SalvageOptions,
  { segments }: ReadableSegments,
): AsyncGenerator<JournalFrame> {
  const { host, directory, keyring, onProgress } = options;
  const total = segments.reduce((sum, { bytes }) => sum + bytes, 0);
  let done = 0;
  let last = 0;
  for (const [i, { header, bytes }] of segments.entries()) {
    const key = keyring.segmentKey(header.keyId, header.salt);
    const next = segments.slice(i + 1).find((later) => later.header.previousId === header.id);
    const end = Math.min(bytes, next?.header.previousEnd ?? bytes);
    if (key !== undefined) {
      const path = `${directory}/${segmentName(header.id)}`;
      const file = await step("opening", path, () => host.disk.open(path, "read"));
      try {
        for await (const frame of framesOf({ file, header, key, end })) {
          if (frame.firstSeq <= last) continue;
          last = frame.firstSeq + frame.count - 1;
          yield frame;
        }
      } finally {
        await file.close();
      }
    }
    done += bytes;
    onProgress?.(done, total);
  }
}

async function* framesOf(segment: {
  readonly file: DiskFile;
  readonly header: SegmentHeader;
  readonly key: SegmentKey;
  readonly end: number;
}): AsyncGenerator<JournalFrame> {
  const { file, header, key, end } = segment;
  const window = new FileWindow(file, end, WINDOW_BYTES);
  for (let offset = SEGMENT_HEADER_BYTES; offset + SECTOR <= end; ) {
    const found = await frameAt(window, { offset, segmentId: header.id, key });
    if (found === undefined) {
      offset += SECTOR;
      continue;
    }
    yield found.frame;
    offset += found.bytes;
  }
}

async function frameAt(
  window: FileWindow,
  place: { readonly offset: number; readonly segmentId: number; readonly key: SegmentKey },
): Promise<{ readonly frame: JournalFrame; readonly bytes: number } | undefined> {
  const { offset, segmentId, key } = place;
  const first = await window.show(offset, SECTOR);
  const header = first < 0 ? undefined : readFrameHeader(window.current.bytes, first);
  if (header === undefined || header.segmentId !== segmentId || header.offset !== offset) return undefined;
  const at = await window.show(offset, header.frameBytes);
  const whole = at < 0 ? undefined : readFrameHeader(window.current.bytes, at);
  if (whole === undefined || frameDamage(window.current, at, whole) !== undefined) return undefined;
  const frame = openFrame(window.current.bytes, at, whole, key);
  return frame === undefined ? undefined : { frame, bytes: whole.frameBytes };
}

async function withFile<T>(host: Host, path: string, use: (file: DiskFile) => Promise<T>): Promise<T> {
  return step("reading", path, async () => {
    const file = await host.disk.open(path, "read");
    try {
      return await use(file);
    } finally {
      await file.close();
    }
  });
}
