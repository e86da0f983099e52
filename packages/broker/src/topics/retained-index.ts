import { patternMatches } from "../model/topic-pattern.ts";
export class RetainedIndex<T> {
  readonly #m: Map<string, T> = new Map();
  get size(): number { return this.#m.size; }
  set(t: string, v: T): void { this.#m.set(t, v); }
  get(t: string): T | undefined { return this.#m.get(t); }
  delete(t: string): void { this.#m.delete(t); }
  matching(f: string, visit: (v: T) => void): void { for (const [t, v] of this.#m) if (patternMatches(f, t)) visit(v); }
  forEach(visit: (v: T) => void): void { for (const v of this.#m.values()) visit(v); }
}
