/** The properties of MQTT 5.0 as they lie on the wire: identifier, name in our objects, type. */
import type { Properties } from "./packet.ts";

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

const { BIT, BOOLEAN, UINT16, UINT32, VARIABLE, STRING, BINARY, PAIR } = PropertyKind;

/** In order of identifier, which is the order in which they are written. */
export const propertyList: readonly (readonly [id: number, key: keyof Properties, kind: PropertyKind])[] = [
  [0x01, "payloadFormatIndicator", BIT],
  [0x02, "messageExpiryInterval", UINT32],
  [0x03, "contentType", STRING],
  [0x08, "responseTopic", STRING],
  [0x09, "correlationData", BINARY],
  [0x0b, "subscriptionIdentifiers", VARIABLE],
  [0x11, "sessionExpiryInterval", UINT32],
  [0x12, "assignedClientIdentifier", STRING],
  [0x13, "serverKeepAlive", UINT16],
  [0x15, "authenticationMethod", STRING],
  [0x16, "authenticationData", BINARY],
  [0x17, "requestProblemInformation", BOOLEAN],
  [0x18, "willDelayInterval", UINT32],
  [0x19, "requestResponseInformation", BOOLEAN],
  [0x1a, "responseInformation", STRING],
  [0x1c, "serverReference", STRING],
  [0x1f, "reasonString", STRING],
  [0x21, "receiveMaximum", UINT16],
  [0x22, "topicAliasMaximum", UINT16],
  [0x23, "topicAlias", UINT16],
  [0x24, "maximumQoS", BIT],
  [0x25, "retainAvailable", BOOLEAN],
  [0x26, "userProperties", PAIR],
  [0x27, "maximumPacketSize", UINT32],
  [0x28, "wildcardSubscriptionAvailable", BOOLEAN],
  [0x29, "subscriptionIdentifierAvailable", BOOLEAN],
  [0x2a, "sharedSubscriptionAvailable", BOOLEAN],
];
