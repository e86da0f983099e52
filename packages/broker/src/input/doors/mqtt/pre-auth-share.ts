/** What one connection adds to the bytes that are held for all who are not authenticated yet (THREATS A1). */
import type { MqttDoorContext } from "./door-context.ts";

export class PreAuthShare {
  readonly #context: MqttDoorContext;
  #held = 0;

  constructor(context: MqttDoorContext) {
    this.#context = context;
  }

  get isHolding(): boolean {
    return this.#held > 0;
  }

  /** So many bytes are held now. False when that is too much for all together: this one has to go. */
  hold(bytes: number): boolean {
    this.#context.preAuthBytes += bytes - this.#held;
    this.#held = bytes;
    return bytes === 0 || this.#context.preAuthBytes <= this.#context.limits.preAuthBytesMax;
  }
}
