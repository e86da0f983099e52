/** Keys and tokens by id, what scopes they carry, and in which order they end. A fold over the journal: it reads no clock. */
import { type Deadline, Deadlines } from "../delivery/deadlines.ts";
import { type KeyRecord, principalOfKey } from "../model/policy.ts";
import { compileScope, type ScopedPrincipal } from "../security/compile-policy.ts";

export class KeyTable {
  readonly #byId: Map<string, KeyRecord> = new Map();
  /** Scoped tokens by derived name: part of the compiled policy, and changed under it. */
  readonly scoped: Map<string, ScopedPrincipal> = new Map();
  readonly #tokensOf: Map<string, number> = new Map();
  /** Ids by wall-clock time. */
  readonly #ends: Deadlines<string> = new Deadlines();
  readonly #endOf: Map<string, Deadline<string>> = new Map();
  #tokens = 0;

  get size(): number {
    return this.#byId.size;
  }

  /** Of all principals together. */
  get tokens(): number {
    return this.#tokens;
  }

  tokensOf(principal: string): number {
    return this.#tokensOf.get(principal) ?? 0;
  }

  get(id: string): KeyRecord | undefined {
    return this.#byId.get(id);
  }

  has(id: string): boolean {
    return this.#byId.has(id);
  }

  values(): IterableIterator<KeyRecord> {
    return this.#byId.values();
  }

  /** One with this id that is there already is replaced. */
  set(key: KeyRecord): void {
    this.delete(key.id);
    this.#byId.set(key.id, key);
    if (key.scope !== undefined) this.scoped.set(principalOfKey(key), compileScope(key.principal, key.scope));
    if (key.isToken === true) this.#countToken(key.principal, 1);
    if (key.expiresAt !== undefined) this.endAt(key, key.expiresAt);
  }

  delete(id: string): void {
    const key = this.#byId.get(id);
    if (key === undefined) return;
    this.#byId.delete(id);
    if (key.scope !== undefined) this.scoped.delete(principalOfKey(key));
    if (key.isToken === true) this.#countToken(key.principal, -1);
    this.#forgetEnd(id);
  }

  /** When it comes out of `due`: its end, or later while something is still to be done in its name. */
  endAt({ id }: KeyRecord, at: number): void {
    this.#forgetEnd(id);
    this.#endOf.set(id, this.#ends.set(at, id));
  }

  /** Wall-clock milliseconds; `undefined` when none ends. */
  earliestEnd(): number | undefined {
    return this.#ends.earliest();
  }

  /** Those whose time is over at `now`, `most` of them at most; they stay in the table. */
  due(now: number, most: number): KeyRecord[] {
    const over: KeyRecord[] = [];
    this.#ends.due(
      now,
      (id) => {
        this.#endOf.delete(id);
        const key = this.#byId.get(id);
        if (key !== undefined) over.push(key);
      },
      most,
    );
    return over;
  }

  #forgetEnd(id: string): void {
    const end = this.#endOf.get(id);
    if (end === undefined) return;
    this.#ends.cancel(end);
    this.#endOf.delete(id);
  }

  #countToken(principal: string, by: number): void {
    this.#tokens += by;
    const count = this.tokensOf(principal) + by;
    if (count > 0) this.#tokensOf.set(principal, count);
    else this.#tokensOf.delete(principal);
  }
}
