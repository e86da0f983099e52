/**
 * A received PUBLISH as numbers into the bytes it arrived in: nothing is copied and nothing is allocated. The decoder
 * fills one view again and again; a handler that needs more than the call copies what it needs.
 */
import type { QoS } from "./packet.ts";

export class PublishView {
  bytes: Uint8Array = new Uint8Array(0);
  /** Whole packet, fixed header included. */
  packetStart = 0;
  packetEnd = 0;
  qos: QoS = 0;
  retain = false;
  dup = false;
  /** 0 at QoS 0. */
  packetId = 0;
  /** Equal when the topic name is empty (5.0, topic alias). */
  topicStart = 0;
  topicEnd = 0;
  /** True when the topic bytes equal those of the PUBLISH before it on this decoder (so they need no check). */
  sameTopic = false;
  /** Property bytes without their length; empty under 3.1.1. */
  propertiesStart = 0;
  propertiesEnd = 0;
  /** Bytes of the properties that travel on to subscribers: all but topic alias, message expiry and the reserved ones. */
  forwardLength = 0;
  /** Bytes of the user properties that are between client and broker: their names begin with `mess-`. */
  reservedLength = 0;
  /** 0 when there is none. */
  topicAlias = 0;
  /** Seconds, or -1 when there is none. */
  messageExpiry = -1;
  payloadStart = 0;
  payloadEnd = 0;
}
