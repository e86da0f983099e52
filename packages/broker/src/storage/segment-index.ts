/** Frames that lie together in so many bytes share an entry: a read takes them at once. */
const SLOT_BYTES = 64 * 1_024;

/** A stretch of whole frames. */
export interface IndexSlot {
  readonly number: number;
  readonly offset: number;
  /** Byte past its last frame. */
  readonly end: number;
}

/** Sparse map of one segment from sequence numbers to places: an entry of 16 bytes for each 64 KiB of frames. */
export class SegmentIndex {
  #firstSeqs: number[] = [];
  #offsets: number[] = [];
  #end = 0;

  /** Frames are added in order. */
  add(firstSeq: number, offset: number, frameBytes: number): void {
    const last = this.#offsets.at(-1);
    if (last === undefined || offset + frameBytes - last > SLOT_BYTES) {
      this.#firstSeqs.push(firstSeq);
      this.#offsets.push(offset);
    }
    this.#end = offset + frameBytes;
  }

  /** The slot whose frames may hold `seq`. */
  find(seq: number): IndexSlot | undefined {
    let low = 0;
    let high = this.#firstSeqs.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#firstSeqs[middle]! <= seq) low = middle + 1;
      else high = middle;
    }
    return low === 0 ? undefined : this.slot(low - 1);
  }

  slot(number: number): IndexSlot | undefined {
    const offset = this.#offsets[number];
    return offset === undefined ? undefined : { number, offset, end: this.#offsets[number + 1] ?? this.#end };
  }
}
