import type { DiskFile } from "../host/host.ts";
import { readAt } from "./disk-io.ts";
import {
  FRAME_HEADER_BYTES,
  type FrameHeader,
  readFrameHeader,
  readFrameTrailer,
  tableCrc,
  tableStart,
} from "./frame-format.ts";
import { type ExpectedFrame, frameWindow, headerMismatch } from "./frame-open.ts";
import { isZero } from "./little-endian.ts";
import { type FrameWords, SECTOR, sectorIsGood } from "./sector-checksum.ts";

const PIECE = 1_024 * 1_024;

/** `zerosNeeded` while HEAD is missing or unreadable. */
export const ZEROS_WITHOUT_HEAD = 8;

/** What lies after the last valid frame of the newest segment. */
export type TailVerdict =
  | { readonly kind: "clean" }
  /** What a crash in the middle of one frame's write can leave. `bytes` carry nothing. */
  | { readonly kind: "torn"; readonly bytes: number }
  | { readonly kind: "damaged"; readonly reason: string; readonly offset: number };

export interface TailQuestion {
  readonly file: DiskFile;
  readonly segmentBytes: number;
  /** The frame that would come next; its `offset` is where the tail begins. */
  readonly expected: ExpectedFrame;
  /**
   * Zero bytes at the end of a bad sector that count as "not written to its end". One is enough while HEAD says what
   * must be there; without HEAD rot must not pass for a torn sector.
   */
  readonly zerosNeeded: number;
}

/** What a look at every sector of the tail gathers. */
interface TailSurvey {
  /** Byte past the last sector that is not zero; the tail's start when all are. */
  readonly usedEnd: number;
  /** A whole header of another frame after the tail's start, or -1. */
  readonly otherHeaderAt: number;
  /** A whole trailer whose frame does not begin at the tail's start, or -1. */
  readonly otherTrailerAt: number;
}

/**
 * Tells a torn write from damage (RELIABILITY F1, F3, F4). One frame is in flight at a time, it goes onto zeros, and
 * a frame never holds a sector of zeros. So after a crash each sector of the unfinished frame is whole, zero, or (at
 * most one, when a device tears sectors) written up to some byte; nothing follows. All else is damage.
 */
export async function judgeTail(question: TailQuestion): Promise<TailVerdict> {
  const { expected } = question;
  const survey = await surveyTail(question);
  if (survey.usedEnd === expected.offset) return { kind: "clean" };
  const damaged = (reason: string, offset: number = expected.offset): TailVerdict => {
    return { kind: "damaged", reason, offset };
  };
  const { otherHeaderAt, otherTrailerAt } = survey;
  if (otherHeaderAt >= 0) return damaged(`another frame follows at byte ${otherHeaderAt}`);
  if (otherTrailerAt >= 0) return damaged(`another frame ends at byte ${otherTrailerAt}`);
  const length = survey.usedEnd - expected.offset;
  const window = frameWindow(length);
  await readAt(question.file, window.bytes, expected.offset);
  const header = readFrameHeader(window.bytes, 0);
  if (header === undefined) return judgeHeadless(question, window.bytes);
  const mismatch = headerMismatch(header, expected);
  if (mismatch !== undefined) return damaged(mismatch);
  if (length > header.frameBytes)
    return damaged("bytes follow an unfinished frame", expected.offset + header.frameBytes);
  return judgeSectors(question, window, header);
}

async function surveyTail(question: TailQuestion): Promise<TailSurvey> {
  const { file, segmentBytes, expected } = question;
  let usedEnd = expected.offset;
  let otherHeaderAt = -1;
  let otherTrailerAt = -1;
  const { bytes } = frameWindow(Math.min(PIECE, segmentBytes - expected.offset));
  for (let start = expected.offset; start < segmentBytes; start += PIECE) {
    const length = Math.min(PIECE, segmentBytes - start);
    await readAt(file, bytes.subarray(0, length), start);
    if (isZero(bytes, 0, length)) continue;
    for (let at = 0; at + SECTOR <= length; at += SECTOR) {
      if (isZero(bytes, at, at + SECTOR)) continue;
      const place = start + at;
      usedEnd = place + SECTOR;
      const header = readFrameHeader(bytes, at);
      if (header !== undefined && place !== expected.offset && otherHeaderAt < 0) otherHeaderAt = place;
      const trailer = readFrameTrailer(bytes, at + SECTOR);
      if (trailer === undefined || otherTrailerAt >= 0) continue;
      const ours = usedEnd - trailer.frameBytes === expected.offset && trailer.firstSeq === expected.firstSeq;
      if (!ours) otherTrailerAt = usedEnd;
    }
  }
  return { usedEnd, otherHeaderAt, otherTrailerAt };
}

/** The frame's first sector is not there, or only its first bytes are. */
function judgeHeadless(question: TailQuestion, bytes: Buffer): TailVerdict {
  // A sector written up to some byte lacks its header only when it ends within the header.
  if (isZero(bytes, FRAME_HEADER_BYTES, SECTOR)) return { kind: "torn", bytes: bytes.length };
  const { offset } = question.expected;
  return { kind: "damaged", reason: "there is no valid frame header, and the bytes are not zero", offset };
}

function judgeSectors(
  question: TailQuestion,
  window: ReturnType<typeof frameWindow>,
  header: FrameHeader,
): TailVerdict {
  const { frameBytes } = header;
  const start = question.expected.offset;
  // Sectors past the last one that is not zero were not read; they are zero.
  const whole = window.bytes.length === frameBytes;
  const table = tableStart(frameBytes);
  const sectors = frameBytes / SECTOR;
  const frame: FrameWords = { words: window.words, base: 0, table: table / 4, sectors };
  const trailer = whole ? readFrameTrailer(window.bytes, frameBytes) : undefined;
  const known = trailer !== undefined && trailer.tableCrc === tableCrc(window.bytes, 0, frameBytes);
  let missing = whole ? 0 : 1;
  let partial = 0;
  for (let sector = 0; sector * SECTOR < window.bytes.length; sector++) {
    const at = sector * SECTOR;
    if (isZero(window.bytes, at, at + SECTOR)) missing++;
    else if (known && sectorIsGood(frame, sector)) continue;
    else if (endsInZeros(window.bytes, at + SECTOR, question.zerosNeeded)) {
      // Without its table a sector before the table cannot be judged; the missing end speaks for itself.
      if (known || at + SECTOR > table) partial++;
    } else if (known)
      return { kind: "damaged", reason: `sector ${sector} of the last frame is damaged`, offset: start + at };
  }
  if (partial > 1 || missing + partial === 0) {
    const reason = "the last frame was written to its end and does not verify";
    return { kind: "damaged", reason, offset: start };
  }
  return { kind: "torn", bytes: window.bytes.length };
}

function endsInZeros(bytes: Buffer, end: number, count: number): boolean {
  return isZero(bytes, end - count, end);
}
