/** Topic aliases of one connection, both ways (MQTT 5.0 section 3.3.2.3.4). They end with the connection [MQTT-3.3.2-7]. */

/** Aliases the client set: number to the topic's bytes. */
export class InboundAliases {
  readonly #topics: Map<number, Buffer> = new Map();

  set(alias: number, bytes: Uint8Array, start: number, end: number): void {
    const copy = Buffer.allocUnsafeSlow(end - start);
    Buffer.prototype.copy.call(bytes, copy, 0, start, end);
    this.#topics.set(alias, copy);
  }

  get(alias: number): Buffer | undefined {
    return this.#topics.get(alias);
  }
}

export interface OutboundAlias {
  readonly alias: number;
  /** The client knows it already: the topic can stay away. */
  readonly known: boolean;
}

/** Aliases we set: first come, first served, up to what the client takes [MQTT-3.1.2-26]. */
export class OutboundAliases {
  readonly #maximum: number;
  readonly #aliases: Map<string, OutboundAlias> = new Map();

  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  /** `undefined` when all aliases are given to other topics. */
  aliasFor(topic: string): OutboundAlias | undefined {
    const known = this.#aliases.get(topic);
    if (known !== undefined) return known;
    if (this.#aliases.size >= this.#maximum) return undefined;
    const alias = this.#aliases.size + 1;
    this.#aliases.set(topic, { alias, known: true });
    return { alias, known: false };
  }
}
