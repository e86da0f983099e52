import { PairTable } from "../model/pair-table.ts";

/** Keys without entries that are still remembered. */
const idleKeysMax = 64;

/**
 * The values at each node of a tree, by key: a ring for each node, in order of first setting, so that a node with one
 * value costs a few numbers and a node with ten thousand loses one in constant time.
 */
export class EntryLists<T, K> {
  readonly #keyIds: Map<K, number> = new Map();
  readonly #keys: (K | undefined)[] = [];
  readonly #keyUses: number[] = [];
  readonly #freeKeys: number[] = [];
  /**
   * Keys that lost their last entry, oldest first. They are forgotten late, because a `Map` keeps what was deleted in its
   * chains until it is rebuilt: one key set and deleted over and over among 10,000 costs 14 microseconds each time.
   */
  readonly #idleKeys: number[] = [];
  /** Pairs (node, key id). */
  readonly #entries: PairTable;
  #next: Int32Array = new Int32Array(0);
  #previous: Int32Array = new Int32Array(0);
  readonly #values: (T | undefined)[] = [undefined];
  /** By node: its first entry, or 0. */
  #heads: Int32Array = new Int32Array(0);

  constructor(seed: number) {
    this.#entries = new PairTable(seed);
  }

  /** Values at all nodes. */
  get count(): number {
    return this.#entries.count;
  }

  isEmpty(node: number): boolean {
    return node >= this.#heads.length || this.#heads[node] === 0;
  }

  get(node: number, key: K): T | undefined {
    const entry = this.#find(node, key);
    return entry === 0 ? undefined : this.#values[entry];
  }

  /** A value that is there keeps its place in the order. `nodes`: all nodes are below it. */
  set(node: number, key: K, value: T, nodes: number): void {
    const known = this.#find(node, key);
    if (known !== 0) {
      this.#values[known] = value;
      return;
    }
    const entry = this.#entries.add(node, this.#acquireKey(key));
    if (this.#entries.capacity > this.#next.length) {
      this.#next = grown(this.#next, this.#entries.capacity);
      this.#previous = grown(this.#previous, this.#entries.capacity);
    }
    if (node >= this.#heads.length) this.#heads = grown(this.#heads, nodes);
    this.#values[entry] = value;
    const head = this.#heads[node] as number;
    if (head === 0) {
      this.#heads[node] = entry;
      this.#link(entry, entry);
    } else {
      this.#link(this.#previous[head] as number, entry);
      this.#link(entry, head);
    }
  }

  delete(node: number, key: K): boolean {
    const entry = this.#find(node, key);
    if (entry === 0) return false;
    const next = this.#next[entry] as number;
    this.#link(this.#previous[entry] as number, next);
    if (this.#heads[node] === entry) this.#heads[node] = next === entry ? 0 : next;
    this.#values[entry] = undefined;
    this.#releaseKey(this.#entries.second(entry));
    this.#entries.remove(entry);
    return true;
  }

  visit(node: number, visit: (value: T) => void): void {
    const head = this.#heads[node] as number;
    let entry = head;
    do {
      visit(this.#values[entry] as T);
      entry = this.#next[entry] as number;
    } while (entry !== head);
  }

  #find(node: number, key: K): number {
    const keyId = this.#keyIds.get(key);
    return keyId === undefined ? 0 : this.#entries.find(node, keyId);
  }

  #link(entry: number, next: number): void {
    this.#next[entry] = next;
    this.#previous[next] = entry;
  }

  #acquireKey(key: K): number {
    let id = this.#keyIds.get(key);
    if (id === undefined) {
      id = this.#freeKeys.pop() ?? this.#keys.length;
      this.#keyIds.set(key, id);
      this.#keys[id] = key;
      this.#keyUses[id] = 0;
    }
    this.#keyUses[id] = (this.#keyUses[id] as number) + 1;
    return id;
  }

  #releaseKey(id: number): void {
    const uses = (this.#keyUses[id] as number) - 1;
    this.#keyUses[id] = uses;
    if (uses > 0 || this.#idleKeys.includes(id)) return;
    this.#idleKeys.push(id);
    if (this.#idleKeys.length <= idleKeysMax) return;
    const oldest = this.#idleKeys.shift() as number;
    if (this.#keyUses[oldest] !== 0) return;
    this.#keyIds.delete(this.#keys[oldest] as K);
    this.#keys[oldest] = undefined;
    this.#freeKeys.push(oldest);
  }
}

function grown(old: Int32Array, capacity: number): Int32Array {
  const larger = new Int32Array(capacity);
  larger.set(old);
  return larger;
}
