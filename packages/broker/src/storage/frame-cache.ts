import type { JournalFrame } from "../model/journal.ts";

/** What a frame costs besides its records: four views and their list entries. */
const OVERHEAD_BYTES = 1_024;

function cost(frame: JournalFrame): number {
  return OVERHEAD_BYTES + frame.bytes.buffer.byteLength + frame.starts.buffer.byteLength * 2 + frame.kinds.length;
}

/** Durable frames in memory, decrypted; the least recently used go first. */
export class FrameCache {
  readonly #bytesMax: number;
  /** Sorted first numbers, for finding the frame that holds a record. */
  #firstSeqs: number[] = [];
  /** In order of use, oldest first. */
  readonly #frames: Map<number, JournalFrame> = new Map();
  #latest: JournalFrame | undefined;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get bytes(): number {
    return this.#bytes;
  }

  find(seq: number): JournalFrame | undefined {
    const latest = this.#latest;
    if (latest !== undefined && seq >= latest.firstSeq && seq < latest.firstSeq + latest.count) return latest;
    const at = this.#position(seq + 1) - 1;
    if (at < 0) return undefined;
    const firstSeq = this.#firstSeqs[at]!;
    const frame = this.#frames.get(firstSeq);
    if (frame === undefined || seq >= firstSeq + frame.count) return undefined;
    this.#frames.delete(firstSeq);
    this.#frames.set(firstSeq, frame);
    this.#latest = frame;
    return frame;
  }

  add(frame: JournalFrame): void {
    if (this.#frames.has(frame.firstSeq)) return;
    this.#frames.set(frame.firstSeq, frame);
    this.#bytes += cost(frame);
    const last = this.#firstSeqs.at(-1);
    if (last === undefined || last < frame.firstSeq) this.#firstSeqs.push(frame.firstSeq);
    else this.#firstSeqs.splice(this.#position(frame.firstSeq), 0, frame.firstSeq);
    for (const [firstSeq, oldest] of this.#frames) {
      if (this.#bytes <= this.#bytesMax || oldest === frame) break;
      this.#remove(firstSeq, oldest);
    }
  }

  clear(): void {
    this.forget(0, Number.MAX_SAFE_INTEGER - 1);
  }

  /** Forgets frames whose records all lie in `[from, to]`. */
  forget(from: number, to: number): void {
    for (const firstSeq of this.#firstSeqs.slice(this.#position(from), this.#position(to + 1))) {
      this.#remove(firstSeq, this.#frames.get(firstSeq)!);
    }
  }

  #remove(firstSeq: number, frame: JournalFrame): void {
    this.#frames.delete(firstSeq);
    this.#bytes -= cost(frame);
    const at = this.#position(firstSeq);
    if (at === 0) this.#firstSeqs.shift();
    else this.#firstSeqs.splice(at, 1);
    if (this.#latest === frame) this.#latest = undefined;
  }

  /** How many frames begin before `seq`. */
  #position(seq: number): number {
    let low = 0;
    let high = this.#firstSeqs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firstSeqs[middle]! < seq) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
