import type { JournalFrame } from "../model/journal.ts";
import { MessageView } from "../model/message.ts";
import {
  type DomainsErased,
  type ErasureState,
  jsonBytes,
  messageOffset,
  RecordKind,
  readJson,
} from "../model/record.ts";

interface Orphan {
  readonly topic: string;
  lastSeq: number;
}

/**
 * Erasure domains in what is left of a journal. The record that one was erased may be lost, and then it lacks its key
 * without a reason; or the record that it was made, and then its messages would pass for erased.
 */
export class DomainSurvey {
  readonly #made: Set<number> = new Set();
  readonly #seen: Map<number, Orphan> = new Map();
  readonly #view: MessageView = new MessageView();

  take(frame: JournalFrame): void {
    const { bytes, kinds, starts, ends, firstSeq } = frame;
    for (let i = 0; i < frame.count; i++) {
      const isPart = kinds[i] === RecordKind.snapshotPart;
      const kind = isPart ? bytes[starts[i]!] : kinds[i];
      if (kind !== RecordKind.erasureState) continue;
      const state = readJson<ErasureState>(bytes, starts[i]! + (isPart ? 1 : 0), ends[i]!);
      for (const { number } of state.domains) this.#made.add(number);
    }
    for (const { index, domain } of frame.confined ?? []) {
      const known = this.#seen.get(domain);
      if (known !== undefined) known.lastSeq = firstSeq + index;
      else this.#seen.set(domain, { topic: this.#topicOf(frame, index), lastSeq: firstSeq + index });
    }
  }

  /** Records that make the state fit the keys that there are; they come after all others. */
  records(hasKey: (domain: number) => boolean): readonly { readonly kind: number; readonly body: Buffer }[] {
    const numbers = [...new Set([...this.#made, ...this.#seen.keys()])].filter((domain) => !hasKey(domain));
    const erased: DomainsErased = { numbers, by: "repair" };
    const domains = [...this.#seen]
      .filter(([domain]) => !this.#made.has(domain) && hasKey(domain))
      // What it was made for is not known any more: it can be erased by the topic of its first message.
      .map(([number, { topic, lastSeq }]) => ({ number, by: "topic" as const, filter: "#", name: topic, lastSeq }));
    return [
      ...(domains.length > 0
        ? [{ kind: RecordKind.erasureState, body: jsonBytes({ domains } satisfies ErasureState) }]
        : []),
      ...(numbers.length > 0 ? [{ kind: RecordKind.domainsErased, body: jsonBytes(erased) }] : []),
    ];
  }

  #topicOf({ bytes, kinds, starts, ends }: JournalFrame, index: number): string {
    const inside = messageOffset(kinds[index]!);
    return inside < 0 ? "" : this.#view.read(bytes, starts[index]! + inside, ends[index]!).topic;
  }
}
