/** Topic aliases of one connection, both ways (MQTT 5.0 section 3.3.2.3.4). They end with the connection [MQTT-3.3.2-7]. */

/** Aliases the client set: number to the topic's bytes. */
export class InboundAliases {
  /** Most connections set none. */
  #topics: Map<number, Buffer> | undefined;

  set(alias: number, bytes: Uint8Array, start: number, end: number): void {
    const copy = Buffer.allocUnsafeSlow(end - start);
    Buffer.prototype.copy.call(bytes, copy, 0, start, end);
    this.#topics ??= new Map();
    this.#topics.set(alias, copy);
  }

  get(alias: number): Buffer | undefined {
    return this.#topics?.get(alias);
  }
}

/** Aliases we set: first come, first served, up to what the client takes [MQTT-3.1.2-26]. */
export class OutboundAliases {
  readonly #maximum: number;
  readonly #aliases: Map<string, number> = new Map();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** The alias that the client knows for the topic, or 0. */
  known(topic: string): number {
    return this.#aliases.get(topic) ?? 0;
  }

  /** The alias that the next topic would get; 0 when all are given to other topics. */
  get free(): number {
    return this.#aliases.size < this.#maximum ? this.#aliases.size + 1 : 0;
  }

  /** A packet with the topic and its alias `free` is sent. */
  sent(topic: string): void {
    this.#aliases.set(topic, this.#aliases.size + 1);
  }
}
