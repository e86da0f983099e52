import { SeededHash } from "../model/seeded-hash.ts";

export interface TopicTableOptions<T> {
  /** Most topics held at once. */
  readonly capacity: number;
  /** Secret random integer: clients choose the names. */
  readonly seed: number;
  /** Most bytes of names held at once; 64 for each topic if not given. Never less than one name needs. */
  readonly textBytesMax?: number;
  /** Told what was put out to make room. Must not use the table. */
  readonly evicted?: (value: T) => void;
}

const initialSlots = 64;
const initialTextBytes = 4_096;
const averageNameBytes = 64;
/** Numbers of one slot in `#slots`. */
const WIDTH = 4;
const HASH = 0;
const START = 1;
const LENGTH = 2;
/** 1 when it was found since the hand passed. */
const RECENT = 3;

/**
 * A bounded table of values by topic name, looked up by the bytes of a packet where they lie: no string is made.
 * When it is full, the one put out has not been found since the hand of the clock last passed it (second chance), so a
 * flood of one-shot names does not push out those in use. A cache: whoever needs a value for good holds it himself.
 */
export class TopicTable<T extends {}> {
  readonly #hash: SeededHash;
  readonly #capacity: number;
  readonly #textBytesMax: number;
  readonly #evicted: ((value: T) => void) | undefined;
  /** Open addressing with slot + 1; a power of two, at most half full. */
  #table: Int32Array = new Int32Array(initialSlots * 2);
  /** Four numbers a slot, side by side: a look-up touches one cache line of them. */
  #slots: Int32Array = new Int32Array(initialSlots * WIDTH);
  readonly #values: (T | undefined)[] = [];
  /** Names of all slots, one after the other; those of slots put out stay until the next compaction. */
  #text: Uint8Array = new Uint8Array(initialTextBytes);
  #textEnd = 0;
  #textLive = 0;
  /** Slots that were ever used; below it those in `#free` are empty. */
  #used = 0;
  readonly #free: number[] = [];
  #hand = 0;

  constructor(options: TopicTableOptions<T>) {
    this.#hash = new SeededHash(options.seed);
    this.#capacity = Math.max(1, options.capacity);
    this.#textBytesMax = Math.max(initialTextBytes, options.textBytesMax ?? this.#capacity * averageNameBytes);
    this.#evicted = options.evicted;
  }

  get size(): number {
    return this.#used - this.#free.length;
  }

  /** The value of the name `bytes[start..end)`. */
  find(bytes: Uint8Array, start: number, end: number): T | undefined {
    const hash = this.#hash.bytes(bytes, start, end);
    const table = this.#table;
    const mask = table.length - 1;
    let at = hash & mask;
    while (true) {
      const slot = (table[at] as number) - 1;
      if (slot < 0) return undefined;
      if (this.#slots[slot * WIDTH + HASH] === hash && this.#isName(slot, bytes, start, end)) {
        this.#slots[slot * WIDTH + RECENT] = 1;
        return this.#values[slot];
      }
      at = (at + 1) & mask;
    }
  }

