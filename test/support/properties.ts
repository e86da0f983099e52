/**
 * The property table of MQTT 5.0 section 2.2.2.2, written for the tests alone: the server's own codec must not be
 * its own judge, so nothing here may import a package of mess.
 */

export type PropertyKind = "byte" | "u16" | "u32" | "vbi" | "string" | "binary" | "pair";

export interface PropertyRow {
  readonly id: number;
  readonly name: PropertyName;
  readonly kind: PropertyKind;
  /** Packets that a *server* may put it into. */
  readonly fromServer: readonly string[];
}

/** Properties by name. In an object each stands once; a list of pairs can repeat one, or hold an id unknown to the standard. */
export interface Properties {
  payloadFormatIndicator?: number;
  messageExpiryInterval?: number;
  contentType?: string | Buffer;
  responseTopic?: string | Buffer;
  correlationData?: Buffer;
  /** In a PUBLISH there may be several, hence a list when decoded. */
  subscriptionIdentifier?: number | number[];
  sessionExpiryInterval?: number;
  assignedClientIdentifier?: string;
  serverKeepAlive?: number;
  authenticationMethod?: string | Buffer;
  authenticationData?: Buffer;
  requestProblemInformation?: number;
  willDelayInterval?: number;
  requestResponseInformation?: number;
  responseInformation?: string;
  serverReference?: string;
  reasonString?: string | Buffer;
  receiveMaximum?: number;
  topicAliasMaximum?: number;
  topicAlias?: number;
  maximumQos?: number;
  retainAvailable?: number;
  userProperty?: [string | Buffer, string | Buffer][];
  maximumPacketSize?: number;
  wildcardSubscriptionAvailable?: number;
  subscriptionIdentifierAvailable?: number;
  sharedSubscriptionAvailable?: number;
}

export type PropertyName = keyof Properties;

const row = (id: number, name: PropertyName, kind: PropertyKind, ...fromServer: string[]): PropertyRow => ({
  id,
  name,
  kind,
  fromServer,
});

const acks = ["CONNACK", "PUBACK", "PUBREC", "PUBREL", "PUBCOMP", "SUBACK", "UNSUBACK", "DISCONNECT", "AUTH"];

export const propertyRows: readonly PropertyRow[] = [
  row(0x01, "payloadFormatIndicator", "byte", "PUBLISH"),
  row(0x02, "messageExpiryInterval", "u32", "PUBLISH"),
  row(0x03, "contentType", "string", "PUBLISH"),
  row(0x08, "responseTopic", "string", "PUBLISH"),
  row(0x09, "correlationData", "binary", "PUBLISH"),
  row(0x0b, "subscriptionIdentifier", "vbi", "PUBLISH"),
  row(0x11, "sessionExpiryInterval", "u32", "CONNACK"),
  row(0x12, "assignedClientIdentifier", "string", "CONNACK"),
  row(0x13, "serverKeepAlive", "u16", "CONNACK"),
  row(0x15, "authenticationMethod", "string", "CONNACK", "AUTH"),
  row(0x16, "authenticationData", "binary", "CONNACK", "AUTH"),
  row(0x17, "requestProblemInformation", "byte"),
  row(0x18, "willDelayInterval", "u32"),
  row(0x19, "requestResponseInformation", "byte"),
  row(0x1a, "responseInformation", "string", "CONNACK"),
  row(0x1c, "serverReference", "string", "CONNACK", "DISCONNECT"),
  row(0x1f, "reasonString", "string", ...acks),
  row(0x21, "receiveMaximum", "u16", "CONNACK"),
  row(0x22, "topicAliasMaximum", "u16", "CONNACK"),
  row(0x23, "topicAlias", "u16", "PUBLISH"),
  row(0x24, "maximumQos", "byte", "CONNACK"),
  row(0x25, "retainAvailable", "byte", "CONNACK"),
  row(0x26, "userProperty", "pair", "PUBLISH", ...acks),
  row(0x27, "maximumPacketSize", "u32", "CONNACK"),
  row(0x28, "wildcardSubscriptionAvailable", "byte", "CONNACK"),
  row(0x29, "subscriptionIdentifierAvailable", "byte", "CONNACK"),
  row(0x2a, "sharedSubscriptionAvailable", "byte", "CONNACK"),
];

export const propertyById: ReadonlyMap<number, PropertyRow> = new Map(propertyRows.map((each) => [each.id, each]));
export const propertyByName: ReadonlyMap<string, PropertyRow> = new Map(propertyRows.map((each) => [each.name, each]));
