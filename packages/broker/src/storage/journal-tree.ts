import { DROPPED_SPANS_MAX, encodeExtension } from "./frame-extension.ts";
import { LeafNodes } from "./leaf-nodes.ts";
import { LeafSpan, NO_SPAN, rootOf, type Span } from "./leaf-span.ts";
import { leafHash } from "./merkle.ts";

/** The tree as recovery found it. */
export interface RecoveredTree {
  /** All leaves. */
  readonly whole: Span;
  /** Last segment that holds a frame, and its leaves; 0 in a new journal. */
  readonly lastId: number;
  readonly last: LeafNodes;
  /** Leaves of dropped segments that lie after a kept one. */
  readonly dropped: readonly Span[];
  /** Leaves of segments that were read, by segment id. */
  readonly spans: ReadonlyMap<number, Span>;
}

export const emptyTree = (): RecoveredTree => ({
  whole: NO_SPAN,
  lastId: 0,
  last: new LeafNodes(0),
  dropped: [],
  spans: new Map(),
});

const NOTHING = Buffer.alloc(0);
/** Nodes of sealed segments that are kept in memory. */
const CACHED_BYTES_MAX = 16 * 1_024 * 1_024;

/**
 * The RFC 6962 tree whose leaves are the durable frames. A frame costs a leaf and, on average, one inner node: two short
 * SHA-256. What it keeps in memory: 64 bytes for each frame of the active segment, a kilobyte for each older one that was
 * asked for.
 */
export class JournalTree {
  /** Leaves of sealed segments, as far as they are known. */
  readonly spans: Map<number, Span>;
  /** All leaves before the active segment. */
  #before: Span;
  /** Leaves of the last segment with a frame before this life of the journal. */
  readonly #previous: Span;
  #active: LeafNodes;
  #dropped: readonly Span[];
  /** Of those, what the next frame is to say. */
  #dropping: Span[] = [];
  readonly #cached: Map<number, LeafNodes> = new Map();

  constructor(recovered: RecoveredTree) {
    this.spans = new Map(recovered.spans);
    this.#before = recovered.whole;
    this.#previous = recovered.last.span;
    this.#active = new LeafNodes(recovered.whole.to);
    this.#dropped = recovered.dropped;
    if (recovered.lastId > 0) this.keep(recovered.lastId, recovered.last);
  }

  /** How many frames are durable. */
  get size(): number {
    return this.#active.to;
  }

  get active(): LeafNodes {
    return this.#active;
  }

  get before(): Span {
    return this.#before;
  }

  get dropped(): readonly Span[] {
    return this.#dropped;
  }

  get whole(): Span {
    const leaves = new LeafSpan(this.#before);
    leaves.join(this.#active.span);
    return leaves.span;
  }

  get root(): Buffer {
    return rootOf(this.whole);
  }

  /** A frame with this chain hash is durable; `recordRoot` is that over its records, if it has one. */
  committed(chainHash: Buffer, recordRoot?: Buffer): void {
    this.#active.append(leafHash(leafDataOf(chainHash, recordRoot)));
    if (this.#dropping.length > 0) this.#dropping = [];
  }

  /** The next frame goes to a new segment; `id` is the one that is sealed. */
  rolled(id: number): void {
    const sealed = this.#active;
    this.#before = this.whole;
    this.#active = new LeafNodes(this.#before.to);
    if (sealed.to > sealed.from) this.keep(id, sealed);
  }

  /** Remembers the nodes of a sealed segment, and forgets those that were not used for longest. */
  keep(id: number, nodes: LeafNodes): void {
    this.spans.set(id, nodes.span);
    this.#cached.delete(id);
    this.#cached.set(id, nodes);
    let bytes = 0;
    for (const { bytes: more } of this.#cached.values()) bytes += more;
    for (const [oldest, { bytes: fewer }] of this.#cached) {
      if (bytes <= CACHED_BYTES_MAX || oldest === id) return;
      this.#cached.delete(oldest);
      bytes -= fewer;
    }
  }

  /** All nodes of a sealed segment, if they are in memory. */
  cached(id: number): LeafNodes | undefined {
    const nodes = this.#cached.get(id);
    if (nodes !== undefined) this.keep(id, nodes);
    return nodes;
  }

  /**
   * What the frame that is sealed next says of the tree. `begins`: it is the first of its segment, and carries the tree
   * before it.
   */
  extension(begins: boolean): Buffer {
    const dropped = this.#dropping;
    if (!begins) return dropped.length === 0 ? NOTHING : encodeExtension({ dropped });
    // With a segment about to be made the active one is the previous.
    const sealing = this.#active.to > this.#active.from;
    const previous = sealing ? this.#active.span : this.#previous;
    return encodeExtension({ state: { whole: this.whole, previous, dropped: this.#dropped }, dropped });
  }

  /** A segment goes whose trim record is in the next frame. `isMiddle`: an older one stays, and its proofs need these leaves. */
  drop(id: number, isMiddle: boolean): void {
    const span = this.spans.get(id);
    if (span === undefined || span.from === span.to) return;
    this.spans.delete(id);
    this.#cached.delete(id);
    if (isMiddle) {
      this.#dropping.push(span);
      this.#dropped = withSpan(this.#dropped, span);
    } else this.#dropped = this.#dropped.filter(({ from }) => from > span.to);
  }
}

/** What the leaf of a frame is the hash of. */
export function leafDataOf(chainHash: Buffer, recordRoot: Buffer | undefined): Buffer {
  return recordRoot === undefined ? chainHash : Buffer.concat([chainHash, recordRoot]);
}

/** Spans in order, with one more; those that touch become one, and the oldest go when there are too many. */
export function withSpan(spans: readonly Span[], added: Span): readonly Span[] {
  const ordered = [...spans, added].sort((a, b) => a.from - b.from);
  const joined: Span[] = [];
  for (const span of ordered) {
    const last = joined.at(-1);
    if (last === undefined || span.from > last.to) joined.push(span);
    else if (span.from === last.to) {
      const leaves = new LeafSpan(last);
      leaves.join(span);
      joined[joined.length - 1] = leaves.span;
    }
  }
  return joined.slice(-DROPPED_SPANS_MAX);
}
