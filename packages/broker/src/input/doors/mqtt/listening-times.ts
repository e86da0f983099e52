/** When a client was last heard, and since when a packet of its has been coming in. Monotonic milliseconds. */

/** What a packet may take at least, however small it is [THREATS A1, slowloris]. */
const packetMsMin = 30_000;

export class ListeningTimes {
  readonly openedAt: number;
  #lastHeardAt: number;
  /** When the packet that is coming in began; `undefined` when none is. */
  #packetSince: number | undefined;

  constructor(now: number) {
    this.openedAt = now;
    this.#lastHeardAt = now;
  }

  /** `length` bytes came; of all that came, `held` bytes are of a packet that is not complete. */
  heard(now: number, length: number, held: number): void {
    this.#lastHeardAt = now;
    if (held === 0) this.#packetSince = undefined;
    // No more is held than came now: the packet began in this chunk, whatever was held before.
    else if (held <= length || this.#packetSince === undefined) this.#packetSince = now;
  }

  /** The client was not listened to until now: that time is not its own. */
  excuse(now: number): void {
    this.#lastHeardAt = now;
    if (this.#packetSince !== undefined) this.#packetSince = now;
  }

  /** What is wrong with how the client sends, if something is. */
  complaint(
    now: number,
    keepAliveSeconds: number,
    { expectedBytes, bytesPerSecondMin }: { expectedBytes: number; bytesPerSecondMin: number },
  ): string | undefined {
    if (this.#trickles(now, expectedBytes, bytesPerSecondMin)) return "a packet took too long to arrive";
    return this.#isSilent(now, keepAliveSeconds) ? "nothing was heard for 1.5 times the keep alive" : undefined;
  }

  /** Nothing was heard for 1.5 times the keep alive [MQTT-3.1.2-22]. 0 switches it off. */
  #isSilent(now: number, keepAliveSeconds: number): boolean {
    return keepAliveSeconds > 0 && now - this.#lastHeardAt > keepAliveSeconds * 1_500;
  }

  /** A packet of `expectedBytes` comes slower than it must. */
  #trickles(now: number, expectedBytes: number, bytesPerSecondMin: number): boolean {
    if (this.#packetSince === undefined) return false;
    return now - this.#packetSince > Math.max(packetMsMin, (expectedBytes / bytesPerSecondMin) * 1_000);
  }
}
