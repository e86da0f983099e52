/** Which sequence numbers of one publisher one subscriber saw: a bit each, so that a loss is told from a late one. */
export class SequenceSet {
  #words = new Uint32Array(256);
  #highest = -1;
  unique = 0;
  duplicates = 0;
  /** Came after a later one (and not before). */
  outOfOrder = 0;

  add(sequence: number): void {
    const word = sequence >>> 5;
    const bit = 1 << (sequence & 31);
    if (word >= this.#words.length) this.#grow(word);
    const before = this.#words[word] ?? 0;
    if ((before & bit) !== 0) {
      this.duplicates += 1;
      return;
    }
    this.#words[word] = before | bit;
    this.unique += 1;
    if (sequence < this.#highest) this.outOfOrder += 1;
    else this.#highest = sequence;
  }

  #grow(word: number): void {
    const larger = new Uint32Array(Math.max(word + 1, this.#words.length * 2));
    larger.set(this.#words);
    this.#words = larger;
  }
}
