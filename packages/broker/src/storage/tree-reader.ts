import type { JournalFrame } from "../model/journal.ts";
import type {
  ConsistencyAnswer,
  InclusionAnswer,
  LogProofs,
  NoProof,
  RecordProof,
  TreeHead,
} from "../model/log-proofs.ts";
import type { JournalTree } from "./journal-tree.ts";
import type { Keyring } from "./keyring.ts";
import { KnownNodes } from "./known-nodes.ts";
import type { LeafNodes } from "./leaf-nodes.ts";
import { NO_SPAN, type Span } from "./leaf-span.ts";
import {
  consistencyRanges,
  EMPTY_ROOT,
  inclusionRanges,
  leafHash,
  verifyConsistency,
  verifyInclusion,
} from "./merkle.ts";
import { proveRecord } from "./record-tree.ts";
import type { SegmentCatalogue, SegmentEntry } from "./segment-catalogue.ts";
import { type FramePlace, type LeavesOptions, locateFrame, readLeaves, readTreeState } from "./segment-leaves.ts";
import { StorageError } from "./storage-error.ts";

export interface TreeReaderParts extends LeavesOptions {
  readonly catalogue: SegmentCatalogue;
  readonly tree: JournalTree;
  /** Makes sure that an entry knows its end. */
  readonly findEnd: (entry: SegmentEntry) => Promise<void>;
  /** The frame with a record, opened; `undefined` when it was dropped meanwhile. Absent: records are not proved. */
  readonly openFrame?: (seq: number) => Promise<JournalFrame | undefined>;
  readonly keyring: Keyring;
}

/** Proofs that wait for their turn. Each may read the headers of two segments. */
const WAITING_MAX = 64;

const BEGINS_MAX = 4_096;

const isFilled = (entry: SegmentEntry): boolean => entry.lastSeq >= entry.header.firstSeq;

const no = (reason: NoProof["reason"], message: string): NoProof => ({ ok: false, reason, message });

const dropped = (): NoProof =>
  no("dropped", "Retention dropped segments that this proof needs. Ask for proofs before their records go.");

/**
 * Proofs over a journal that goes on. A proof needs all nodes of the segments that its leaf numbers lie in, and a few
 * hashes of each later one; those come from memory, from the first frame of the segment after, or from the headers of
 * frames. One proof is worked out at a time. Rejects with a `StorageError` when what is on disk is damaged.
 */
export class TreeReader implements LogProofs {
  readonly #parts: TreeReaderParts;
  /** Leaf number at which a sealed segment begins; `undefined` for one that has no place in the tree. */
  readonly #begins: Map<number, number | undefined> = new Map();
  #turn: Promise<unknown> = Promise.resolve();
  #waiting = 0;

  constructor(parts: TreeReaderParts) {
    this.#parts = parts;
  }

  get head(): TreeHead {
    const { size, root } = this.#parts.tree;
    return { size, root };
  }

