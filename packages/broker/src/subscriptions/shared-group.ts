export class SharedGroup<M> {
  #m: M[] = []; #i = 0;
  add(m: M): void { this.#m.push(m); }
  remove(m: M): void { this.#m = this.#m.filter((x) => x !== m); }
  nextReady(ok: (m: M) => boolean): M | undefined {
    for (let n = 0; n < this.#m.length; n++) { const m = this.#m[this.#i++ % this.#m.length] as M; if (ok(m)) return m; }
    return undefined;
  }
}
