/**
 * One strict pass over property bytes: types, bounds, UTF-8, legality, duplicates, values, limits. It allocates nothing
 * and keeps what PUBLISH handling needs as numbers; building objects from bytes that passed is `properties.ts`.
 */
import { isUtf8 } from "../utf8.ts";
import { readVariableInteger, VARIABLE_INTEGER_CUT, variableIntegerSize } from "../variable-integer.ts";
import { PacketType } from "./packet.ts";
import { type PropertyDefinition, PropertyId, PropertyKind, propertyById, WILL } from "./property-table.ts";
import { ReasonCode } from "./reason-code.ts";
import { isReserved } from "./reserved-name.ts";
import { checkTopicName, TopicNameCheck } from "./topic-grammar.ts";

export interface PropertyRules {
  /** Most user properties in one packet (a will counts by itself). */
  userPropertiesMax: number;
  /** Most bytes of their names and values together. */
  userPropertyBytesMax: number;
  /** Highest Topic Alias accepted; none are when left out. */
  topicAliasMax?: number;
}

/** Who carries the properties: a packet type (or WILL, ANY) and its sender. */
export interface PropertyPlace {
  packetType: number;
  fromClient: boolean;
}

export class PropertyScan {
  /** 0 when the last scan passed. */
  reasonCode = 0;
  reason = "";
  /** 0 when there is none. */
  topicAlias = 0;
  /** Seconds, -1 when there is none. */
  messageExpiry = -1;
  /** Bytes of all properties but topic alias, message expiry and the reserved ones. */
  forwardLength = 0;
  /** Bytes of the user properties whose names are reserved. */
  reservedLength = 0;
  private seenLow = 0;
  private seenHigh = 0;
  private userProperties = 0;
  private userPropertyBytes = 0;

  /** True when bytes[start, end), the properties without their length, are legal for `place`. */
  scan(bytes: Uint8Array, start: number, end: number, place: PropertyPlace, rules: PropertyRules): boolean {
    this.clear();
    let at = start;
    while (at < end) {
      const id = bytes[at] as number;
      const definition = propertyById[id];
      if (definition === undefined) return this.fail(ReasonCode.MalformedPacket, "No property has this identifier.");
      const valueEnd = this.valueEnd(bytes, at + 1, end, definition.kind);
      if (valueEnd < 0) {
        const reason = `The value of ${definition.name} is ill-formed or goes beyond the properties.`;
        return this.fail(ReasonCode.MalformedPacket, reason);
      }
      if (!this.isLegal(definition, place)) return false;
      if (!this.isValue(bytes, at + 1, valueEnd, definition)) return false;
      if (id === PropertyId.USER_PROPERTY) {
        if (!this.countUserProperty(valueEnd - at - 5, rules)) return false;
      } else if (id === PropertyId.TOPIC_ALIAS && !this.isAlias(rules)) {
        return false;
      }
      if (id === PropertyId.USER_PROPERTY && isReserved(bytes, at)) this.reservedLength += valueEnd - at;
      else if (id !== PropertyId.TOPIC_ALIAS && id !== PropertyId.MESSAGE_EXPIRY_INTERVAL) {
        this.forwardLength += valueEnd - at;
      }
      at = valueEnd;
    }
    return true;
  }

  private clear(): void {
    this.reasonCode = 0;
    this.reason = "";
    this.topicAlias = 0;
    this.messageExpiry = -1;
    this.forwardLength = 0;
    this.reservedLength = 0;
    this.seenLow = 0;
    this.seenHigh = 0;
    this.userProperties = 0;
    this.userPropertyBytes = 0;
  }

  /** Was this property seen in this scan? */
  private has(id: number): boolean {
    return id < 32 ? (this.seenLow & (1 << id)) !== 0 : (this.seenHigh & (1 << (id - 32))) !== 0;
  }

  private fail(code: number, reason: string): boolean {
    this.reasonCode = code;
    this.reason = reason;
    return false;
  }

  /** End of the value of this kind at `at`; -1 when it is ill-formed or would pass `end`. */
  private valueEnd(bytes: Uint8Array, at: number, end: number, kind: number): number {
    switch (kind) {
      case PropertyKind.BIT:
      case PropertyKind.BOOLEAN:
        return at + 1 <= end ? at + 1 : -1;
      case PropertyKind.UINT16:
        return at + 2 <= end ? at + 2 : -1;
      case PropertyKind.UINT32:
        return at + 4 <= end ? at + 4 : -1;
      case PropertyKind.VARIABLE: {
        const value = readVariableInteger(bytes, at, end);
        return value <= VARIABLE_INTEGER_CUT ? -1 : at + variableIntegerSize(value);
      }
      case PropertyKind.BINARY:
        return lengthPrefixedEnd(bytes, at, end);
      case PropertyKind.STRING:
        return stringEnd(bytes, at, end);
      default: {
        const nameEnd = stringEnd(bytes, at, end); // both halves of a pair are strings [MQTT-1.5.7-1]
        return nameEnd < 0 ? -1 : stringEnd(bytes, nameEnd, end);
      }
    }
  }

