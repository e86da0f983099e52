import { PacketType, type Properties } from "@mess/wire";
import { Fifo } from "../fifo.ts";
import type { MessError } from "../mess-error.ts";
import type { PublishPart } from "./mqtt-profile.ts";
import type { PacketIds } from "./packet-ids.ts";
import type { Outgoing, PublishLink } from "./publisher.ts";
import { refusal } from "./refusal.ts";

/**
 * Outgoing publishes of QoS 0 and 1, in order, never more unacknowledged than the server allows. Whoever uses it bounds what
 * waits and keeps the deadlines.
 */
export class PublishWindow implements PublishPart {
  readonly #link: PublishLink;
  readonly #ids: PacketIds;
  readonly #max: number;
  readonly #waiting = new Fifo<Outgoing>();
  readonly #inFlight = new Map<number, Outgoing>();
  #failure: MessError | undefined;
  #idle: (() => void)[] = [];

  constructor(link: PublishLink, ids: PacketIds, max: number) {
    this.#link = link;
    this.#ids = ids;
    this.#max = max;
  }

  publish(outgoing: Outgoing): void {
    if (this.#failure !== undefined) return outgoing.settled(this.#failure, success);
    this.#waiting.push(outgoing);
    this.drain();
  }

  drain(): void {
    for (let next = this.#waiting.peek(); next !== undefined && this.#link.writable(); next = this.#waiting.peek()) {
      const packetId = next.qos === 0 ? 0 : this.#inFlight.size < this.#max ? this.#ids.take() : 0;
      if (next.qos > 0 && packetId === 0) return;
      this.#waiting.shift();
      const error = this.#link.sendPublish(next, packetId);
      if (error === undefined && packetId !== 0) this.#inFlight.set(packetId, next);
      else {
        this.#ids.release(packetId);
        next.settled(error, success);
      }
    }
    this.#tellIdle();
  }

  acknowledged(type: number, packetId: number, reasonCode: number, properties?: Properties): boolean {
    const outgoing = type === PacketType.PUBACK ? this.#inFlight.get(packetId) : undefined;
    if (outgoing === undefined) return false;
    this.#inFlight.delete(packetId);
    this.#ids.release(packetId);
    const error = reasonCode >= 0x80 ? refusal("the message was refused", reasonCode, properties) : undefined;
    outgoing.settled(error, { reasonCode, ...(properties && { properties }) });
    this.drain();
    return true;
  }

  tick(): void {}

  fail(error: MessError): void {
    this.#failure = error;
    const all = [...this.#inFlight.values()];
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) all.push(next);
    this.#inFlight.clear();
    for (const outgoing of all) outgoing.settled(error, success);
    this.#tellIdle();
  }

  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#tellIdle();
    });
  }

  #tellIdle(): void {
    if (this.#waiting.length + this.#inFlight.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}

const success = { reasonCode: 0 };
