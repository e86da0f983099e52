/** Packet identifiers 1-65,535 that are not in use [MQTT-2.2.1-3]. Goes round, so that a freed one rests the longest. */
export class PacketIds {
  readonly #used = new Set<number>();
  #last = 0;

  /** 0 when all are in use. */
  take(): number {
    if (this.#used.size === 65_535) return 0;
    do {
      this.#last = this.#last === 65_535 ? 1 : this.#last + 1;
    } while (this.#used.has(this.#last));
    this.#used.add(this.#last);
    return this.#last;
  }

  release(id: number): void {
    this.#used.delete(id);
  }
}