  rootAt(size: number): Promise<Buffer | NoProof> {
    return this.#inTurn(async () => {
      if (!this.#isSize(size)) return this.#unknownSize(size);
      if (size === 0) return EMPTY_ROOT;
      const known = await this.#known(size, size);
      return known?.range({ from: 0, to: size }) ?? dropped();
    });
  }

  inclusion(seq: number, size: number): Promise<InclusionAnswer | NoProof> {
    return this.#inTurn(() => this.#inclusion(seq, size));
  }

  consistency(from: number, to: number): Promise<ConsistencyAnswer | NoProof> {
    return this.#inTurn(() => this.#consistency(from, to));
  }

  /** The leaves of a sealed segment; needed before it is dropped. */
  spanOf(entry: SegmentEntry): Promise<Span | undefined> {
    return this.#span(entry);
  }

  async #inclusion(seq: number, size: number): Promise<InclusionAnswer | NoProof> {
    if (!this.#isSize(size)) return this.#unknownSize(size);
    const entry = this.#parts.catalogue.holding(seq);
    if (entry === undefined) return no("unknown", `There is no record ${seq} in this journal.`);
    const begin = await this.#begin(entry);
    if (begin === undefined) return no("outside", `Record ${seq} was written before this journal had a tree.`);
    const frame = await locateFrame(this.#parts, entry.header, seq, entry.index?.find(seq)?.offset);
    if (frame === undefined) return no("unknown", `There is no record ${seq} in this journal.`);
    const index = begin + frame.counter;
    if (index >= size)
      return no("unknown", `Record ${seq} is in leaf ${index}, and the tree of that size ends before.`);
    const known = await this.#known(index, size);
    const path = known?.ranges(inclusionRanges(index, size));
    const root = known?.range({ from: 0, to: size });
    if (path === undefined || root === undefined) return dropped();
    const { leafData } = frame;
    if (!verifyInclusion({ index, size, leaf: leafHash(leafData), path }, root)) throw damaged();
    const record = await this.#record(entry, seq, frame);
    const { firstSeq, count } = frame;
    const proof = { ok: true, seq, frame: { firstSeq, count }, index, size, root, leafData, path } as const;
    return record === undefined ? proof : { ...proof, record };
  }

  async #record(entry: SegmentEntry, seq: number, place: FramePlace): Promise<RecordProof | undefined> {
    const { keyring, openFrame } = this.#parts;
    const { keyId, salt } = entry.header;
    if (place.recordRoot === undefined) return undefined;
    const frame = await openFrame?.(seq);
    const key = keyring.segmentKey(keyId, salt);
    if (frame === undefined || key === undefined) return undefined;
    const proof = proveRecord(frame, { key, counter: place.counter }, seq);
    if (proof !== undefined && !proof.root.equals(place.recordRoot)) throw damaged();
    return proof;
  }

  async #consistency(from: number, to: number): Promise<ConsistencyAnswer | NoProof> {
    if (!this.#isSize(to)) return this.#unknownSize(to);
    if (!this.#isSize(from) || from > to) return this.#unknownSize(from);
    const known = await this.#known(from, to);
    const path = known?.ranges(consistencyRanges(from, to));
    const fromRoot = known?.range({ from: 0, to: from });
    const toRoot = known?.range({ from: 0, to });
    if (path === undefined || fromRoot === undefined || toRoot === undefined) return dropped();
    if (!verifyConsistency({ first: from, second: to, path }, fromRoot, toRoot)) throw damaged();
    return { ok: true, from, to, fromRoot, toRoot, path };
  }

  #isSize(size: number): boolean {
    return Number.isSafeInteger(size) && size >= 0 && size <= this.#parts.tree.size;
  }

  #unknownSize(size: number): NoProof {
    return no("unknown", `The tree has ${this.#parts.tree.size} leaves; there is none of ${size}.`);
  }

  /** What is known of the tree of `size` leaves, with all nodes around leaf `low` and around its end. */
  async #known(low: number, size: number): Promise<KnownNodes | undefined> {
    const { catalogue, tree } = this.#parts;
    // In one turn: the journal goes on, and what is in these lists stays as it is for leaves below `size`.
    const entries = catalogue.all.filter((entry) => isFilled(entry) || entry.active);
    const known = new KnownNodes();
    for (const span of tree.dropped) known.addSpan(span);
    const at = await this.#holding(entries, low);
    const first = entries[at];
    if (first === undefined) return low === 0 && size === 0 ? known : undefined;
    const before = await this.#before(first);
    if (before === undefined) return undefined;
    known.addSpan(before);
    known.addNodes(await this.#nodes(first));
    for (const entry of entries.slice(at + 1)) {
      const begin = await this.#begin(entry);
      if (begin === undefined || begin >= size) break;
      const span = entry.active ? undefined : await this.#span(entry);
      if (span !== undefined && span.to <= size) known.addSpan(span);
      else known.addNodes(await this.#nodes(entry));
    }
    return known;
  }

  /** The entry whose leaves begin last at or before `leaf`. */
  async #holding(entries: readonly SegmentEntry[], leaf: number): Promise<number> {
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const begin = await this.#begin(entries[middle]!);
      if (begin === undefined || begin <= leaf) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  }

  async #begin(entry: SegmentEntry): Promise<number | undefined> {
    const { tree } = this.#parts;
    const { id } = entry.header;
    if (entry.active) return tree.active.from;
    const span = tree.spans.get(id);
    if (span !== undefined) return span.from;
    if (this.#begins.size > BEGINS_MAX) this.#begins.clear();
    if (!this.#begins.has(id)) this.#begins.set(id, (await readTreeState(this.#parts, entry.header))?.whole.to);
    return this.#begins.get(id);
  }

  /** All leaves before a segment. */
  async #before(entry: SegmentEntry): Promise<Span | undefined> {
    if (entry.active) return this.#parts.tree.before;
    const begin = await this.#begin(entry);
    if (begin === 0) return NO_SPAN;
    return (await readTreeState(this.#parts, entry.header))?.whole;
  }

  async #nodes(entry: SegmentEntry): Promise<LeafNodes> {
    const { tree, findEnd } = this.#parts;
    const { id } = entry.header;
    if (entry.active) return tree.active;
    const cached = tree.cached(id);
    if (cached !== undefined) return cached;
    const expected = await this.#recordedSpan(entry);
    await findEnd(entry);
    const { header, end, endHash } = entry;
    const from = await this.#begin(entry);
    if (from === undefined || end === undefined || endHash === undefined) throw damaged();
    const nodes = await readLeaves(this.#parts, { header, end, endHash, from });
    if (expected !== undefined && !nodes.span.hashes.equals(expected.hashes)) throw damaged();
    if (this.#parts.catalogue.has(entry)) tree.keep(id, nodes);
    return nodes;
  }

  async #span(entry: SegmentEntry): Promise<Span | undefined> {
    if ((await this.#begin(entry)) === undefined) return undefined;
    return (await this.#recordedSpan(entry)) ?? (await this.#nodes(entry)).span;
  }

  /** The leaves of a segment as the first frame after it names them, if that frame is kept. */
  async #recordedSpan(entry: SegmentEntry): Promise<Span | undefined> {
    const { catalogue, tree } = this.#parts;
    const { id } = entry.header;
    const inMemory = tree.spans.get(id);
    if (inMemory !== undefined) return inMemory;
    const next = catalogue.all.find((other) => other.header.previousId === id && isFilled(other));
    if (next === undefined) return undefined;
    const state = await readTreeState(this.#parts, next.header);
    if (state === undefined) return undefined;
    if (catalogue.has(entry)) tree.spans.set(id, state.previous);
    return state.previous;
  }

  #inTurn<T>(run: () => Promise<T | NoProof>): Promise<T | NoProof> {
    if (this.#waiting >= WAITING_MAX) {
      return Promise.resolve(no("busy", "Too many proofs are being worked out. Try again in a moment."));
    }
    this.#waiting++;
    const result = this.#turn.then(run).finally(() => {
      this.#waiting--;
    });
    this.#turn = result.catch(() => undefined);
    return result;
  }
}

function damaged(): StorageError {
  return new StorageError(
    "damaged",
    "The tree of the journal does not lead to the root that was recorded. Run `mess verify`.",
  );
}
