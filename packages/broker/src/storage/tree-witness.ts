/** Somebody who keeps word of the tree outside it. */
export interface TreeWitness {
  /** A frame became durable. Called in the commit's turn: must be quick. */
  grown(): void;
  /** No frame follows. Never rejects. */
  close(): Promise<void>;
}
