import type { Properties, QoS } from "@mess/wire";

/** A message as a subscriber sees it. */
export interface MqttMessage {
  readonly topic: string;
  /** A copy: it stays valid. */
  readonly payload: Uint8Array;
  readonly qos: QoS;
  /** True for a retained message that was sent because of a new subscription. */
  readonly retain: boolean;
  /** The server says it may have sent this before. */
  readonly duplicate: boolean;
  /** 5.0 properties; empty under 3.1.1. */
  readonly properties: Properties;
  /**
   * Tells the server that the message is done with. Needed by hand when the client was made with
   * `acknowledge: "manual"`, or to settle a message before leaving the loop. Without effect at QoS 0 and when repeated.
   *
   * @param reasonCode 5.0: 0x80 or above refuses the message
   */
  ack(reasonCode?: number): void;
}
