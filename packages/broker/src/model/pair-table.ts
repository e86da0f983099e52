const initialCapacity = 16;

/**
 * Pairs of small numbers (`first`, `second`), each with an id of its own from 1 on; ids of removed pairs are used
 * again. The edges of a tree are pairs (parent, level) whose id is the child; the entries of a filter are pairs (node,
 * key). Flat typed arrays: 100,000 pairs are a handful of objects for the garbage collector.
 */
export class PairTable {
  readonly #mixFirst: number;
  readonly #mixSecond: number;
  #first: Int32Array = new Int32Array(initialCapacity + 1);
  #second: Int32Array = new Int32Array(initialCapacity + 1);
  /** Open addressing with ids; a power of two, at most half full. */
  #table: Int32Array = new Int32Array(initialCapacity * 2);
  #free = 0;
  #used = 0;
  #count = 0;

  /** `seed`: secret, because clients influence which pairs there are. */
  constructor(seed: number) {
    this.#mixFirst = Math.imul((seed >>> 0) ^ 0x9e3779b9, 0x85ebca6b) | 1;
    this.#mixSecond = Math.imul(((Math.floor(seed / 0x1_0000_0000) >>> 0) + (seed >>> 0)) ^ 0x7f4a7c15, 0xc2b2ae35) | 1;
  }

  get count(): number {
    return this.#count;
  }

  /** All ids are below it. */
  get capacity(): number {
    return this.#first.length;
  }

  first(id: number): number {
    return this.#first[id] as number;
  }

  second(id: number): number {
    return this.#second[id] as number;
  }

  /** The id of the pair, or 0. */
  find(first: number, second: number): number {
    const table = this.#table;
    const mask = table.length - 1;
    let slot = this.#home(first, second) & mask;
    while (true) {
      const id = table[slot] as number;
      if (id === 0 || (this.#first[id] === first && this.#second[id] === second)) return id;
      slot = (slot + 1) & mask;
    }
  }

  /** Adds a pair that is not there yet. */
  add(first: number, second: number): number {
    if ((this.#count + 1) * 2 > this.#table.length) this.#grow();
    let id = this.#free;
    if (id === 0) id = ++this.#used;
    else this.#free = this.#second[id] as number;
    this.#first[id] = first;
    this.#second[id] = second;
    this.#place(id);
    this.#count += 1;
    return id;
  }

  /** Removes a pair that is there; its id may be given to the next one. */
  remove(id: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let hole = this.#homeOf(id) & mask;
    while (table[hole] !== id) hole = (hole + 1) & mask;
    let slot = hole;
    while (true) {
      slot = (slot + 1) & mask;
      const other = table[slot] as number;
      if (other === 0) break;
      const home = this.#homeOf(other) & mask;
      if (((slot - home) & mask) < ((slot - hole) & mask)) continue;
      table[hole] = other;
      hole = slot;
    }
    table[hole] = 0;
    this.#first[id] = -1;
    this.#second[id] = this.#free;
    this.#free = id;
    this.#count -= 1;
  }

  #homeOf(id: number): number {
    return this.#home(this.#first[id] as number, this.#second[id] as number);
  }

  #home(first: number, second: number): number {
    let mixed = Math.imul(first + 1, this.#mixFirst) ^ Math.imul(second + 1, this.#mixSecond);
    mixed = Math.imul(mixed ^ (mixed >>> 16), 0x85ebca6b);
    mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2ae35);
    return mixed ^ (mixed >>> 16);
  }

  #place(id: number): void {
    const mask = this.#table.length - 1;
    let slot = this.#homeOf(id) & mask;
    while (this.#table[slot] !== 0) slot = (slot + 1) & mask;
    this.#table[slot] = id;
  }

  #grow(): void {
    const capacity = this.#table.length;
    this.#first = grown(this.#first, capacity);
    this.#second = grown(this.#second, capacity);
    const old = this.#table;
    this.#table = new Int32Array(capacity * 2);
    for (const id of old) if (id !== 0) this.#place(id);
  }
}

function grown(old: Int32Array, capacity: number): Int32Array {
  const larger = new Int32Array(capacity + 1);
  larger.set(old);
  return larger;
}
