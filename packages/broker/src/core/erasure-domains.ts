/**
 * Erasure domains: what is to become unreadable together has a number, and in storage a key, of its own. A message
 * whose topic asks for it names its domain among its attributes; headers and payload lie under the domain's key.
 */
import { patternMatches } from "../model/topic-pattern.ts";

/** What a domain holds: the messages of one topic, or those of one ordering key under a declaration. */
export interface DomainName {
  readonly by: "topic" | "key";
  /** The declaration that asked for it. */
  readonly filter: string;
  /** A topic or a key; of the messages without a key it is empty. */
  readonly name: string;
}

export interface ErasureDomain extends DomainName {
  /** From 1; never used twice. */
  readonly number: number;
  /** The last record that has something in it; 0 for none. */
  lastSeq: number;
}

/** Whose data are to go: of topics, or of one ordering key. */
export interface ErasureSelection {
  /** With `key`, a declaration's filter, as it was declared; without, any filter: what is under it goes. */
  readonly filter: string;
  readonly key?: string | undefined;
}

export class ErasureDomains {
  readonly #byName: Map<string, ErasureDomain> = new Map();
  readonly #byNumber: Map<number, ErasureDomain> = new Map();
  lastNumber = 0;
  /** Erased in the journal; nobody has said yet that their keys are gone. */
  readonly destroying: Set<number> = new Set();

  get size(): number {
    return this.#byNumber.size;
  }

  values(): IterableIterator<ErasureDomain> {
    return this.#byNumber.values();
  }

  find(name: DomainName): ErasureDomain | undefined {
    return this.#byName.get(textOf(name));
  }

  isLive(number: number): boolean {
    return this.#byNumber.has(number);
  }

  /** Live and in recovery. */
  add(domain: ErasureDomain): void {
    this.#byName.set(textOf(domain), domain);
    this.#byNumber.set(domain.number, domain);
    this.lastNumber = Math.max(this.lastNumber, domain.number);
  }

  /** Record `seq` has something in the domain. Live and in recovery. */
  note(number: number, seq: number): void {
    const domain = this.#byNumber.get(number);
    if (domain !== undefined && domain.lastSeq < seq) domain.lastSeq = seq;
  }

  /** From here on nobody is given what is in these domains. Live and in recovery. */
  remove(numbers: readonly number[]): void {
    for (const number of numbers) {
      const domain = this.#byNumber.get(number);
      this.destroying.add(number);
      if (domain === undefined) continue;
      this.#byNumber.delete(number);
      const text = textOf(domain);
      if (this.#byName.get(text) === domain) this.#byName.delete(text);
    }
  }

  /** Numbers of the domains that are selected. */
  select({ filter, key }: ErasureSelection): number[] {
    if (key !== undefined) {
      const domain = this.find({ by: "key", filter, name: key });
      return domain === undefined ? [] : [domain.number];
    }
    const levels = filter.split("/");
    const isSelected = (domain: ErasureDomain): boolean =>
      domain.by === "topic" ? patternMatches(levels, domain.name) : covers(filter, levels, domain.filter);
    return [...this.#byNumber.values()].filter(isSelected).map(({ number }) => number);
  }

  /** Domains of which no record is left, some of them: everything that was in them lies before `seq`. */
  unusedBefore(seq: number, most: number): number[] {
    const unused: number[] = [];
    for (const { number, lastSeq } of this.#byNumber.values()) {
      if (lastSeq >= seq) continue;
      if (unused.push(number) >= most) break;
    }
    return unused;
  }

  /** Those whose key storage must have. */
  used(): number[] {
    return [...this.#byNumber.values()].filter(({ lastSeq }) => lastSeq > 0).map(({ number }) => number);
  }
}

/** Whether everything that `other` matches is matched by `filter`, whose levels these are. */
function covers(filter: string, levels: readonly string[], other: string): boolean {
  // The wildcards of `other` pass for names, but for the last.
  return patternMatches(levels, other) && (!other.endsWith("#") || filter.endsWith("#"));
}

/** A topic is the same whatever declaration it came under. */
function textOf({ by, filter, name }: DomainName): string {
  return by === "topic" ? name : `${filter}\0${name}`;
}
