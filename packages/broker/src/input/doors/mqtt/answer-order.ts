/**
 * PUBACKs leave in the order of their PUBLISH [MQTT-4.6.0-2]. The engine keeps that order among its own answers; what
 * becomes of a lease is told apart from them, so both are put in one row here while a settlement is under way.
 */

interface Slot {
  /** 0 for an answer of the engine: those come in order. */
  readonly settles: number;
  /** Says the answer, once it is known. */
  say: (() => void) | undefined;
}

export class AnswerOrder {
  /** Answers of the engine that come before all slots. */
  #ahead = 0;
  readonly #slots: Slot[] = [];

  /** Nothing has to wait: answers of the engine leave as they come. */
  get isIdle(): boolean {
    return this.#slots.length === 0;
  }

  /** A settlement came; `ahead` QoS 1 publishes before it are not answered yet. */
  settlement(packetId: number, ahead: number): void {
    if (this.isIdle) this.#ahead = ahead;
    this.#slots.push({ settles: packetId, say: undefined });
  }

  /** A QoS 1 publish came that the engine will answer. */
  publish(): void {
    if (!this.isIdle) this.#slots.push({ settles: 0, say: undefined });
  }

  /** The engine's next answer: it leaves when all before it have left. */
  confirmed(say: () => void): void {
    if (this.#ahead > 0 || this.isIdle) {
      this.#ahead = Math.max(0, this.#ahead - 1);
      say();
    } else {
      this.#set(0, say);
    }
    this.#go();
  }

  /** The settlement of that packet id has its answer. */
  settled(packetId: number, say: () => void): void {
    this.#set(packetId, say);
    this.#go();
  }

  #set(settles: number, say: () => void): void {
    const slot = this.#slots.find((each) => each.settles === settles && each.say === undefined);
    if (slot !== undefined) slot.say = say;
  }

  #go(): void {
    while (this.#ahead === 0 && this.#slots[0]?.say !== undefined) this.#slots.shift()?.say?.();
  }
}