  private isLegal(definition: PropertyDefinition, place: PropertyPlace): boolean {
    const { id } = definition;
    const { packetType, fromClient } = place;
    let legal = (definition.packets & (1 << packetType)) !== 0;
    // Subscription identifiers in a PUBLISH are the server's [MQTT-3.3.4-6].
    if (id === PropertyId.SUBSCRIPTION_IDENTIFIER && packetType === PacketType.PUBLISH && fromClient) legal = false;
    // A server has no session of its own to keep [MQTT-3.14.2-2].
    if (id === PropertyId.SESSION_EXPIRY_INTERVAL && packetType === PacketType.DISCONNECT && !fromClient) legal = false;
    if (!legal) {
      const where = packetType === WILL ? "a will" : "this packet from this side";
      return this.fail(ReasonCode.ProtocolError, `${definition.name} is not allowed in ${where}.`);
    }
    const repeatable =
      id === PropertyId.USER_PROPERTY ||
      (id === PropertyId.SUBSCRIPTION_IDENTIFIER && packetType !== PacketType.SUBSCRIBE);
    if (!repeatable && this.has(id)) {
      return this.fail(ReasonCode.ProtocolError, `${definition.name} comes twice.`);
    }
    if (id < 32) this.seenLow |= 1 << id;
    else this.seenHigh |= 1 << (id - 32);
    return true;
  }

  /** Checks the value's range; keeps topic alias and message expiry. */
  private isValue(bytes: Uint8Array, at: number, end: number, definition: PropertyDefinition): boolean {
    switch (definition.kind) {
      case PropertyKind.BIT:
      case PropertyKind.BOOLEAN:
        if ((bytes[at] as number) <= 1) return true;
        return this.fail(ReasonCode.ProtocolError, `${definition.name} must be 0 or 1.`);
      case PropertyKind.UINT16:
      case PropertyKind.UINT32:
      case PropertyKind.VARIABLE:
        return this.isNumber(bytes, at, end, definition);
      case PropertyKind.STRING:
        if (definition.id !== PropertyId.RESPONSE_TOPIC) return true;
        if (end - at > 2 && checkTopicName(bytes, at + 2, end) === TopicNameCheck.OK) return true;
        return this.fail(
          ReasonCode.TopicNameInvalid,
          "Response Topic must have at least one character and no wildcard (+ or #).",
        );
      default:
        return true;
    }
  }

  private isNumber(bytes: Uint8Array, at: number, end: number, definition: PropertyDefinition): boolean {
    const { id, name, nonZero } = definition;
    let value = 0;
    for (let index = at; index < end; index++) value = value * 256 + (bytes[index] as number);
    if (id === PropertyId.MESSAGE_EXPIRY_INTERVAL) this.messageExpiry = value;
    // Zero is judged with the rest of the alias, under a code of its own.
    else if (id === PropertyId.TOPIC_ALIAS) this.topicAlias = value;
    else if (value === 0 && nonZero) {
      return this.fail(ReasonCode.ProtocolError, `${name} must not be 0.`);
    }
    return true;
  }

  private isAlias(rules: PropertyRules): boolean {
    const max = rules.topicAliasMax ?? 0;
    if (this.topicAlias >= 1 && this.topicAlias <= max) return true;
    return this.fail(
      ReasonCode.TopicAliasInvalid,
      `Topic Alias ${this.topicAlias} is not between 1 and the Topic Alias Maximum of ${max}.`,
    );
  }

  private countUserProperty(bytes: number, rules: PropertyRules): boolean {
    this.userProperties++;
    this.userPropertyBytes += bytes;
    if (this.userProperties > rules.userPropertiesMax) {
      return this.fail(ReasonCode.QuotaExceeded, `More than ${rules.userPropertiesMax} User Properties.`);
    }
    if (this.userPropertyBytes > rules.userPropertyBytesMax) {
      return this.fail(
        ReasonCode.QuotaExceeded,
        `User Properties of more than ${rules.userPropertyBytesMax} bytes in names and values.`,
      );
    }
    return true;
  }
}

function lengthPrefixedEnd(bytes: Uint8Array, at: number, end: number): number {
  if (at + 2 > end) return -1;
  const valueEnd = at + 2 + (((bytes[at] as number) << 8) | (bytes[at + 1] as number));
  return valueEnd <= end ? valueEnd : -1;
}

function stringEnd(bytes: Uint8Array, at: number, end: number): number {
  const valueEnd = lengthPrefixedEnd(bytes, at, end);
  return valueEnd >= 0 && isUtf8(bytes, at + 2, valueEnd) ? valueEnd : -1;
}