  /** Sets the value of the name `bytes[start..end)`, which is copied; returns it. */
  add(bytes: Uint8Array, start: number, end: number, value: T): T {
    const hash = this.#hash.bytes(bytes, start, end);
    const known = this.#slotOf(hash, bytes, start, end);
    if (known >= 0) {
      this.#values[known] = value;
      return value;
    }
    const length = end - start;
    while (this.size >= this.#capacity || (this.size > 0 && this.#textLive + length > this.#textBytesMax))
      this.#evictOne();
    this.#makeTextRoom(length);
    const slot = this.#takeSlot();
    this.#set(slot, HASH, hash);
    this.#set(slot, START, this.#textEnd);
    this.#set(slot, LENGTH, length);
    // Not recent yet: a name seen once is the first to go.
    this.#set(slot, RECENT, 0);
    this.#values[slot] = value;
    for (let i = 0; i < length; i++) this.#text[this.#textEnd + i] = bytes[start + i] as number;
    this.#textEnd += length;
    this.#textLive += length;
    this.#place(slot);
    return value;
  }

  *values(): IterableIterator<T> {
    for (const value of this.#values) if (value !== undefined) yield value;
  }

  /** Forgets everything; nothing is reported as put out. */
  clear(): void {
    this.#table.fill(0);
    this.#values.length = 0;
    this.#free.length = 0;
    this.#used = 0;
    this.#hand = 0;
    this.#textEnd = 0;
    this.#textLive = 0;
  }

  #slotOf(hash: number, bytes: Uint8Array, start: number, end: number): number {
    const mask = this.#table.length - 1;
    let at = hash & mask;
    while (true) {
      const slot = (this.#table[at] as number) - 1;
      if (slot < 0 || (this.#slots[slot * WIDTH + HASH] === hash && this.#isName(slot, bytes, start, end))) return slot;
      at = (at + 1) & mask;
    }
  }

  #isName(slot: number, bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    if (this.#get(slot, LENGTH) !== length) return false;
    const text = this.#text;
    const from = this.#get(slot, START);
    for (let i = 0; i < length; i++) if (text[from + i] !== bytes[start + i]) return false;
    return true;
  }

  /** Two turns of the hand find one at the latest: the first turn takes every second chance. */
  #evictOne(): void {
    while (true) {
      const slot = this.#hand;
      this.#hand = slot + 1 >= this.#used ? 0 : slot + 1;
      const value = this.#values[slot];
      if (value === undefined) continue;
      if (this.#get(slot, RECENT) === 1) {
        this.#set(slot, RECENT, 0);
        continue;
      }
      this.#remove(slot);
      this.#values[slot] = undefined;
      this.#textLive -= this.#get(slot, LENGTH);
      this.#free.push(slot);
      this.#evicted?.(value);
      return;
    }
  }

  /** Closes the gap (no tombstones), so that the table never degrades. */
  #remove(slot: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let hole = this.#get(slot, HASH) & mask;
    while (table[hole] !== slot + 1) hole = (hole + 1) & mask;
    let at = hole;
    while (true) {
      at = (at + 1) & mask;
      const other = (table[at] as number) - 1;
      if (other < 0) break;
      const home = this.#get(other, HASH) & mask;
      if (((at - home) & mask) < ((at - hole) & mask)) continue;
      table[hole] = other + 1;
      hole = at;
    }
    table[hole] = 0;
  }

  #takeSlot(): number {
    const freed = this.#free.pop();
    if (freed !== undefined) return freed;
    if (this.#used * WIDTH === this.#slots.length) this.#growSlots();
    return this.#used++;
  }

  #growSlots(): void {
    const count = Math.min(this.#used * 2, Math.max(this.#capacity, initialSlots));
    const slots = new Int32Array(count * WIDTH);
    slots.set(this.#slots);
    this.#slots = slots;
    this.#table = new Int32Array(this.#table.length * 2);
    for (let slot = 0; slot < this.#used; slot++) if (this.#values[slot] !== undefined) this.#place(slot);
  }

  #place(slot: number): void {
    const mask = this.#table.length - 1;
    let at = this.#get(slot, HASH) & mask;
    while (this.#table[at] !== 0) at = (at + 1) & mask;
    this.#table[at] = slot + 1;
  }

  /** Room for `more` bytes at `#textEnd`: by moving the names together, in more memory when they need it. */
  #makeTextRoom(more: number): void {
    if (this.#textEnd + more <= this.#text.length) return;
    const needed = this.#textLive + more;
    // Twice what is live, so that the next move is far away; the bound on live bytes bounds this too.
    const size = Math.max(this.#text.length, needed * 2);
    const text = new Uint8Array(size);
    let end = 0;
    for (let slot = 0; slot < this.#used; slot++) {
      if (this.#values[slot] === undefined) continue;
      const start = this.#get(slot, START);
      const length = this.#get(slot, LENGTH);
      text.set(this.#text.subarray(start, start + length), end);
      this.#set(slot, START, end);
      end += length;
    }
    this.#text = text;
    this.#textEnd = end;
  }

  #get(slot: number, field: number): number {
    return this.#slots[slot * WIDTH + field] as number;
  }

  #set(slot: number, field: number, value: number): void {
    this.#slots[slot * WIDTH + field] = value;
  }
}
