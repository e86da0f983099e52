import { LevelNames } from "../model/level-names.ts";
import { PairTable } from "../model/pair-table.ts";

const ROOT = 0;
/** Flat links of one node. */
const LINKS = 5;
const FIRST_CHILD = 0;
const NEXT_SIBLING = 1;
const PREVIOUS_SIBLING = 2;
/** Order of first setting. */
const NEXT = 3;
const PREVIOUS = 4;

/**
 * One value for each topic name, found by name or by filter. A tree of levels in flat arrays; names are not stored but
 * put together from their levels, so a topic costs about 100 bytes and its own levels. A filter walks only the
 * branches it can match. Nothing recurses.
 */
export class RetainedIndex<T> {
  readonly #names: LevelNames;
  /** Edges (parent, level id); the id is the child node. The root is node 0. */
  readonly #nodes: PairTable;
  #links: Int32Array = new Int32Array(16 * LINKS);
  /** By node, when it has a value: when it was first set. Grows with each, so the order ring is sorted by it. */
  #stamps: Float64Array = new Float64Array(16);
  readonly #values: (T | undefined)[] = [undefined];
  #count = 0;
  #lastStamp = 0;
  /** Grows with every change: what was found is what would be found while it is the same. */
  changes = 0;

  /** `seed` keeps clients from choosing colliding names; 0 is for tests. */
  constructor(seed: number = 0) {
    this.#names = new LevelNames(seed);
    this.#nodes = new PairTable(seed);
  }

  /** Topics that have a value. */
  get count(): number {
    return this.#count;
  }

  /** Nodes of the tree: bounded by topics times levels. */
  get nodeCount(): number {
    return this.#nodes.count;
  }

  get(topic: string): T | undefined {
    const node = this.#nodeOf(topic);
    return node < 0 ? undefined : this.#values[node];
  }

