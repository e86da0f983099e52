/**
 * Messages that count later: when each is due, and where its record lies. A million of them take about 30 MB: numbers in
 * typed arrays, no object for any.
 *
 * Entries stand in *slots*, in order of place (the number of the record that holds them now), in chunks of equal size; a
 * heap of slot numbers has them in order of time. Whoever is carried to another record gets a new slot behind all
 * others. Slots that are done with stay empty until there are as many as half of those in use.
 */
export interface DelayedEntry {
  /** Number it was accepted under. */
  readonly seq: number;
  /** Record that holds it now. */
  readonly at: number;
  /** Wall-clock milliseconds. */
  readonly dueAt: number;
  /** Of the record. */
  readonly bytes: number;
}

interface Chunk {
  /** Places are told from here: they fit in 32 bits. */
  readonly base: number;
  readonly dueAt: Float64Array;
  readonly place: Uint32Array;
  readonly bytes: Uint32Array;
  /** Where the slot stands in the heap; `none` when it is empty. */
  readonly heapAt: Uint32Array;
  /** Numbers of those that were carried; 0 for the others, whose place it is. */
  seqs: Float64Array | undefined;
}

const shift = 13;
const slotsPerChunk = 1 << shift;
const slotMask = slotsPerChunk - 1;
const none = 0xffff_ffff;
const leastHeap = 64;
/** Of an entry, as `save` gives it. */
export const savedNumbers = 4;

export class DelayedHeap {
  #chunks: Chunk[] = [];
  /** Slots that were used, empty ones included. */
  #slots = 0;
  #heap: Uint32Array = new Uint32Array(leastHeap);
  #size = 0;
  #bytes = 0;

  get size(): number {
    return this.#size;
  }

  /** Of all their records. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Time of the next one; `undefined` when there is none. */
  earliest(): number | undefined {
    return this.#size === 0 ? undefined : this.#dueAt(this.#heap[0] as number);
  }

  /** Number of the next one; 0 when there is none. */
  first(): number {
    return this.#size === 0 ? 0 : this.#seqOf(this.#heap[0] as number);
  }

