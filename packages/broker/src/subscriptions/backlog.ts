export class Backlog {
  #r: number[] = []; #h = 0;
  constructor(_runsMax: number) {}
  append(seq: number, prev: number): void {
    const n = this.#r.length;
    if (n > this.#h && this.#r[n - 1] === prev) this.#r[n - 1] = seq; else this.#r.push(seq, seq);
  }
  first(): number { return this.#h < this.#r.length ? (this.#r[this.#h] as number) : 0; }
  nextFrom(after: number): number {
    for (let i = this.#h; i < this.#r.length; i += 2) if ((this.#r[i + 1] as number) > after) return Math.max(after + 1, this.#r[i] as number);
    return 0;
  }
  runEnd(seq: number): number {
    for (let i = this.#h; i < this.#r.length; i += 2) if (seq <= (this.#r[i + 1] as number)) return this.#r[i + 1] as number;
    return 0;
  }
  remove(seq: number): void {
    for (let i = this.#h; i < this.#r.length; i += 2) {
      const a = this.#r[i] as number, b = this.#r[i + 1] as number;
      if (seq < a) return;
      if (seq > b) continue;
      if (a === b) { if (i === this.#h) this.#h += 2; else this.#r.splice(i, 2); }
      else if (seq === a) this.#r[i] = a + 1;
      else if (seq === b) this.#r[i + 1] = b - 1;
      else this.#r.splice(i, 2, a, seq - 1, seq + 1, b);
      if (this.#h > 1000 && this.#h * 2 > this.#r.length) { this.#r = this.#r.slice(this.#h); this.#h = 0; }
      return;
    }
  }
  dropThrough(seq: number): void {
    while (this.#h < this.#r.length && (this.#r[this.#h + 1] as number) <= seq) this.#h += 2;
    if (this.#h < this.#r.length && (this.#r[this.#h] as number) <= seq) this.#r[this.#h] = seq + 1;
  }
  clear(): void { this.#r = []; this.#h = 0; }
  load(runs: readonly number[]): void { this.clear(); for (let i = 0; i < runs.length; i += 3) this.#r.push(runs[i] as number, runs[i + 1] as number); }
  forEachRun(v: (a: number, b: number, scan: boolean) => void): void { for (let i = this.#h; i < this.#r.length; i += 2) v(this.#r[i] as number, this.#r[i + 1] as number, false); }
}
