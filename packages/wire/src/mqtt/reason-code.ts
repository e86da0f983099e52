/** Reason codes of MQTT 5.0 (section 2.4), which packet may carry which, and their 3.1.1 counterparts. */
import { PacketType } from "./packet.ts";

/** 0x00 has three names in the standard, one for each packet that gives it another sense. */
export const ReasonCode = {
  Success: 0x00,
  NormalDisconnection: 0x00,
  GrantedQoS0: 0x00,
  GrantedQoS1: 0x01,
  GrantedQoS2: 0x02,
  DisconnectWithWillMessage: 0x04,
  NoMatchingSubscribers: 0x10,
  NoSubscriptionExisted: 0x11,
  ContinueAuthentication: 0x18,
  ReAuthenticate: 0x19,
  UnspecifiedError: 0x80,
  MalformedPacket: 0x81,
  ProtocolError: 0x82,
  ImplementationSpecificError: 0x83,
  UnsupportedProtocolVersion: 0x84,
  ClientIdentifierNotValid: 0x85,
  BadUserNameOrPassword: 0x86,
  NotAuthorized: 0x87,
  ServerUnavailable: 0x88,
  ServerBusy: 0x89,
  Banned: 0x8a,
  ServerShuttingDown: 0x8b,
  BadAuthenticationMethod: 0x8c,
  KeepAliveTimeout: 0x8d,
  SessionTakenOver: 0x8e,
  TopicFilterInvalid: 0x8f,
  TopicNameInvalid: 0x90,
  PacketIdentifierInUse: 0x91,
  PacketIdentifierNotFound: 0x92,
  ReceiveMaximumExceeded: 0x93,
  TopicAliasInvalid: 0x94,
  PacketTooLarge: 0x95,
  MessageRateTooHigh: 0x96,
  QuotaExceeded: 0x97,
  AdministrativeAction: 0x98,
  PayloadFormatInvalid: 0x99,
  RetainNotSupported: 0x9a,
  QoSNotSupported: 0x9b,
  UseAnotherServer: 0x9c,
  ServerMoved: 0x9d,
  SharedSubscriptionsNotSupported: 0x9e,
  ConnectionRateExceeded: 0x9f,
  MaximumConnectTime: 0xa0,
  SubscriptionIdentifiersNotSupported: 0xa1,
  WildcardSubscriptionsNotSupported: 0xa2,
} as const;
export type ReasonCode = (typeof ReasonCode)[keyof typeof ReasonCode];

/** Who sends a packet. */
export type Sender = "client" | "server";

const CLIENT = 1;
const SERVER = 2;
const BOTH = CLIENT | SERVER;

/** By packet type and code: who may send it. One flat table, because acks ask it on the hot path. */
const senders = new Uint8Array(16 * 256);

function allow(type: number, who: number, codes: readonly number[]): void {
  for (const code of codes) senders[type * 256 + code] = who;
}

allow(PacketType.CONNACK, SERVER, [0x00, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c]);
allow(PacketType.CONNACK, SERVER, [0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c, 0x9d, 0x9f]);
for (const type of [PacketType.PUBACK, PacketType.PUBREC]) {
  allow(type, BOTH, [0x00, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99]);
  allow(type, SERVER, [0x10]); // only a server knows of subscribers [MQTT 5.0 sections 3.4.2.1, 3.5.2.1]
}
for (const type of [PacketType.PUBREL, PacketType.PUBCOMP]) allow(type, BOTH, [0x00, 0x92]);
allow(PacketType.SUBACK, SERVER, [0x00, 0x01, 0x02, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2]);
allow(PacketType.UNSUBACK, SERVER, [0x00, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91]);
allow(PacketType.DISCONNECT, CLIENT, [0x00, 0x04]);
allow(PacketType.DISCONNECT, BOTH, [0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99]);
// 0x8c is missing in the table of section 3.14.2.1 but section 2.4 lists it for DISCONNECT.
allow(PacketType.DISCONNECT, SERVER, [0x87, 0x89, 0x8b, 0x8c, 0x8d, 0x8e, 0x8f, 0x9a, 0x9b, 0x9c, 0x9d, 0x9e, 0x9f]);
allow(PacketType.DISCONNECT, SERVER, [0xa0, 0xa1, 0xa2]);
allow(PacketType.AUTH, SERVER, [0x00]);
allow(PacketType.AUTH, BOTH, [0x18]);
allow(PacketType.AUTH, CLIENT, [0x19]);

/** May a packet of this type carry this code (sent by `sender`, or by anybody when it is left out)? */
export function isReasonCodeFor(type: number, code: number, sender?: Sender): boolean {
  if (type < 0 || type > 15 || code < 0 || code > 255) return false;
  const who = senders[type * 256 + code] as number;
  return (who & (sender === undefined ? BOTH : sender === "client" ? CLIENT : SERVER)) !== 0;
}

/** 3.1.1 CONNACK return code (section 3.2.2.3) for a 5.0 reason code. Errors that 3.1.1 cannot name become 3. */
export function connackReturnCode(reasonCode: number): number {
  switch (reasonCode) {
    case ReasonCode.Success:
      return 0;
    case ReasonCode.UnsupportedProtocolVersion:
      return 1;
    case ReasonCode.ClientIdentifierNotValid:
      return 2;
    case ReasonCode.BadUserNameOrPassword:
      return 4;
    case ReasonCode.NotAuthorized:
    case ReasonCode.Banned:
    case ReasonCode.BadAuthenticationMethod:
      return 5;
    default:
      return 3;
  }
}

const fromReturnCode: readonly number[] = [
  ReasonCode.Success,
  ReasonCode.UnsupportedProtocolVersion,
  ReasonCode.ClientIdentifierNotValid,
  ReasonCode.ServerUnavailable,
  ReasonCode.BadUserNameOrPassword,
  ReasonCode.NotAuthorized,
];

/** 5.0 reason code for a 3.1.1 CONNACK return code; undefined above 5, which 3.1.1 reserves. */
export function reasonCodeOfReturnCode(returnCode: number): number | undefined {
  return fromReturnCode[returnCode];
}
