/** An attached client as the engine sees it. A door implements it; nothing here is of one protocol. */
import type { MessageView } from "./message.ts";
import type { Lease } from "./queue.ts";

/** How one delivery is to look. Reused: valid during the call. */
export class DeliveryForm {
  qos: 0 | 1 | 2 = 0;
  /** 0 at QoS 0. */
  packetId = 0;
  dup = false;
  retain = false;
  subscriptionIdentifiers: readonly number[] = none;
  /** Seconds left, or `noExpiry`. */
  secondsLeft = 0xffff_ffff;
  /** Number of the record, when many clients get this message and its encoded form is worth keeping; else 0. */
  sharedSeq = 0;
  /** Offset of the message. */
  offset = 0;
  /** Set when it comes from a declared subscription; its topic is then told as `$mess/queue/NAME/TOPIC`, unless plain. */
  lease: Lease | undefined;
  /** The subscription was reached by `$share/NAME/FILTER`: topics are told as they are. */
  plainTopic = false;
}

const none: readonly number[] = [];
export const noIdentifiers: readonly number[] = none;

/**
 * Publishes of one client to one topic that lie side by side in a read buffer, all QoS 0, not retained. Receivers
 * that speak the same wire form take the bytes as they are; others go packet by packet.
 */
export interface LiveRun {
  readonly bytes: Buffer;
  start: number;
  end: number;
  count: number;
}

export type EndReason =
  | "taken-over"
  | "not-authorized"
  | "administrative"
  | "quota"
  | "storage-failed"
  | "shutting-down"
  | "session-ended";

export interface Link {
  /** False until the client was told that it is attached, while its outbound buffer is full, and once it closes. */
  readonly ready: boolean;
  /** The result of `attach`, after it became durable. */
  attached(sessionPresent: boolean): void;
  /**
   * Answer to a publish of QoS 1 (PUBACK) or 2 (PUBREC). `receipt`: the offset of the message; negative the offset of
   * the first one when this is a repeat of its id; 0 when nothing is stored (yet).
   */
  confirm(packetId: number, qos: 1 | 2, reason: number, receipt: number): void;
  /** Answer to a release (PUBCOMP). */
  completed(packetId: number, reason: number): void;
  /** Sends a message. False when the client takes no packet of that size: it is skipped as if delivered [MQTT-3.1.2-25]. */
  deliver(message: MessageView, form: DeliveryForm): boolean;
  /** Second half of an outgoing QoS 2 delivery (PUBREL). */
  release(packetId: number): void;
  /** Sends QoS 0 publishes of another client at once, or drops and counts them when the client is too slow. */
  forward(run: LiveRun, source: LiveSource, identifiers: readonly number[]): void;
  /** Tells the client why, then closes. The engine has already detached the session. */
  end(reason: EndReason, text: string): void;
}

/** Where a run comes from: the door that can walk its packets. */
export interface LiveSource {
  /** Wire form of the run's packets; equal numbers mean equal bytes for equal messages. */
  readonly wireForm: number;
  /** Visits each packet of the run as a message. */
  eachMessage(run: LiveRun, visit: (message: MessageView) => void): void;
  /** The receiver is congested: read less for a moment. */
  slowDown(by: Link): void;
}
