const slabSize = 65_536;

/** Gathers packets so that one turn of the event loop costs one write. Bytes once taken are never written again. */
export class OutputBuffer {
  #slab = new Uint8Array(0);
  #start = 0;
  #end = 0;

  /** Room for `length` bytes at `offset` of `bytes`, valid until the next call; `commit` says how many were used. */
  reserve(length: number): { bytes: Uint8Array; offset: number } {
    if (this.#end + length > this.#slab.length) {
      const slab = new Uint8Array(Math.max(slabSize, this.#end - this.#start + length));
      slab.set(this.#slab.subarray(this.#start, this.#end));
      this.#end -= this.#start;
      this.#start = 0;
      this.#slab = slab;
    }
    return { bytes: this.#slab, offset: this.#end };
  }

  commit(length: number): void {
    this.#end += length;
  }

  append(bytes: Uint8Array): void {
    const room = this.reserve(bytes.length);
    room.bytes.set(bytes, room.offset);
    this.commit(bytes.length);
  }

  get length(): number {
    return this.#end - this.#start;
  }

  take(): Uint8Array {
    const taken = this.#slab.subarray(this.#start, this.#end);
    this.#start = this.#end;
    return taken;
  }
}
