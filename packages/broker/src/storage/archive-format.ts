/** The bytes of a backup: a tar archive (POSIX ustar) with fixed fields, and a manifest at its end. docs/backup.md has the words. */
import { hash } from "node:crypto";
import { ERASURE_FILES } from "./file-names.ts";

/** Tar's unit: headers have it, contents are filled up to it with zeros. */
export const BLOCK = 512;
const VERSION = 1;
/** Names begin with it; a reader of another version knows by it what it has. */
const ARCHIVE_PREFIX: string = `mess-backup-${VERSION}/`;
/** A file that is not a segment has at most so many bytes. Keys of erasure domains are 64 bytes each. */
export function smallBytesMax(name: string): number {
  return ((ERASURE_FILES as readonly string[]).includes(name) ? 256 : 4) * 1_024 * 1_024;
}
/** The last entry: what the archive holds, sealed. */
export const MANIFEST_NAME = "MANIFEST";
/** In the manifest's place, when the data were found damaged. */
export const FAILED_NAME = "FAILED";
/** Eleven octal digits. */
export const ENTRY_BYTES_MAX: number = 8 ** 11 - 1;
/** Two blocks of zeros. */
export const ARCHIVE_END: Buffer = Buffer.alloc(2 * BLOCK);
/** What the manifest's seal is for. */
export const SEAL_PURPOSE = "backup manifest";

const NAME_BYTES_MAX = 100;
const CHECKSUM_AT = 148;

export interface ArchiveEntry {
  /** Without the prefix. */
  readonly name: string;
  readonly bytes: number;
}

export interface ManifestFile extends ArchiveEntry {
  /** Of the bytes in the archive, hex. */
  readonly sha256: string;
}

export interface Manifest {
  /** Journal id, hex. */
  readonly journal: string;
  /** Wall-clock milliseconds. */
  readonly madeAt: number;
  readonly lastSeq: number;
  /** Chain hash after `lastSeq`, hex. */
  readonly headHash: string;
  /** Every entry before the manifest, in order. */
  readonly files: readonly ManifestFile[];
}

/** The header of an entry; `seconds` is its time, since 1970. */
export function encodeEntryHeader(entry: ArchiveEntry, seconds: number): Buffer {
  const bytes = Buffer.alloc(BLOCK);
  const octal = (value: number, at: number, digits: number): void => {
    bytes.write(value.toString(8).padStart(digits, "0"), at, "latin1");
  };
  bytes.write(`${ARCHIVE_PREFIX}${entry.name}`.slice(0, NAME_BYTES_MAX), 0, "latin1");
  octal(0o600, 100, 7);
  octal(0, 108, 7);
  octal(0, 116, 7);
  octal(entry.bytes, 124, 11);
  octal(seconds, 136, 11);
  bytes.fill(0x20, CHECKSUM_AT, CHECKSUM_AT + 8);
  bytes.write("0", 156, "latin1");
  bytes.write("ustar\u000000", 257, "latin1");
  octal(0, 329, 7);
  octal(0, 337, 7);
  let sum = 0;
  for (const byte of bytes) sum += byte;
  octal(sum, CHECKSUM_AT, 6);
  bytes[CHECKSUM_AT + 6] = 0;
  return bytes;
}

export type EntryHeader =
  | { readonly kind: "entry"; readonly entry: ArchiveEntry }
  | { readonly kind: "end" }
  /** A tar archive, or the beginning of one, of another version of mess. */
  | { readonly kind: "other-version"; readonly version: number }
  | { readonly kind: "none" };

/** Reads a block. Only what `encodeEntryHeader` makes is an entry: one flipped bit anywhere makes it none. */
export function decodeEntryHeader(block: Buffer): EntryHeader {
  if (block.every((byte) => byte === 0)) return { kind: "end" };
  const nameEnd = block.indexOf(0);
  const full = block.toString("latin1", 0, Math.min(nameEnd < 0 ? NAME_BYTES_MAX : nameEnd, NAME_BYTES_MAX));
  const prefix = /^mess-backup-(\d{1,6})\//u.exec(full);
  if (prefix === null) return { kind: "none" };
  if (Number(prefix[1]) !== VERSION) return { kind: "other-version", version: Number(prefix[1]) };
  const number = (at: number): number => {
    const digits = block.toString("latin1", at, at + 11);
    return /^[0-7]{11}$/u.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
  };
  const entry = { name: full.slice(ARCHIVE_PREFIX.length), bytes: number(124) };
  const seconds = number(136);
  if (Number.isNaN(entry.bytes) || Number.isNaN(seconds)) return { kind: "none" };
  if (encodeEntryHeader(entry, seconds).compare(block) !== 0) return { kind: "none" };
  return { kind: "entry", entry };
}

/** Zeros between the end of an entry's content and the next header. */
export function paddingBytes(bytes: number): number {
  return (BLOCK - (bytes % BLOCK)) % BLOCK;
}

/** The whole place of an entry. */
export function entryBytes(bytes: number): number {
  return BLOCK + bytes + paddingBytes(bytes);
}

/** The manifest's content: what it says, then a line with the hash of that, in clear and sealed. */
export function formatManifest(manifest: Manifest, seal: (digest: Buffer) => Buffer): Buffer {
  const line = `${JSON.stringify(manifest)}\n`;
  const digest = hash("sha256", line, "buffer");
  return Buffer.from(`${line}${digest.toString("hex")} ${seal(digest).toString("base64")}\n`);
}

export interface ReadManifest {
  readonly manifest: Manifest;
  /** What the seal is to open to. */
  readonly digest: Buffer;
  readonly seal: Buffer;
}

/** `undefined` when these bytes are no manifest. The shape is checked: what is read is outside input. */
export function parseManifest(content: Buffer): ReadManifest | undefined {
  const end = content.indexOf(0x0a) + 1;
  const digest = hash("sha256", content.subarray(0, end), "buffer");
  const last = /^([0-9a-f]{64}) ([A-Za-z0-9+/]+={0,2})\n$/u.exec(content.toString("latin1", end));
  if (last === null || last[1] !== digest.toString("hex")) return undefined;
  const seal = Buffer.from(last[2] ?? "", "base64");
  // The last character of base64 has bits that say nothing: they are to be zero, so that no flip goes unseen.
  if (seal.toString("base64") !== last[2]) return undefined;
  let manifest: unknown;
  try {
    manifest = JSON.parse(content.toString("utf8", 0, end));
  } catch {
    return undefined;
  }
  return isManifest(manifest) ? { manifest, digest, seal } : undefined;
}

function isManifest(value: unknown): value is Manifest {
  if (typeof value !== "object" || value === null) return false;
  const { journal, madeAt, lastSeq, headHash, files } = value as Record<string, unknown>;
  return (
    typeof journal === "string" &&
    typeof madeAt === "number" &&
    typeof lastSeq === "number" &&
    typeof headHash === "string" &&
    Array.isArray(files) &&
    files.every(isManifestFile)
  );
}

function isManifestFile(value: unknown): value is ManifestFile {
  if (typeof value !== "object" || value === null) return false;
  const { name, bytes, sha256 } = value as Record<string, unknown>;
  return typeof name === "string" && typeof bytes === "number" && typeof sha256 === "string";
}
