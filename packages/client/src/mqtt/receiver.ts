import { PacketType, type PublishPacket, PublishView, type QoS } from "@mess/wire";
import type { Incoming, ReceivePart, ReceiverLink, ReceiverOptions } from "./mqtt-profile.ts";

/** Incoming publishes: makes messages of them, and acknowledges each when its reader says so. */
export class Receiver implements ReceivePart {
  readonly #link: ReceiverLink;
  readonly #options: ReceiverOptions;
  readonly #deliverView: ((view: PublishView) => void) | undefined;
  /** QoS 2 identifiers between PUBLISH and PUBREL: a repeat is not a second message [MQTT-4.3.3-10]. */
  readonly #received = new Map<number, "delivered" | "recorded">();
  #unacknowledged = 0;

  constructor(
    link: ReceiverLink,
    options: ReceiverOptions,
    deliverView: ((view: PublishView) => void) | undefined = undefined,
  ) {
    this.#link = link;
    this.#options = options;
    this.#deliverView = deliverView;
  }

  publish(incoming: Incoming): boolean {
    return incoming instanceof PublishView ? this.#view(incoming) : this.#packet(incoming);
  }

  #packet(packet: PublishPacket): boolean {
    const { qos, packetId = 0, topic, payload, retain, dup, properties = {} } = packet;
    const begun = this.#begin(qos, packetId);
    if (begun !== "new") return begun === "repeat";
    let open = qos > 0;
    this.#options.deliver({
      topic,
      payload,
      qos,
      retain,
      duplicate: dup,
      properties,
      ack: (reasonCode = 0) => {
        if (!open) return;
        open = false;
        this.#acknowledge(qos, packetId, reasonCode);
      },
    });
    return true;
  }

  /** The message is acknowledged when its reader returns. */
  #view(view: PublishView): boolean {
    const { qos, packetId } = view;
    const begun = this.#begin(qos, packetId);
    if (begun !== "new") return begun === "repeat";
    this.#deliverView?.(view);
    this.#acknowledge(qos, packetId, 0);
    return true;
  }

  /** PUBREL: the server will not send it again. */
  released(packetId: number): void {
    const known = this.#received.delete(packetId);
    if (known) this.#unacknowledged -= 1;
    // 0x92: not known; harmless after a session that was resumed [MQTT-4.3.3-11].
    this.#link.sendAck(PacketType.PUBCOMP, packetId, known ? 0 : 0x92);
  }

  #begin(qos: QoS, packetId: number): "new" | "repeat" | "too many" {
    if (qos === 2 && this.#repeated(packetId)) return "repeat";
    if (qos > 0) this.#unacknowledged += 1;
    if (this.#unacknowledged > this.#options.receiveMaximum) return "too many";
    if (qos === 2) this.#received.set(packetId, "delivered");
    return "new";
  }

  #acknowledge(qos: QoS, packetId: number, reasonCode: number): void {
    if (qos === 0) return;
    if (qos === 1) {
      this.#unacknowledged -= 1;
      this.#link.sendAck(PacketType.PUBACK, packetId, reasonCode);
      return;
    }
    if (reasonCode >= 0x80) {
      // A refused QoS 2 message ends here: no PUBREL follows [MQTT-4.3.3-9].
      this.#received.delete(packetId);
      this.#unacknowledged -= 1;
    } else {
      this.#received.set(packetId, "recorded");
    }
    this.#link.sendAck(PacketType.PUBREC, packetId, reasonCode);
  }

  #repeated(packetId: number): boolean {
    const state = this.#received.get(packetId);
    if (state === "recorded") this.#link.sendAck(PacketType.PUBREC, packetId, 0);
    return state !== undefined;
  }
}
