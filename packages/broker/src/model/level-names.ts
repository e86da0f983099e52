import { SeededHash } from "./seeded-hash.ts";

const initialCapacity = 16;

/**
 * Levels of topic names and filters as small numbers: a level is stored once however many filters share it, and a
 * tree compares numbers. Counted: a level nobody uses any more is forgotten, so the table is bounded by what is
 * subscribed or retained. Looks levels up in place: matching a topic makes no strings.
 */
export class LevelNames {
  readonly #hash: SeededHash;
  /** By id; id 0 means "no such level". */
  readonly #names: string[] = [""];
  #hashes: Int32Array = new Int32Array(initialCapacity + 1);
  #uses: Int32Array = new Int32Array(initialCapacity + 1);
  /** Open addressing with ids; a power of two, at most half full. */
  #table: Int32Array = new Int32Array(initialCapacity * 2);
  readonly #free: number[] = [];
  #count = 0;

  constructor(seed: number) {
    this.#hash = new SeededHash(seed);
  }

  /** Levels in use. */
  get count(): number {
    return this.#count;
  }

  /** The id of the level `text[start..end)`, or 0 when nothing uses it. */
  find(text: string, start: number, end: number): number {
    return this.#table[this.#slotOf(text, start, end, this.#hash.text(text, start, end))] as number;
  }

  /** The same, taking it in use when it is new; one more user. */
  acquire(text: string, start: number, end: number): number {
    const hash = this.#hash.text(text, start, end);
    const known = this.#table[this.#slotOf(text, start, end, hash)] as number;
    if (known !== 0) {
      this.#uses[known] = (this.#uses[known] as number) + 1;
      return known;
    }
    if ((this.#count + 1) * 2 > this.#table.length) this.#grow();
    const id = this.#free.pop() ?? this.#count + 1;
    // A copy, because a slice would keep the whole filter alive as long as one of its levels is used.
    this.#names[id] = detached(text.slice(start, end));
    this.#hashes[id] = hash;
    this.#uses[id] = 1;
    this.#table[this.#slotOf(text, start, end, hash)] = id;
    this.#count += 1;
    return id;
  }

  /** One user less. */
  release(id: number): void {
    const uses = (this.#uses[id] as number) - 1;
    this.#uses[id] = uses;
    if (uses > 0) return;
    this.#remove(id);
    this.#names[id] = "";
    this.#free.push(id);
    this.#count -= 1;
  }

  name(id: number): string {
    return this.#names[id] as string;
  }

  /** Where the level is in the table, or the empty slot where it belongs. */
  #slotOf(text: string, start: number, end: number, hash: number): number {
    const mask = this.#table.length - 1;
    let slot = hash & mask;
    while (true) {
      const id = this.#table[slot] as number;
      if (id === 0) return slot;
      if (this.#hashes[id] === hash && isSame(this.#names[id] as string, text, start, end)) return slot;
      slot = (slot + 1) & mask;
    }
  }

  /** Closes the gap (no tombstones), so that the table never degrades. */
  #remove(id: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let hole = (this.#hashes[id] as number) & mask;
    while (table[hole] !== id) hole = (hole + 1) & mask;
    let slot = hole;
    while (true) {
      slot = (slot + 1) & mask;
      const other = table[slot] as number;
      if (other === 0) break;
      const home = (this.#hashes[other] as number) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      table[hole] = other;
      hole = slot;
    }
    table[hole] = 0;
  }

  #grow(): void {
    const capacity = this.#table.length;
    this.#hashes = grown(this.#hashes, capacity);
    this.#uses = grown(this.#uses, capacity);
    const old = this.#table;
    const table = new Int32Array(capacity * 2);
    const mask = table.length - 1;
    for (const id of old) {
      if (id === 0) continue;
      let slot = (this.#hashes[id] as number) & mask;
      while (table[slot] !== 0) slot = (slot + 1) & mask;
      table[slot] = id;
    }
    this.#table = table;
  }
}

function isSame(name: string, text: string, start: number, end: number): boolean {
  if (name.length !== end - start) return false;
  for (let i = 0; i < name.length; i++) if (name.charCodeAt(i) !== text.charCodeAt(start + i)) return false;
  return true;
}

function detached(slice: string): string {
  // V8 copies slices shorter than 13 units by itself.
  if (slice.length < 13) return slice;
  for (let i = 0; i < slice.length; i++) {
    if (slice.charCodeAt(i) > 0xff) return Buffer.from(slice, "utf16le").toString("utf16le");
  }
  return Buffer.from(slice, "latin1").toString("latin1");
}

function grown(old: Int32Array, capacity: number): Int32Array {
  const larger = new Int32Array(capacity + 1);
  larger.set(old);
  return larger;
}