  /** A topic that has a value keeps its place in the order. */
  set(topic: string, value: T): void {
    let node = ROOT;
    let start = 0;
    do {
      const end = endOfLevel(topic, start);
      const level = this.#names.find(topic, start, end);
      const child = level === 0 ? 0 : this.#nodes.find(node, level);
      node = child === 0 ? this.#addChild(node, this.#names.acquire(topic, start, end)) : child;
      start = end + 1;
    } while (start <= topic.length);
    this.#values[node] = value;
    this.changes += 1;
    if (this.#stamps[node] !== 0) return;
    this.#count += 1;
    this.#lastStamp += 1;
    this.#stamps[node] = this.#lastStamp;
    // The ring of the order goes through the root.
    this.#chain(this.#link(ROOT, PREVIOUS), node);
    this.#chain(node, ROOT);
  }

  /** False when the topic had no value. */
  delete(topic: string): boolean {
    const node = this.#nodeOf(topic);
    if (node < 0 || this.#stamps[node] === 0) return false;
    this.#values[node] = undefined;
    this.#stamps[node] = 0;
    this.changes += 1;
    this.#count -= 1;
    this.#chain(this.#link(node, PREVIOUS), this.#link(node, NEXT));
    this.#prune(node);
    return true;
  }

  /** Visits the values in order of first setting. `visit` must not change this index. */
  forEach(visit: (value: T, topic: string) => void): void {
    for (const [topic, value] of this.entries()) visit(value, topic);
  }

  /**
   * In order of first setting. Between two steps the index may change: what was removed is not seen any more, what was
   * added is seen at the end.
   */
  *entries(): IterableIterator<[string, T]> {
    let node = this.#link(ROOT, NEXT);
    while (node !== ROOT) {
      const stamp = this.#stamps[node] as number;
      yield [this.#topicOf(node), this.#values[node] as T];
      node = this.#stamps[node] === stamp ? this.#link(node, NEXT) : this.#firstAfter(stamp);
    }
  }

  /** Visits every topic the filter matches, each once. `filter` is a valid filter; `visit` must not change this index. */
  matching(filter: string, visit: (value: T, topic: string) => void): void {
    const levels = filter.split("/");
    // What is still to be looked at: node, how many levels of the filter it has used up, its topic so far.
    const nodes: number[] = [ROOT];
    const depths: number[] = [0];
    const prefixes: string[] = [""];
    while (nodes.length > 0) {
      const node = nodes.pop() as number;
      const depth = depths.pop() as number;
      const prefix = prefixes.pop() as string;
      const level = levels[depth];
      const all = level === "#";
      // 4.7.1.2: `a/#` matches `a` too.
      if ((level === undefined || all) && this.#stamps[node] !== 0) visit(this.#values[node] as T, prefix);
      if (level === undefined) continue;
      if (all || level === "+") {
        for (let child = this.#link(node, FIRST_CHILD); child !== 0; child = this.#link(child, NEXT_SIBLING)) {
          const name = this.#names.name(this.#nodes.second(child));
          // MQTT-4.7.2-1: a filter that begins with a wildcard matches no topic that begins with `$`.
          if (node === ROOT && name.startsWith("$")) continue;
          nodes.push(child);
          depths.push(all ? depth : depth + 1);
          prefixes.push(node === ROOT ? name : `${prefix}/${name}`);
        }
        continue;
      }
      const id = this.#names.find(level, 0, level.length);
      const child = id === 0 ? 0 : this.#nodes.find(node, id);
      if (child === 0) continue;
      nodes.push(child);
      depths.push(depth + 1);
      prefixes.push(node === ROOT ? level : `${prefix}/${level}`);
    }
  }

  #nodeOf(topic: string): number {
    let node = ROOT;
    let start = 0;
    do {
      const end = endOfLevel(topic, start);
      const level = this.#names.find(topic, start, end);
      const child = level === 0 ? 0 : this.#nodes.find(node, level);
      if (child === 0) return -1;
      node = child;
      start = end + 1;
    } while (start <= topic.length);
    return node;
  }

  #topicOf(node: number): string {
    let topic = this.#names.name(this.#nodes.second(node));
    for (let at = this.#nodes.first(node); at !== ROOT; at = this.#nodes.first(at)) {
      topic = `${this.#names.name(this.#nodes.second(at))}/${topic}`;
    }
    return topic;
  }

  /** The place of a cursor whose topic went away. A scan, but only for a cursor that lost its place. */
  #firstAfter(stamp: number): number {
    let node = this.#link(ROOT, NEXT);
    while (node !== ROOT && (this.#stamps[node] as number) <= stamp) node = this.#link(node, NEXT);
    return node;
  }

  #addChild(parent: number, level: number): number {
    const node = this.#nodes.add(parent, level);
    const capacity = this.#nodes.capacity;
    if (capacity > this.#stamps.length) {
      const links = new Int32Array(capacity * LINKS);
      links.set(this.#links);
      this.#links = links;
      const stamps = new Float64Array(capacity);
      stamps.set(this.#stamps);
      this.#stamps = stamps;
    }
    this.#values[node] = undefined;
    const sibling = this.#link(parent, FIRST_CHILD);
    this.#links.fill(0, node * LINKS, (node + 1) * LINKS);
    this.#setLink(node, NEXT_SIBLING, sibling);
    if (sibling !== 0) this.#setLink(sibling, PREVIOUS_SIBLING, node);
    this.#setLink(parent, FIRST_CHILD, node);
    return node;
  }

  /** Removes the node and its ancestors as far as nothing needs them. */
  #prune(leaf: number): void {
    let node = leaf;
    while (node !== ROOT && this.#link(node, FIRST_CHILD) === 0 && this.#stamps[node] === 0) {
      const parent = this.#nodes.first(node);
      const next = this.#link(node, NEXT_SIBLING);
      const previous = this.#link(node, PREVIOUS_SIBLING);
      if (next !== 0) this.#setLink(next, PREVIOUS_SIBLING, previous);
      if (previous !== 0) this.#setLink(previous, NEXT_SIBLING, next);
      else this.#setLink(parent, FIRST_CHILD, next);
      const level = this.#nodes.second(node);
      this.#nodes.remove(node);
      this.#names.release(level);
      node = parent;
    }
  }

  #chain(node: number, next: number): void {
    this.#setLink(node, NEXT, next);
    this.#setLink(next, PREVIOUS, node);
  }

  #link(node: number, link: number): number {
    return this.#links[node * LINKS + link] as number;
  }

  #setLink(node: number, link: number, to: number): void {
    this.#links[node * LINKS + link] = to;
  }
}

function endOfLevel(text: string, start: number): number {
  const slash = text.indexOf("/", start);
  return slash < 0 ? text.length : slash;
}
