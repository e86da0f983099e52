import type { Counters } from "./counters.ts";

/** A QoS 0 message that has not come for this long while nothing else came is lost. */
const writtenOffAfterMs = 300;

/** Bounds the deliveries that are still to come, so that a flood measures a broker's speed and not its buffers. */
export class Room {
  readonly #counters: Counters;
  readonly #lag: number;
  readonly #deliveries: number;
  readonly #mayLose: boolean;
  #writtenOff = 0;
  #lastReceived = 0;
  #stuckSince: number | undefined;

  constructor(counters: Counters, options: { lag: number; deliveriesPerMessage: number; mayLose: boolean }) {
    this.#counters = counters;
    this.#lag = options.lag;
    this.#deliveries = options.deliveriesPerMessage;
    this.#mayLose = options.mayLose;
  }

  /** How many messages may leave now. */
  readonly messages = (): number => {
    if (this.#lag === 0) return Number.MAX_SAFE_INTEGER;
    const received = this.#counters.read("received");
    const toCome = this.#counters.read("sent") * this.#deliveries - received - this.#writtenOff;
    const room = Math.floor((this.#lag * this.#deliveries - toCome) / this.#deliveries);
    if (room > 0) {
      this.#stuckSince = undefined;
      return room;
    }
    this.#stuck(received, toCome);
    return 0;
  };

  #stuck(received: number, toCome: number): void {
    if (!this.#mayLose) return;
    const now = performance.now();
    if (this.#stuckSince === undefined || received !== this.#lastReceived) {
      this.#stuckSince = now;
      this.#lastReceived = received;
    } else if (now - this.#stuckSince > writtenOffAfterMs) {
      this.#writtenOff += toCome;
      this.#stuckSince = undefined;
    }
  }
}
