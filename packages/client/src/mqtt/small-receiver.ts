import { PacketType, type PublishPacket } from "@mess/wire";
import type { Incoming, ReceivePart, ReceiverLink, ReceiverOptions } from "./mqtt-profile.ts";

/** Incoming publishes of QoS 0 and 1; a client that subscribes to no more is sent no more. */
export class SmallReceiver implements ReceivePart {
  readonly #link: ReceiverLink;
  readonly #options: ReceiverOptions;
  #unacknowledged = 0;

  constructor(link: ReceiverLink, options: ReceiverOptions) {
    this.#link = link;
    this.#options = options;
  }

  publish(incoming: Incoming): boolean {
    // The small profile's decoder makes objects of all packets.
    const { qos, packetId = 0, topic, payload, retain, dup, properties = {} } = incoming as PublishPacket;
    const { deliver, receiveMaximum } = this.#options;
    let open = qos > 0;
    if (open) this.#unacknowledged += 1;
    if (qos === 2 || this.#unacknowledged > receiveMaximum) return false;
    const ack = (reasonCode = 0): void => {
      if (!open) return;
      open = false;
      this.#unacknowledged -= 1;
      this.#link.sendAck(PacketType.PUBACK, packetId, reasonCode);
    };
    deliver({ topic, payload, qos, retain, duplicate: dup, properties, ack });
    return true;
  }

  released(): void {}
}
