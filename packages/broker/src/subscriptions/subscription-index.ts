import { LevelNames } from "../model/level-names.ts";
import { PairTable } from "../model/pair-table.ts";
import { EntryLists } from "./entry-lists.ts";

const SLASH = 0x2f;
const DOLLAR = 0x24;
const ROOT = 0;

/**
 * Which subscriptions match a topic. A tree of levels in flat arrays: the cost of a match depends on the filters that
 * share levels with the topic, not on how many others there are. A topic of L levels visits at most 2^L nodes (a
 * literal and a `+` at each level) and never more nodes than there are filters times levels. Nothing recurses.
 *
 * `T` is what is found, `K` names it under its filter: a session or a group. Keys are compared as `Map` does.
 * Filters are valid and without `$share/NAME/` (`topics/topic-filter.ts`); nothing here checks them again.
 */
export class SubscriptionIndex<T, K = unknown> {
  readonly #names: LevelNames;
  /** Edges (parent, level id) of literal levels and wildcards alike; the id is the child node. The root is node 0. */
  readonly #nodes: PairTable;
  readonly #entries: EntryLists<T, K>;
  /** By node: its `+` child, its `#` child, how many children it has in all. */
  #plus: Int32Array = new Int32Array(16);
  #hash: Int32Array = new Int32Array(16);
  #children: Int32Array = new Int32Array(16);
  #filters = 0;
  readonly #plusLevel: number;
  readonly #hashLevel: number;

  /** Scratch of one match; never shrinks below what the largest one needed. */
  #levels: Int32Array = new Int32Array(16);
  #frontier: Int32Array = new Int32Array(16);
  #following: Int32Array = new Int32Array(16);
  #matched: Int32Array = new Int32Array(16);
  #matchedCount = 0;
  #visiting = false;

  /** `seed` keeps clients from choosing colliding names; 0 is for tests. */
  constructor(seed: number = 0) {
    this.#names = new LevelNames(seed);
    this.#nodes = new PairTable(seed);
    this.#entries = new EntryLists(seed);
    this.#plusLevel = this.#names.acquire("+", 0, 1);
    this.#hashLevel = this.#names.acquire("#", 0, 1);
  }

  /** How many (filter, key) there are. */
  get size(): number {
    return this.#entries.count;
  }

  /** Distinct filters. */
  get filterCount(): number {
    return this.#filters;
  }

  /** Nodes of the tree: bounded by filters times levels. */
  get nodeCount(): number {
    return this.#nodes.count;
  }

  /** Distinct level names in use; the two wildcards always are. */
  get levelCount(): number {
    return this.#names.count;
  }

  get(filter: string, key: K): T | undefined {
    const node = this.#nodeOf(filter);
    return node < 0 ? undefined : this.#entries.get(node, key);
  }

