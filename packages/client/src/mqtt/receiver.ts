import {
  type AckPacket,
  decodeString,
  ownBytes,
  PacketType,
  type PublishView,
  type QoS,
  readProperties,
} from "@mess/wire";
import type { MqttMessage } from "./mqtt-message.ts";

export interface ReceiverLink {
  sendAck(type: AckPacket["type"], packetId: number, reasonCode: number): void;
}

export interface ReceiverOptions {
  /** Told to the server: QoS 1 and 2 messages that may be unacknowledged at once. */
  readonly receiveMaximum: number;
  /** Takes each message. */
  readonly deliver: (message: MqttMessage) => void;
  /** Takes the bytes instead, which are valid during the call only; the message is acknowledged after it. */
  readonly deliverView: ((view: PublishView) => void) | undefined;
}

/** Incoming publishes: makes messages of them, and acknowledges each when its reader says so. */
export class Receiver {
  readonly #link: ReceiverLink;
  readonly #options: ReceiverOptions;
  /** QoS 2 identifiers between PUBLISH and PUBREL: a repeat is not a second message [MQTT-4.3.3-10]. */
  readonly #received = new Map<number, "delivered" | "recorded">();
  #unacknowledged = 0;
  #topic = "";

  constructor(link: ReceiverLink, options: ReceiverOptions) {
    this.#link = link;
    this.#options = options;
  }

  /** False when the server exceeds our Receive Maximum. */
  publish(view: PublishView): boolean {
    const { qos, packetId } = view;
    if (qos === 2 && this.#repeated(packetId)) return true;
    if (qos > 0) this.#unacknowledged += 1;
    if (this.#unacknowledged > this.#options.receiveMaximum) return false;
    if (qos === 2) this.#received.set(packetId, "delivered");
    if (this.#options.deliverView !== undefined) {
      this.#options.deliverView(view);
      this.#acknowledge(qos, packetId, 0);
      return true;
    }
    if (!view.sameTopic) this.#topic = decodeString(view.bytes, view.topicStart, view.topicEnd);
    let open = qos > 0;
    this.#options.deliver({
      topic: this.#topic,
      payload: ownBytes(view.bytes, view.payloadStart, view.payloadEnd),
      qos,
      retain: view.retain,
      duplicate: view.dup,
      // The decoder has checked them already.
      properties: readProperties(view.bytes, view.propertiesStart, view.propertiesEnd) ?? {},
      ack: (reasonCode = 0) => {
        if (!open) return;
        open = false;
        this.#acknowledge(qos, packetId, reasonCode);
      },
    });
    return true;
  }

  /** PUBREL: the server will not send it again. */
  released(packetId: number): void {
    const known = this.#received.delete(packetId);
    if (known) this.#unacknowledged -= 1;
    // 0x92: not known; harmless after a session that was resumed [MQTT-4.3.3-11].
    this.#link.sendAck(PacketType.PUBCOMP, packetId, known ? 0 : 0x92);
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