  /** Places ascend from call to call. */
  add(entry: DelayedEntry): void {
    if (this.#slots - this.#size > (this.#size >> 1) + slotsPerChunk) this.#compact();
    const slot = this.#newSlot(entry);
    if (this.#size === this.#heap.length) this.#growHeap();
    this.#size++;
    this.#bytes += entry.bytes;
    this.#up(this.#size - 1, slot);
  }

  get(seq: number): DelayedEntry | undefined {
    const slot = this.#find(seq);
    return slot < 0 ? undefined : this.#entry(slot);
  }

  /** The one whose record this is. */
  atPlace(at: number): DelayedEntry | undefined {
    const slot = this.#firstSlotFrom(at);
    const isThere = slot < this.#slots && !this.#isEmpty(slot) && this.#placeOf(slot) === at;
    return isThere ? this.#entry(slot) : undefined;
  }

  /** False when there was none. */
  remove(seq: number): boolean {
    const slot = this.#find(seq);
    if (slot < 0) return false;
    this.#take(slot);
    return true;
  }

  /** Another time for it. */
  reschedule(seq: number, dueAt: number): void {
    const slot = this.#find(seq);
    if (slot < 0) return;
    const chunk = this.#chunkOf(slot);
    chunk.dueAt[slot & slotMask] = dueAt;
    const at = chunk.heapAt[slot & slotMask] as number;
    this.#up(at, slot);
    this.#down(chunk.heapAt[slot & slotMask] as number, slot);
  }

  /** Its record is at `at` now. Recovery may say so of one that is gone. */
  move(seq: number, at: number): void {
    const slot = this.#find(seq);
    if (slot < 0) return;
    const entry = { ...this.#entry(slot), at };
    this.#take(slot);
    this.add(entry);
  }

  /** Visits in order of time, then number, until `visit` says false; nothing is taken out. Costs k log k for k visited. */
  inOrder(visit: (entry: DelayedEntry) => boolean): void {
    // Places in the heap whose parents were visited, as a small heap by what stands there.
    const next: number[] = this.#size > 0 ? [0] : [];
    while (next.length > 0) {
      const at = popLeast(next, (a, b) => this.#isBefore(this.#heap[a] as number, this.#heap[b] as number));
      if (!visit(this.#entry(this.#heap[at] as number))) return;
      for (const below of [at * 2 + 1, at * 2 + 2]) {
        if (below >= this.#size) break;
        pushLeast(next, below, (a, b) => this.#isBefore(this.#heap[a] as number, this.#heap[b] as number));
      }
    }
  }

  /** Up to `most` entries that come after `after` in order of time and number, in that order. Looks at every entry. */
  following(after: { readonly dueAt: number; readonly seq: number }, most: number): DelayedEntry[] {
    if (most < 1) return [];
    // The latest of those kept is on top.
    const kept: number[] = [];
    const isLater = (a: number, b: number): boolean => this.#isBefore(b, a);
    for (let at = 0; at < this.#size; at++) {
      const slot = this.#heap[at] as number;
      const dueAt = this.#dueAt(slot);
      if (dueAt < after.dueAt || (dueAt === after.dueAt && this.#seqOf(slot) <= after.seq)) continue;
      if (kept.length === most && !this.#isBefore(slot, kept[0] as number)) continue;
      if (kept.length === most) popLeast(kept, isLater);
      pushLeast(kept, slot, isLater);
    }
    return kept.sort((a, b) => (this.#isBefore(a, b) ? -1 : 1)).map((slot) => this.#entry(slot));
  }

  /** Those whose record lies in the range, in order of place, until `visit` says false. */
  inPlaces(from: number, to: number, visit: (entry: DelayedEntry) => boolean): void {
    for (let slot = this.#firstSlotFrom(from); slot < this.#slots; slot++) {
      if (this.#placeOf(slot) > to) return;
      if (!this.#isEmpty(slot) && !visit(this.#entry(slot))) return;
    }
  }

  /**
   * All of them in order of place, as four numbers each: due time, number, place, bytes; `perPart` in an array at most. No
   * object is made for any: a million are copied while nothing else runs.
   */
  save(perPart: number, visit: (numbers: Float64Array) => void): void {
    let left = this.#size;
    let numbers = new Float64Array(0);
    let to = 0;
    for (let slot = 0; slot < this.#slots; slot++) {
      const chunk = this.#chunkOf(slot);
      const i = slot & slotMask;
      if (chunk.heapAt[i] === none) continue;
      if (to === numbers.length) {
        if (to > 0) visit(numbers);
        numbers = new Float64Array(Math.min(left, perPart) * savedNumbers);
        left -= perPart;
        to = 0;
      }
      const place = chunk.base + (chunk.place[i] as number);
      numbers[to] = chunk.dueAt[i] as number;
      numbers[to + 1] = chunk.seqs?.[i] || place;
      numbers[to + 2] = place;
      numbers[to + 3] = chunk.bytes[i] as number;
      to += savedNumbers;
    }
    if (to > 0) visit(numbers);
  }

  /** Bytes of the records in the range. */
  bytesIn(from: number, to: number): number {
    let bytes = 0;
    for (let slot = this.#firstSlotFrom(from); slot < this.#slots && this.#placeOf(slot) <= to; slot++)
      if (!this.#isEmpty(slot)) bytes += this.#chunkOf(slot).bytes[slot & slotMask] as number;
    return bytes;
  }

  // ── slots ────────────────────────────────────────────────────────────────────────────────────────────────────

  #chunkOf(slot: number): Chunk {
    return this.#chunks[slot >> shift] as Chunk;
  }

  #dueAt(slot: number): number {
    return this.#chunkOf(slot).dueAt[slot & slotMask] as number;
  }

  #placeOf(slot: number): number {
    const chunk = this.#chunkOf(slot);
    return chunk.base + (chunk.place[slot & slotMask] as number);
  }

  #seqOf(slot: number): number {
    const seq = this.#chunkOf(slot).seqs?.[slot & slotMask] ?? 0;
    return seq === 0 ? this.#placeOf(slot) : seq;
  }

  #isEmpty(slot: number): boolean {
    return this.#chunkOf(slot).heapAt[slot & slotMask] === none;
  }

  #entry(slot: number): DelayedEntry {
    const bytes = this.#chunkOf(slot).bytes[slot & slotMask] as number;
    return { seq: this.#seqOf(slot), at: this.#placeOf(slot), dueAt: this.#dueAt(slot), bytes };
  }

  #newSlot({ seq, at, dueAt, bytes }: DelayedEntry): number {
    let last = this.#chunks[this.#chunks.length - 1];
    if (last !== undefined && at - last.base >= none) this.#leave(last);
    if (this.#slots === this.#chunks.length << shift) {
      last = emptyChunk(at);
      this.#chunks.push(last);
    }
    const slot = this.#slots++;
    const chunk = this.#chunkOf(slot);
    const i = slot & slotMask;
    chunk.dueAt[i] = dueAt;
    chunk.place[i] = at - chunk.base;
    chunk.bytes[i] = bytes;
    if (seq !== at) {
      chunk.seqs ??= new Float64Array(slotsPerChunk);
      chunk.seqs[i] = seq;
    }
    return slot;
  }

  /** The rest of the last chunk is passed over: places there ascend, as everywhere. */
  #leave(last: Chunk): void {
    const used = this.#slots & slotMask;
    if (used === 0) return;
    last.place.fill(last.place[used - 1] as number, used);
    this.#slots = this.#chunks.length << shift;
  }

  /** The first slot at `place` or behind it. */
  #firstSlotFrom(place: number): number {
    let low = 0;
    let high = this.#slots;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#placeOf(middle) < place) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #find(seq: number): number {
    const slot = this.#firstSlotFrom(seq);
    const isThere = slot < this.#slots && !this.#isEmpty(slot) && this.#placeOf(slot) === seq;
    if (isThere && this.#seqOf(slot) === seq) return slot;
    // Carried, if it is here: few ask for those.
    for (const [number, chunk] of this.#chunks.entries()) {
      const i = chunk.seqs?.indexOf(seq) ?? -1;
      const found = (number << shift) + i;
      if (i >= 0 && !this.#isEmpty(found)) return found;
    }
    return -1;
  }

  #take(slot: number): void {
    const chunk = this.#chunkOf(slot);
    const i = slot & slotMask;
    const at = chunk.heapAt[i] as number;
    chunk.heapAt[i] = none;
    if (chunk.seqs !== undefined) chunk.seqs[i] = 0;
    this.#bytes -= chunk.bytes[i] as number;
    this.#size--;
    const moved = this.#heap[this.#size] as number;
    if (moved !== slot) {
      this.#up(at, moved);
      this.#down(this.#chunkOf(moved).heapAt[moved & slotMask] as number, moved);
    }
    if (this.#size === 0) this.#clear();
  }

  #clear(): void {
    this.#chunks = [];
    this.#slots = 0;
    this.#heap = new Uint32Array(leastHeap);
  }

  /** Closes the empty slots; the heap keeps its order. */
  #compact(): void {
    const old = this.#chunks;
    const slots = this.#slots;
    this.#chunks = [];
    this.#slots = 0;
    for (let slot = 0; slot < slots; slot++) {
      const chunk = old[slot >> shift] as Chunk;
      const i = slot & slotMask;
      const heapAt = chunk.heapAt[i] as number;
      if (heapAt === none) continue;
      const at = chunk.base + (chunk.place[i] as number);
      const seq = chunk.seqs?.[i] || at;
      const moved = this.#newSlot({ seq, at, dueAt: chunk.dueAt[i] as number, bytes: chunk.bytes[i] as number });
      this.#chunkOf(moved).heapAt[moved & slotMask] = heapAt;
      this.#heap[heapAt] = moved;
    }
  }

  // ── heap ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Equal times: in order of acceptance. */
  #isBefore(a: number, b: number): boolean {
    const left = this.#dueAt(a);
    const right = this.#dueAt(b);
    return left < right || (left === right && this.#seqOf(a) < this.#seqOf(b));
  }

  #growHeap(): void {
    const larger = new Uint32Array(this.#heap.length + Math.max(leastHeap, this.#heap.length >> 2));
    larger.set(this.#heap);
    this.#heap = larger;
  }

  #put(at: number, slot: number): void {
    this.#heap[at] = slot;
    this.#chunkOf(slot).heapAt[slot & slotMask] = at;
  }

  #up(from: number, slot: number): void {
    let at = from;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = this.#heap[above] as number;
      if (!this.#isBefore(slot, parent)) break;
      this.#put(at, parent);
      at = above;
    }
    this.#put(at, slot);
  }

  #down(from: number, slot: number): void {
    let at = from;
    while (true) {
      let below = at * 2 + 1;
      if (below >= this.#size) break;
      if (below + 1 < this.#size && this.#isBefore(this.#heap[below + 1] as number, this.#heap[below] as number))
        below++;
      const child = this.#heap[below] as number;
      if (!this.#isBefore(child, slot)) break;
      this.#put(at, child);
      at = below;
    }
    this.#put(at, slot);
  }
}

function emptyChunk(base: number): Chunk {
  return {
    base,
    dueAt: new Float64Array(slotsPerChunk),
    place: new Uint32Array(slotsPerChunk),
    bytes: new Uint32Array(slotsPerChunk),
    heapAt: new Uint32Array(slotsPerChunk).fill(none),
    seqs: undefined,
  };
}

type Before = (a: number, b: number) => boolean;

function pushLeast(heap: number[], value: number, isBefore: Before): void {
  let at = heap.length;
  while (at > 0) {
    const above = (at - 1) >> 1;
    const parent = heap[above] as number;
    if (!isBefore(value, parent)) break;
    heap[at] = parent;
    at = above;
  }
  heap[at] = value;
}

/** The heap is not empty. */
function popLeast(heap: number[], isBefore: Before): number {
  const least = heap[0] as number;
  const last = heap.pop() as number;
  const size = heap.length;
  if (size === 0) return least;
  let at = 0;
  while (true) {
    let below = at * 2 + 1;
    if (below >= size) break;
    if (below + 1 < size && isBefore(heap[below + 1] as number, heap[below] as number)) below++;
    const child = heap[below] as number;
    if (!isBefore(child, last)) break;
    heap[at] = child;
    at = below;
  }
  heap[at] = last;
  return least;
}
