/** The properties of MQTT 5.0 (section 2.2.2.2) as one table: identifier, type, and the packets that may carry them. */
import { PacketType, type Properties } from "./packet.ts";

export const PropertyKind = {
  /** A byte that may be 0 or 1, as a number. */
  BIT: 1,
  /** A byte that may be 0 or 1, as a boolean. */
  BOOLEAN: 2,
  UINT16: 3,
  UINT32: 4,
  VARIABLE: 5,
  STRING: 6,
  BINARY: 7,
  PAIR: 8,
} as const;
export type PropertyKind = (typeof PropertyKind)[keyof typeof PropertyKind];

export const PropertyId = {
  PAYLOAD_FORMAT_INDICATOR: 0x01,
  MESSAGE_EXPIRY_INTERVAL: 0x02,
  CONTENT_TYPE: 0x03,
  RESPONSE_TOPIC: 0x08,
  CORRELATION_DATA: 0x09,
  SUBSCRIPTION_IDENTIFIER: 0x0b,
  SESSION_EXPIRY_INTERVAL: 0x11,
  AUTHENTICATION_METHOD: 0x15,
  AUTHENTICATION_DATA: 0x16,
  TOPIC_ALIAS: 0x23,
  USER_PROPERTY: 0x26,
} as const;

/** Stands in for a packet type where the properties of a will are meant; no packet has type 0. */
export const WILL = 0;
/** Stands in for a packet type where any property may come (stored properties). */
export const ANY = 16;

export interface PropertyDefinition {
  id: number;
  key: keyof Properties;
  /** The standard's name. */
  name: string;
  kind: PropertyKind;
  /** Bit n: packet type n may carry it; bit 0: a will may. */
  packets: number;
  /** Zero is a protocol error. */
  nonZero: boolean;
}

const { CONNECT, CONNACK, PUBLISH, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBSCRIBE, SUBACK, UNSUBSCRIBE, UNSUBACK } =
  PacketType;
const { DISCONNECT, AUTH } = PacketType;

const message: readonly number[] = [PUBLISH, WILL];
const authentication: readonly number[] = [CONNECT, CONNACK, AUTH];
const answers: readonly number[] = [CONNACK, PUBACK, PUBREC, PUBREL, PUBCOMP, SUBACK, UNSUBACK, DISCONNECT, AUTH];

type Row = readonly [id: number, key: keyof Properties, name: string, kind: PropertyKind, packets: readonly number[]];

const { BIT, BOOLEAN, UINT16, UINT32, VARIABLE, STRING, BINARY, PAIR } = PropertyKind;

const rows: readonly Row[] = [
  [0x01, "payloadFormatIndicator", "Payload Format Indicator", BIT, message],
  [0x02, "messageExpiryInterval", "Message Expiry Interval", UINT32, message],
  [0x03, "contentType", "Content Type", STRING, message],
  [0x08, "responseTopic", "Response Topic", STRING, message],
  [0x09, "correlationData", "Correlation Data", BINARY, message],
  [0x0b, "subscriptionIdentifiers", "Subscription Identifier", VARIABLE, [PUBLISH, SUBSCRIBE]],
  [0x11, "sessionExpiryInterval", "Session Expiry Interval", UINT32, [CONNECT, CONNACK, DISCONNECT]],
  [0x12, "assignedClientIdentifier", "Assigned Client Identifier", STRING, [CONNACK]],
  [0x13, "serverKeepAlive", "Server Keep Alive", UINT16, [CONNACK]],
  [0x15, "authenticationMethod", "Authentication Method", STRING, authentication],
  [0x16, "authenticationData", "Authentication Data", BINARY, authentication],
  [0x17, "requestProblemInformation", "Request Problem Information", BOOLEAN, [CONNECT]],
  [0x18, "willDelayInterval", "Will Delay Interval", UINT32, [WILL]],
  [0x19, "requestResponseInformation", "Request Response Information", BOOLEAN, [CONNECT]],
  [0x1a, "responseInformation", "Response Information", STRING, [CONNACK]],
  [0x1c, "serverReference", "Server Reference", STRING, [CONNACK, DISCONNECT]],
  [0x1f, "reasonString", "Reason String", STRING, answers],
  [0x21, "receiveMaximum", "Receive Maximum", UINT16, [CONNECT, CONNACK]],
  [0x22, "topicAliasMaximum", "Topic Alias Maximum", UINT16, [CONNECT, CONNACK]],
  [0x23, "topicAlias", "Topic Alias", UINT16, [PUBLISH]],
  [0x24, "maximumQoS", "Maximum QoS", BIT, [CONNACK]],
  [0x25, "retainAvailable", "Retain Available", BOOLEAN, [CONNACK]],
  [0x26, "userProperties", "User Property", PAIR, [...answers, ...message, CONNECT, SUBSCRIBE, UNSUBSCRIBE]],
  [0x27, "maximumPacketSize", "Maximum Packet Size", UINT32, [CONNECT, CONNACK]],
  [0x28, "wildcardSubscriptionAvailable", "Wildcard Subscription Available", BOOLEAN, [CONNACK]],
  [0x29, "subscriptionIdentifierAvailable", "Subscription Identifier Available", BOOLEAN, [CONNACK]],
  [0x2a, "sharedSubscriptionAvailable", "Shared Subscription Available", BOOLEAN, [CONNACK]],
];

const nonZeroKeys: ReadonlySet<keyof Properties> = new Set([
  "subscriptionIdentifiers",
  "receiveMaximum",
  "topicAlias",
  "maximumPacketSize",
]);

/** In order of identifier, which is the order in which they are written. */
export const propertyDefinitions: readonly PropertyDefinition[] = rows.map(([id, key, name, kind, packets]) => {
  let mask = 1 << ANY;
  for (const type of packets) mask |= 1 << type;
  return { id, key, name, kind, packets: mask, nonZero: nonZeroKeys.has(key) };
});

/** By identifier; undefined where there is no such property. */
export const propertyById: readonly (PropertyDefinition | undefined)[] = Array.from({ length: 256 }, (_, id) =>
  propertyDefinitions.find((definition) => definition.id === id),
);

/** Kind by identifier byte, 0 where there is no such property: the hot form of `propertyById`. */
export const propertyKinds: Uint8Array = Uint8Array.from(propertyById, (definition) => definition?.kind ?? 0);
