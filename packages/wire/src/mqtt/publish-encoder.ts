/**
 * Encodes an outgoing PUBLISH from stored parts straight into an output buffer and makes no objects. One encoder is
 * filled again and again; the parts are ranges of `source`.
 */
import { copyBytes } from "../native-bytes.ts";
import { variableIntegerSize, writeVariableInteger } from "../variable-integer.ts";
import { PacketType, type ProtocolVersion, type QoS } from "./packet.ts";
import { PropertyId } from "./property-table.ts";

/** One empty list for all: resetting the field makes no garbage. */
export const NO_SUBSCRIPTION_IDENTIFIERS: readonly number[] = [];

const NONE = new Uint8Array(0);

export class PublishEncoder {
  source: Uint8Array = NONE;
  /** Goes before the topic: the same message read by another name. */
  topicPrefix: Uint8Array = NONE;
  topicStart = 0;
  topicEnd = 0;
  /** Property bytes that travel on as they came; unused under 3.1.1. */
  forwardStart = 0;
  forwardEnd = 0;
  /** Property bytes that come after those: what the sender of this copy says itself. */
  extra: Uint8Array = NONE;
  extraLength = 0;
  payloadStart = 0;
  payloadEnd = 0;
  qos: QoS = 0;
  retain = false;
  dup = false;
  /** Written at QoS 1 and 2. */
  packetId = 0;
  /** Seconds, -1 for none. */
  messageExpiry = -1;
  /** 0 for none. */
  topicAlias = 0;
  /** False: the topic name is left empty, for an alias the receiver knows. Under 3.1.1 it is always written. */
  sendTopic = true;
  /** Identifiers of the matching subscriptions, each 1..268435455. */
  subscriptionIdentifiers: readonly number[] = NO_SUBSCRIPTION_IDENTIFIERS;
  /** Where the packet identifier of the last `write` stands in its output, 0 at QoS 0. */
  packetIdAt = 0;

  /** Bytes of the whole packet. */
  size(version: ProtocolVersion): number {
    const remaining = this.remainingLength(version);
    return 1 + variableIntegerSize(remaining) + remaining;
  }

  /** Writes the packet at `at`; returns its end. `out` must have size() bytes of room. */
  write(version: ProtocolVersion, out: Uint8Array, at: number): number {
    const { source } = this;
    const withTopic = version === 4 || this.sendTopic;
    const prefixLength = this.topicPrefix.length;
    const topicLength = withTopic ? prefixLength + this.topicEnd - this.topicStart : 0;
    out[at] = (PacketType.PUBLISH << 4) | (this.dup ? 8 : 0) | (this.qos << 1) | (this.retain ? 1 : 0);
    let cursor = writeVariableInteger(out, at + 1, this.remainingLength(version));
    out[cursor] = topicLength >>> 8;
    out[cursor + 1] = topicLength;
    cursor += 2;
    if (withTopic) {
      if (prefixLength > 0) cursor = copyBytes(this.topicPrefix, 0, prefixLength, out, cursor);
      cursor = copyBytes(source, this.topicStart, this.topicEnd, out, cursor);
    }
    this.packetIdAt = 0;
    if (this.qos > 0) {
      this.packetIdAt = cursor;
      patchPacketId(out, cursor, this.packetId);
      cursor += 2;
    }
    if (version === 5) cursor = this.writeProperties(out, cursor);
    return copyBytes(source, this.payloadStart, this.payloadEnd, out, cursor);
  }

  private remainingLength(version: ProtocolVersion): number {
    const withTopic = version === 4 || this.sendTopic;
    const topic = withTopic ? this.topicPrefix.length + this.topicEnd - this.topicStart : 0;
    let length = 2 + topic + (this.qos > 0 ? 2 : 0) + this.payloadEnd - this.payloadStart;
    if (version === 5) {
      const properties = this.propertyLength();
      length += variableIntegerSize(properties) + properties;
    }
    return length;
  }

  private propertyLength(): number {
    let length = this.forwardEnd - this.forwardStart + this.extraLength;
    if (this.messageExpiry >= 0) length += 5;
    if (this.topicAlias > 0) length += 3;
    const identifiers = this.subscriptionIdentifiers;
    for (let index = 0; index < identifiers.length; index++) {
      length += 1 + variableIntegerSize(identifiers[index] as number);
    }
    return length;
  }

  private writeProperties(out: Uint8Array, at: number): number {
    let cursor = writeVariableInteger(out, at, this.propertyLength());
    if (this.messageExpiry >= 0) {
      out[cursor] = PropertyId.MESSAGE_EXPIRY_INTERVAL;
      out[cursor + 1] = this.messageExpiry >>> 24;
      out[cursor + 2] = this.messageExpiry >>> 16;
      out[cursor + 3] = this.messageExpiry >>> 8;
      out[cursor + 4] = this.messageExpiry;
      cursor += 5;
    }
    if (this.topicAlias > 0) {
      out[cursor] = PropertyId.TOPIC_ALIAS;
      out[cursor + 1] = this.topicAlias >>> 8;
      out[cursor + 2] = this.topicAlias;
      cursor += 3;
    }
    const identifiers = this.subscriptionIdentifiers;
    for (let index = 0; index < identifiers.length; index++) {
      out[cursor] = PropertyId.SUBSCRIPTION_IDENTIFIER;
      cursor = writeVariableInteger(out, cursor + 1, identifiers[index] as number);
    }
    cursor = copyBytes(this.source, this.forwardStart, this.forwardEnd, out, cursor);
    return this.extraLength === 0 ? cursor : copyBytes(this.extra, 0, this.extraLength, out, cursor);
  }
}

/** Gives another receiver's copy of an encoded PUBLISH its own packet identifier. */
export function patchPacketId(out: Uint8Array, at: number, packetId: number): void {
  out[at] = packetId >>> 8;
  out[at + 1] = packetId;
}
