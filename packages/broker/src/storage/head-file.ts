import { crc32 } from "node:zlib";
import type { DiskFile, Host, Timer } from "../host/host.ts";
import { datasync, readAt, step, writeAt } from "./disk-io.ts";
import { HEAD_FILE } from "./file-names.ts";
import { readU64, writeU64 } from "./little-endian.ts";

/** A lower bound of what the journal must hold. */
export interface HeadState {
  readonly segmentId: number;
  /** Where the frames of that segment end, bytes. */
  readonly offset: number;
  readonly seq: number;
  readonly snapshotSeq: number;
  /** Chain hash after record `seq`. */
  readonly hash: Buffer;
}

const MAGIC = Buffer.from("MESSHEAD", "latin1");
/** Of this file; its layout has not changed. */
const HEAD_VERSION = 1;
const SLOT = 512;
const CRC_AT = SLOT - 4;
/**
 * A commit is in HEAD this much later at most. Each write takes a quarter of a bare commit's CPU; what a
 * kill in between can hide is told from rot by the sectors of the frame itself.
 */
const DELAY_MS = 5;

function encode(journalId: Buffer, generation: number, state: HeadState): Buffer {
  const bytes = Buffer.alloc(SLOT);
  MAGIC.copy(bytes, 0);
  bytes.writeUInt16LE(HEAD_VERSION, 8);
  journalId.copy(bytes, 16);
  writeU64(bytes, generation, 32);
  bytes.writeUInt32LE(state.segmentId, 40);
  writeU64(bytes, state.offset, 48);
  writeU64(bytes, state.seq, 56);
  writeU64(bytes, state.snapshotSeq, 64);
  state.hash.copy(bytes, 72);
  bytes.writeUInt32LE(crc32(bytes.subarray(0, CRC_AT)), CRC_AT);
  return bytes;
}

/** A whole file that says this. */
export function headFileBytes(journalId: Buffer, state: HeadState): Buffer {
  return Buffer.concat([encode(journalId, 2, state), encode(journalId, 1, state)]);
}

interface Slot extends HeadState {
  readonly generation: number;
  readonly journalId: Buffer;
}

function decode(bytes: Buffer): Slot | undefined {
  if (bytes.compare(MAGIC, 0, 8, 0, 8) !== 0 || bytes.readUInt16LE(8) !== HEAD_VERSION) return undefined;
  if (bytes.readUInt32LE(CRC_AT) !== crc32(bytes.subarray(0, CRC_AT))) return undefined;
  return {
    journalId: bytes.subarray(16, 32),
    generation: readU64(bytes, 32),
    segmentId: bytes.readUInt32LE(40),
    offset: readU64(bytes, 48),
    seq: readU64(bytes, 56),
    snapshotSeq: readU64(bytes, 64),
    hash: bytes.subarray(72, 104),
  };
}

/** What HEAD says; `undefined` when it is missing or unreadable, which only costs time. */
export async function readHead(host: Host, directory: string): Promise<Slot | undefined> {
  const path = `${directory}/${HEAD_FILE}`;
  const stat = await step("looking at", path, () => host.disk.stat(path));
  if (stat === undefined) return undefined;
  const bytes = Buffer.alloc(2 * SLOT);
  await step("reading", path, async () => {
    const file = await host.disk.open(path, "read");
    try {
      await readAt(file, bytes, 0);
    } finally {
      await file.close();
    }
  });
  const [a, b] = [decode(bytes.subarray(0, SLOT)), decode(bytes.subarray(SLOT))];
  if (a === undefined || b === undefined) return a ?? b;
  return a.generation > b.generation ? a : b;
}

/** Writes HEAD after commits: two slots by turns, so that a torn write leaves the older one; never synced but at the end. */
export class HeadFile {
  readonly #host: Host;
  readonly #file: DiskFile;
  readonly #journalId: Buffer;
  readonly #state: () => HeadState;
  readonly #failed: (error: unknown) => void;
  #generation: number;
  #timer: Timer | undefined;
  #writing: Promise<void> | undefined;
  #dirty = false;

  private constructor(options: HeadOptions, file: DiskFile) {
    this.#host = options.host;
    this.#file = file;
    this.#journalId = options.journalId;
    this.#generation = options.generation;
    this.#state = options.state;
    this.#failed = options.failed;
  }

  static async open(options: HeadOptions): Promise<HeadFile> {
    const { host, directory } = options;
    const path = `${directory}/${HEAD_FILE}`;
    const file = await step("opening", path, async () => {
      const there = (await host.disk.stat(path)) !== undefined;
      return host.disk.open(path, there ? "readwrite" : "create");
    });
    return new HeadFile(options, file);
  }

  /** Writes the state and syncs it: HEAD is there from the start, however old it may get. */
  async writeNow(): Promise<void> {
    await step("writing", HEAD_FILE, async () => {
      await this.#put();
      await datasync(this.#file);
    });
  }

  /** Something was committed: it will be written soon. */
  touch(): void {
    this.#dirty = true;
    if (this.#timer !== undefined || this.#writing !== undefined) return;
    this.#timer = this.#host.timers.after(DELAY_MS, () => {
      this.#timer = undefined;
      this.#write();
    });
  }

  #write(): void {
    this.#dirty = false;
    this.#writing = this.#put().then(
      () => {
        this.#writing = undefined;
        if (this.#dirty) this.touch();
      },
      (error: unknown) => this.#failed(error),
    );
  }

  #put(): Promise<void> {
    this.#generation++;
    return writeAt(this.#file, encode(this.#journalId, this.#generation, this.#state()), SLOT * (this.#generation % 2));
  }

  /** Writes and syncs the last state unless the journal failed, and closes the file. */
  async close(write: boolean): Promise<void> {
    this.#cancelTimer();
    await this.#writing;
    // The write that ended may have asked for another.
    this.#cancelTimer();
    if (write) await this.writeNow();
    await this.#file.close();
  }

  #cancelTimer(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }
}

export interface HeadOptions {
  readonly host: Host;
  readonly directory: string;
  readonly journalId: Buffer;
  /** Of what was read, or 0. */
  readonly generation: number;
  readonly state: () => HeadState;
  readonly failed: (error: unknown) => void;
}
