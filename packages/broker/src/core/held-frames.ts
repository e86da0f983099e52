/**
 * The frame from which a lagging subscription was served last. A consumer of little credit comes back for the next message
 * of it again and again; meanwhile others, and all that is published, would push it out of the journal's cache.
 */
import type { JournalFrame } from "../model/journal.ts";
import { holds } from "./frame-reading.ts";

export class HeldFrames<K> {
  readonly #bytesMax: number;
  /** In order of use, oldest first. */
  readonly #frames: Map<K, JournalFrame> = new Map();
  #bytes = 0;

  /** The newest is held whatever its size. */
  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get(holder: K, seq: number): JournalFrame | undefined {
    const frame = this.#frames.get(holder);
    return frame !== undefined && holds(frame, seq) ? frame : undefined;
  }

  hold(holder: K, frame: JournalFrame): void {
    this.drop(holder);
    this.#frames.set(holder, frame);
    this.#bytes += frame.bytes.length;
    for (const [other] of this.#frames) {
      if (this.#bytes <= this.#bytesMax || other === holder) return;
      this.drop(other);
    }
  }

  drop(holder: K): void {
    const frame = this.#frames.get(holder);
    if (frame === undefined) return;
    this.#frames.delete(holder);
    this.#bytes -= frame.bytes.length;
  }
}
