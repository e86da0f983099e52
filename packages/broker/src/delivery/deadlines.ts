export interface Deadline<T> { readonly time: number; readonly value: T }
export class Deadlines<T> {
  readonly #s: Set<Deadline<T>> = new Set();
  set(time: number, value: T): Deadline<T> { const d = { time, value }; this.#s.add(d); return d; }
  cancel(d: Deadline<T>): void { this.#s.delete(d); }
  due(now: number, v: (value: T) => void): void { for (const d of [...this.#s].filter((x) => x.time <= now).sort((a, b) => a.time - b.time)) { this.#s.delete(d); v(d.value); } }
  earliest(): number | undefined { let m: number | undefined; for (const d of this.#s) if (m === undefined || d.time < m) m = d.time; return m; }
}
