/** The properties of MQTT 5.0 (section 2.2.2.2) as one table: identifier, type, and the packets that may carry them. */
import { PacketType, type Properties } from "./packet.ts";
import { PropertyKind, propertyList } from "./property-list.ts";

export { PropertyKind };

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

/** The standard's name, and the packets that may carry it. */
const places: Readonly<Record<keyof Properties, readonly [name: string, packets: readonly number[]]>> = {
  payloadFormatIndicator: ["Payload Format Indicator", message],
  messageExpiryInterval: ["Message Expiry Interval", message],
  contentType: ["Content Type", message],
  responseTopic: ["Response Topic", message],
  correlationData: ["Correlation Data", message],
  subscriptionIdentifiers: ["Subscription Identifier", [PUBLISH, SUBSCRIBE]],
  sessionExpiryInterval: ["Session Expiry Interval", [CONNECT, CONNACK, DISCONNECT]],
  assignedClientIdentifier: ["Assigned Client Identifier", [CONNACK]],
  serverKeepAlive: ["Server Keep Alive", [CONNACK]],
  authenticationMethod: ["Authentication Method", authentication],
  authenticationData: ["Authentication Data", authentication],
  requestProblemInformation: ["Request Problem Information", [CONNECT]],
  willDelayInterval: ["Will Delay Interval", [WILL]],
  requestResponseInformation: ["Request Response Information", [CONNECT]],
  responseInformation: ["Response Information", [CONNACK]],
  serverReference: ["Server Reference", [CONNACK, DISCONNECT]],
  reasonString: ["Reason String", answers],
  receiveMaximum: ["Receive Maximum", [CONNECT, CONNACK]],
  topicAliasMaximum: ["Topic Alias Maximum", [CONNECT, CONNACK]],
  topicAlias: ["Topic Alias", [PUBLISH]],
  maximumQoS: ["Maximum QoS", [CONNACK]],
  retainAvailable: ["Retain Available", [CONNACK]],
  userProperties: ["User Property", [...answers, ...message, CONNECT, SUBSCRIBE, UNSUBSCRIBE]],
  maximumPacketSize: ["Maximum Packet Size", [CONNECT, CONNACK]],
  wildcardSubscriptionAvailable: ["Wildcard Subscription Available", [CONNACK]],
  subscriptionIdentifierAvailable: ["Subscription Identifier Available", [CONNACK]],
  sharedSubscriptionAvailable: ["Shared Subscription Available", [CONNACK]],
};

const nonZeroKeys: ReadonlySet<keyof Properties> = new Set([
  "subscriptionIdentifiers",
  "receiveMaximum",
  "topicAlias",
  "maximumPacketSize",
]);

/** In order of identifier, which is the order in which they are written. */
export const propertyDefinitions: readonly PropertyDefinition[] = propertyList.map(([id, key, kind]) => {
  const [name, packets] = places[key];
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
