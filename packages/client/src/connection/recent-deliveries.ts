import type { MqttMessage } from "../mqtt/mqtt-message.ts";
import { Delivery } from "./delivery.ts";
import { userProperty } from "./user-property.ts";

/**
 * What this session was sent lately, by offset. When a connection breaks, the server sends again what it saw no
 * acknowledgement for: a reader who has it, or was done with it, must not see it twice.
 */
export class RecentDeliveries {
  readonly #max: number;
  readonly #deliveries = new Map<string, Delivery>();

  /** `max`: at least as many as may be unacknowledged. */
  constructor(max: number) {
    this.#max = max;
  }

  /** Undefined when it was there already, and is dealt with. */
  take(message: MqttMessage): Delivery | undefined {
    const offset = message.qos === 0 ? undefined : userProperty(message.properties, "mess-offset");
    if (offset === undefined) return new Delivery(message);
    const name = `${offset}${message.retain ? "r" : ""}`;
    const known = message.duplicate ? this.#deliveries.get(name) : undefined;
    if (known !== undefined) {
      known.again(message);
      return undefined;
    }
    const delivery = new Delivery(message);
    this.#deliveries.delete(name);
    this.#deliveries.set(name, delivery);
    if (this.#deliveries.size > this.#max * 2) this.#forget();
    return delivery;
  }

  /** The server knows the session no more: it sends nothing again. */
  clear(): void {
    this.#deliveries.clear();
  }

  #forget(): void {
    for (const [name, delivery] of this.#deliveries) {
      if (this.#deliveries.size <= this.#max) return;
      if (delivery.done) this.#deliveries.delete(name);
    }
  }
}
