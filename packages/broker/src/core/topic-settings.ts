/** What is declared about topics: of the filters that match, the most specific one counts, as a whole. */
import type { SchemaCompiler } from "../model/message-checks.ts";
import type { TopicDeclared } from "../model/record.ts";
import { SubscriptionIndex } from "../subscriptions/subscription-index.ts";
import { DeclaredTopic } from "./declared-topic.ts";
import type { SavedMark } from "./retention-marks.ts";
import type { Topic } from "./topic.ts";

/** Ranges of all declarations together; and of one alone, however few there are. */
const marksMax = 262_144;
const marksPerTopicMax = 1_024;
const marksPerTopicMin = 8;
const onlyKey = 0;

export class TopicSettingsTable {
  readonly #schemas: SchemaCompiler;
  readonly #index: SubscriptionIndex<DeclaredTopic>;
  readonly #byFilter: Map<string, DeclaredTopic> = new Map();
  #generation = 0;
  /** How many there are, and how many of them keep messages or have a rate. Asked for each publish: plain numbers. */
  size = 0;
  retaining = 0;
  rated = 0;

  constructor(schemas: SchemaCompiler, seed: number) {
    this.#schemas = schemas;
    this.#index = new SubscriptionIndex(seed);
  }

  get(filter: string): DeclaredTopic | undefined {
    return this.#byFilter.get(filter);
  }

  values(): IterableIterator<DeclaredTopic> {
    return this.#byFilter.values();
  }

  /** Live and in recovery. */
  set(declared: TopicDeclared): void {
    const before = this.#byFilter.get(declared.filter);
    const after = new DeclaredTopic(declared, this.#schemas, before?.marks);
    this.#byFilter.set(declared.filter, after);
    this.#index.set(declared.filter, onlyKey, after);
    this.size = this.#byFilter.size;
    this.retaining += keeps(after) - keeps(before);
    this.rated += hasRate(after) - hasRate(before);
    this.#generation++;
  }

  remove(filter: string): void {
    const before = this.#byFilter.get(filter);
    if (before === undefined) return;
    this.#byFilter.delete(filter);
    this.size = this.#byFilter.size;
    this.#index.remove(filter, onlyKey);
    this.retaining -= keeps(before);
    this.rated -= hasRate(before);
    this.#generation++;
  }

  /** What counts for the topic; remembered there. */
  of(topic: Topic): DeclaredTopic | undefined {
    if (topic.settingsGeneration !== this.#generation) this.#find(topic);
    return topic.declared;
  }

  /** Attributes for messages of the topic that have no key of their own: its key alone, or nothing. */
  keyOf(topic: Topic): Uint8Array {
    if (topic.settingsGeneration !== this.#generation) this.#find(topic);
    return topic.keyAttributes;
  }

  /** Whether messages of the topic get more attributes than they come with. */
  adds(topic: Topic): boolean {
    return this.keyOf(topic).length > 0 || topic.declared?.settings.erasure !== undefined;
  }

  /** Whether each message of the topic is to be proved by itself. */
  proves(topic: Topic): boolean {
    return this.size > 0 && this.of(topic)?.settings.proofs !== undefined;
  }

  /** A message that is to be kept as its topic says. Live and in recovery. */
  keep(topic: Topic, message: { readonly seq: number; readonly bytes: number; readonly at: number }): void {
    const declared = this.of(topic);
    const retention = declared?.settings.retention;
    if (declared === undefined || retention === undefined) return;
    declared.marks.note(message, retention);
    declared.marks.bound(this.#marksMax);
  }

  restoreMarks(filter: string, marks: readonly SavedMark[]): void {
    this.#byFilter.get(filter)?.marks.load(marks);
  }

  /** Ranges of records that are kept at this time. */
  forEachKept(now: number, visit: (from: number, to: number) => void): void {
    if (this.retaining === 0) return;
    for (const { settings, marks } of this.#byFilter.values()) {
      if (settings.retention === undefined) continue;
      marks.expire(settings.retention, now);
      marks.forEach(visit);
    }
  }

  get #marksMax(): number {
    return Math.min(marksPerTopicMax, Math.max(marksPerTopicMin, Math.floor(marksMax / this.retaining)));
  }

  #find(topic: Topic): void {
    let best: DeclaredTopic | undefined;
    this.#index.match(topic.name, (declared) => {
      if (best === undefined || isMoreSpecific(declared.filter, best.filter)) best = declared;
    });
    topic.declared = best;
    topic.keyAttributes = best?.keyOf(topic.name) ?? noKey;
    topic.settingsGeneration = this.#generation;
  }
}

const noKey = new Uint8Array(0);

function keeps(declared: DeclaredTopic | undefined): 0 | 1 {
  return declared?.settings.retention === undefined ? 0 : 1;
}

function hasRate(declared: DeclaredTopic | undefined): 0 | 1 {
  return declared?.meter === undefined ? 0 : 1;
}

/** Both match the same topic. Level by level from the left: a name comes before `+`, and that before `#`. */
export function isMoreSpecific(a: string, b: string): boolean {
  const left = a.split("/");
  const right = b.split("/");
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const difference = rank(left[i]) - rank(right[i]);
    if (difference !== 0) return difference < 0;
  }
  return false;
}

/** Where one ends the other has `#`, or it would not match. */
function rank(level: string | undefined): number {
  return level === "#" ? 2 : level === "+" ? 1 : 0;
}
