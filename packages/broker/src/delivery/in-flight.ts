export class InFlight {
  readonly #m: Map<number, { seq: number; state: number; source: number }> = new Map(); #n = 0;
  get size(): number { return this.#m.size; }
  take(seq: number, state: number, source: number): number { do { this.#n = this.#n >= 65535 ? 1 : this.#n + 1; } while (this.#m.has(this.#n)); this.#m.set(this.#n, { seq, state, source }); return this.#n; }
  seqOf(id: number): number { return this.#m.get(id)?.seq ?? 0; }
  stateOf(id: number): number { return this.#m.get(id)?.state ?? 0; }
  sourceOf(id: number): number { return this.#m.get(id)?.source ?? 0; }
  setState(id: number, s: number): void { const e = this.#m.get(id); if (e) e.state = s; }
  release(id: number): boolean { return this.#m.delete(id); }
  inOrder(v: (id: number) => void): void { for (const id of [...this.#m.keys()]) v(id); }
  restore(id: number, seq: number, state: number, source: number): void { this.#m.set(id, { seq, state, source }); }
}
