export class TopicTable<T extends {}> {
  readonly #m: Map<string, T> = new Map();
  constructor(_o: { seed: number; capacity: number }) {}
  find(b: Uint8Array, s: number, e: number): T | undefined { return this.#m.get(Buffer.prototype.latin1Slice.call(b, s, e)); }
  add(b: Uint8Array, s: number, e: number, v: T): T { this.#m.set(Buffer.prototype.latin1Slice.call(b, s, e), v); return v; }
}
