import { decodeExtension, type TreeState } from "./frame-extension.ts";
import { emptyTree, leafDataOf, type RecoveredTree, withSpan } from "./journal-tree.ts";
import { LeafNodes } from "./leaf-nodes.ts";
import { LeafSpan, type Span } from "./leaf-span.ts";
import { leafHash } from "./merkle.ts";
import type { ScannedFrame } from "./segment-scan.ts";

/** What a scan of one segment, frame by frame, finds out about the tree. */
export class TreeScan {
  /** The tree before the segment; `undefined` while no frame was seen, and for one that has no place in the tree. */
  state: TreeState | undefined;
  readonly #dropped: Span[] = [];
  #nodes: LeafNodes = new LeafNodes(0);
  /** Of the frame that was visited last. */
  #recordRoot: Buffer | undefined;

  visit({ header, extension }: ScannedFrame): void {
    const { state, dropped = [], recordRoot } = decodeExtension(extension);
    this.#dropped.push(...dropped);
    if (header.counter === 0 && state !== undefined) {
      this.state = state;
      this.#nodes = new LeafNodes(state.whole.to);
    }
    // The header of a frame names the chain hash after the one before it.
    if (this.state !== undefined && header.counter > 0) this.#leaf(header.previousHash);
    this.#recordRoot = recordRoot;
  }

  /** All nodes over the segment's leaves, once its last frame was visited; `endHash` is the chain hash after it. */
  finish(endHash: Buffer): LeafNodes | undefined {
    if (this.state === undefined) return undefined;
    this.#leaf(endHash);
    return this.#nodes;
  }

  #leaf(chainHash: Buffer): void {
    this.#nodes.append(leafHash(leafDataOf(chainHash, this.#recordRoot)));
  }

  /** Leaves that were dropped from the middle of the journal, as far as this segment knows. */
  get dropped(): readonly Span[] {
    return this.#dropped.reduce(withSpan, this.state?.dropped ?? []);
  }
}

/** The tree of a journal whose last segment with a frame is `lastId`. */
export function recoveredTree(lastId: number, scan: TreeScan | undefined, nodes: LeafNodes | undefined): RecoveredTree {
  if (scan?.state === undefined || nodes === undefined) return emptyTree();
  const whole = new LeafSpan(scan.state.whole);
  whole.join(nodes.span);
  const spans = new Map([[lastId, nodes.span]]);
  return { whole: whole.span, lastId, last: nodes, dropped: scan.dropped, spans };
}