  /** Sets or replaces what `key` has under `filter`. */
  set(filter: string, key: K, value: T): void {
    this.#assertIdle();
    let node = ROOT;
    let start = 0;
    do {
      const end = endOfLevel(filter, start);
      const level = this.#names.find(filter, start, end);
      const child = level === 0 ? 0 : this.#nodes.find(node, level);
      node = child === 0 ? this.#addChild(node, this.#names.acquire(filter, start, end)) : child;
      start = end + 1;
    } while (start <= filter.length);
    if (this.#entries.isEmpty(node)) this.#filters += 1;
    this.#entries.set(node, key, value, this.#nodes.capacity);
  }

  /** False when `key` had nothing under `filter`. */
  remove(filter: string, key: K): boolean {
    this.#assertIdle();
    const node = this.#nodeOf(filter);
    if (node < 0 || !this.#entries.delete(node, key)) return false;
    if (this.#entries.isEmpty(node)) {
      this.#filters -= 1;
      this.#prune(node);
    }
    return true;
  }

  /**
   * Visits every value whose filter matches the topic name, each once. The order depends only on the order of the
   * calls that built the index. `visit` must not ask or change this index.
   */
  match(topic: string, visit: (value: T) => void): void {
    this.#assertIdle();
    this.#find(topic);
    this.#visiting = true;
    try {
      for (let i = 0; i < this.#matchedCount; i++) this.#entries.visit(this.#matched[i] as number, visit);
    } finally {
      this.#visiting = false;
    }
  }

  /** Appends the values of `match` to `into`. */
  collect(topic: string, into: T[]): void {
    this.match(topic, (value) => {
      into.push(value);
    });
  }

  /** Fills `#matched` with the nodes of matching filters, level by level. */
  #find(topic: string): void {
    const depth = this.#splitTopic(topic);
    let frontier = this.#frontier;
    let following = this.#following;
    let size = 1;
    frontier[0] = ROOT;
    this.#matchedCount = 0;
    // MQTT-4.7.2-1: a filter that begins with a wildcard matches no topic that begins with `$`.
    let wildcards = topic.charCodeAt(0) !== DOLLAR;
    for (let at = 0; at < depth && size > 0; at++) {
      const level = this.#levels[at] as number;
      let nextSize = 0;
      if (following.length < size * 2) following = new Int32Array(size * 4);
      for (let i = 0; i < size; i++) {
        const node = frontier[i] as number;
        if (wildcards) {
          const hash = this.#hash[node] as number;
          if (hash !== 0) this.#addMatched(hash);
          const plus = this.#plus[node] as number;
          if (plus !== 0) following[nextSize++] = plus;
        }
        if (level === 0) continue;
        const child = this.#nodes.find(node, level);
        if (child !== 0) following[nextSize++] = child;
      }
      const swap = frontier;
      frontier = following;
      following = swap;
      size = nextSize;
      wildcards = true;
    }
    for (let i = 0; i < size; i++) {
      const node = frontier[i] as number;
      if (!this.#entries.isEmpty(node)) this.#addMatched(node);
      // 4.7.1.2: `a/#` matches `a` too.
      const hash = this.#hash[node] as number;
      if (hash !== 0) this.#addMatched(hash);
    }
    this.#frontier = frontier;
    this.#following = following;
  }

  /** Fills `#levels` with the ids of the topic's levels (0: in no filter); returns how many. */
  #splitTopic(topic: string): number {
    let depth = 0;
    let start = 0;
    do {
      const end = endOfLevel(topic, start);
      if (depth === this.#levels.length) this.#levels = grown(this.#levels, depth * 2);
      const level = this.#names.find(topic, start, end);
      // A `+` in a name stands for itself, and no filter has it as a literal.
      this.#levels[depth++] = level === this.#plusLevel || level === this.#hashLevel ? 0 : level;
      start = end + 1;
    } while (start <= topic.length);
    return depth;
  }

  #addMatched(node: number): void {
    if (this.#matchedCount === this.#matched.length) this.#matched = grown(this.#matched, this.#matchedCount * 2);
    this.#matched[this.#matchedCount++] = node;
  }

  /** -1 when there is no such node; an empty filter has none. */
  #nodeOf(filter: string): number {
    let node = ROOT;
    let start = 0;
    do {
      const end = endOfLevel(filter, start);
      const level = this.#names.find(filter, start, end);
      const child = level === 0 ? 0 : this.#nodes.find(node, level);
      if (child === 0) return -1;
      node = child;
      start = end + 1;
    } while (start <= filter.length);
    return node;
  }

  #addChild(parent: number, level: number): number {
    const node = this.#nodes.add(parent, level);
    const capacity = this.#nodes.capacity;
    if (capacity > this.#plus.length) {
      this.#plus = grown(this.#plus, capacity);
      this.#hash = grown(this.#hash, capacity);
      this.#children = grown(this.#children, capacity);
    }
    this.#children[parent] = (this.#children[parent] as number) + 1;
    if (level === this.#plusLevel) this.#plus[parent] = node;
    else if (level === this.#hashLevel) this.#hash[parent] = node;
    return node;
  }

  /** Removes the node and its ancestors as far as nothing needs them. */
  #prune(leaf: number): void {
    let node = leaf;
    while (node !== ROOT && this.#children[node] === 0 && this.#entries.isEmpty(node)) {
      const parent = this.#nodes.first(node);
      const level = this.#nodes.second(node);
      if (level === this.#plusLevel) this.#plus[parent] = 0;
      else if (level === this.#hashLevel) this.#hash[parent] = 0;
      this.#nodes.remove(node);
      this.#names.release(level);
      this.#children[parent] = (this.#children[parent] as number) - 1;
      node = parent;
    }
  }

  #assertIdle(): void {
    if (this.#visiting) throw new Error("SubscriptionIndex: used from inside its own match().");
  }
}

function endOfLevel(text: string, start: number): number {
  for (let at = start; at < text.length; at++) if (text.charCodeAt(at) === SLASH) return at;
  return text.length;
}

function grown(old: Int32Array, capacity: number): Int32Array {
  const larger = new Int32Array(capacity);
  larger.set(old);
  return larger;
}
