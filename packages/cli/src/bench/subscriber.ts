import type { PublishView } from "@mess/client";
import type { Histogram } from "./histogram.ts";
import { SequenceSet } from "./sequence-set.ts";
import { readStamp, type Stamp } from "./stamp.ts";

/** What one subscribing connection saw. */
export class BenchSubscriber {
  readonly #runId: number;
  readonly #latency: Histogram;
  readonly #seen: readonly SequenceSet[];
  readonly #stamp: Stamp = { runId: 0, publisher: 0, sequence: 0, due: 0 };
  received = 0;

  constructor(runId: number, publishers: number, latency: Histogram) {
    this.#runId = runId;
    this.#latency = latency;
    this.#seen = Array.from({ length: publishers }, () => new SequenceSet());
  }

  message(view: PublishView): void {
    const stamp = this.#stamp;
    if (!readStamp(view.bytes, view.payloadStart, view.payloadEnd, stamp) || stamp.runId !== this.#runId) return;
    this.received += 1;
    this.#latency.record((performance.now() - stamp.due) * 1000);
    this.#seen[stamp.publisher]?.add(stamp.sequence);
  }

  get unique(): number {
    return this.#seen.reduce((sum, set) => sum + set.unique, 0);
  }

  get duplicates(): number {
    return this.#seen.reduce((sum, set) => sum + set.duplicates, 0);
  }

  get outOfOrder(): number {
    return this.#seen.reduce((sum, set) => sum + set.outOfOrder, 0);
  }
}
