/** The packets off the hot path: bodies to objects. Each function reads on after a fault, which stays in the reader. */
import { decodeConnect } from "./decode-connect.ts";
import type {
  AuthPacket,
  ConnackPacket,
  DisconnectPacket,
  Packet,
  Properties,
  QoS,
  SubackPacket,
  SubscribePacket,
  Subscription,
  UnsubackPacket,
  UnsubscribePacket,
} from "./packet.ts";
import { PacketType } from "./packet.ts";
import { packetName } from "./packet-name.ts";
import type { PacketReader } from "./packet-reader.ts";
import { isReasonCodeFor, ReasonCode, reasonCodeOfReturnCode } from "./reason-code.ts";

/** Decodes the body in `reader` as a packet of this type; undefined when the reader has a fault. */
export function decodePacket(type: number, reader: PacketReader): Packet | undefined {
  const packet = decodeBody(type, reader);
  reader.finish();
  return reader.faultCode === 0 ? packet : undefined;
}

function decodeBody(type: number, reader: PacketReader): Packet | undefined {
  switch (type) {
    case PacketType.CONNECT:
      return decodeConnect(reader);
    case PacketType.CONNACK:
      return decodeConnack(reader);
    case PacketType.SUBSCRIBE:
      return decodeSubscribe(reader);
    case PacketType.SUBACK:
      return decodeSuback(reader);
    case PacketType.UNSUBSCRIBE:
      return decodeUnsubscribe(reader);
    case PacketType.UNSUBACK:
      return decodeUnsuback(reader);
    case PacketType.PINGREQ:
      return { type: PacketType.PINGREQ };
    case PacketType.PINGRESP:
      return { type: PacketType.PINGRESP };
    case PacketType.DISCONNECT:
      return decodeDisconnect(reader);
    case PacketType.AUTH:
      return decodeAuth(reader);
    default:
      reader.malformed(`${packetName(type)} cannot be decoded.`);
      return undefined;
  }
}

/** Properties come with 5.0 only. */
function decodeProperties<P extends { properties?: Properties }>(reader: PacketReader, type: number, packet: P): P {
  if (reader.version === 5) {
    const properties = reader.properties(type);
    if (properties !== undefined) packet.properties = properties;
  }
  return packet;
}

function checkedReasonCode(reader: PacketReader, type: number, code: number): number {
  if (!isReasonCodeFor(type, code, reader.fromClient ? "client" : "server")) {
    reader.protocolError(`${packetName(type)} from this side must not carry the reason code ${code}.`);
  }
  return code;
}

function decodeConnack(reader: PacketReader): ConnackPacket {
  const flags = reader.uint8("the acknowledge flags");
  if (flags > 1) reader.malformed("CONNACK has reserved acknowledge flags set."); // [MQTT-3.2.2-1]
  const code = reader.uint8("the reason code");
  const reasonCode = reader.version === 4 ? reasonCodeOfReturnCode(code) : code;
  if (reasonCode === undefined) reader.malformed("CONNACK has a return code above 5.");
  else if (reader.version === 5) checkedReasonCode(reader, PacketType.CONNACK, code);
  if (flags === 1 && code !== 0) reader.protocolError("CONNACK has Session Present with an error."); // [MQTT-3.2.2-6]
  const packet: ConnackPacket = {
    type: PacketType.CONNACK,
    sessionPresent: flags === 1,
    reasonCode: reasonCode ?? ReasonCode.UnspecifiedError,
  };
  return decodeProperties(reader, PacketType.CONNACK, packet);
}

/** A list must hold at least one entry and at most the limit; each entry is at least one byte. */
function decodeList<T>(reader: PacketReader, what: string, decodeEntry: (reader: PacketReader) => T): T[] {
  const entries: T[] = [];
  const max = reader.limits.subscriptionsMax;
  while (reader.remaining > 0) {
    if (entries.length === max) {
      reader.fail(ReasonCode.QuotaExceeded, `More than ${max} ${what} in one packet.`);
      break;
    }
    entries.push(decodeEntry(reader));
  }
  if (entries.length === 0) reader.protocolError(`The packet has no ${what}.`); // [MQTT-3.8.3-2, MQTT-3.10.3-2]
  return entries;
}

function decodeFilter(reader: PacketReader): string {
  const filter = reader.string("a topic filter");
  if (filter === "" && reader.faultCode === 0) {
    reader.fail(ReasonCode.TopicFilterInvalid, "A topic filter must have at least one character."); // [MQTT-4.7.3-1]
  }
  return filter;
}

function decodeSubscription(reader: PacketReader): Subscription {
  const filter = decodeFilter(reader);
  const options = reader.uint8("the subscription options");
  const reserved = reader.version === 4 ? 0xfc : 0xc0;
  // [MQTT-3.8.3-5]
  if ((options & reserved) !== 0) reader.malformed("Reserved bits of the subscription options are set.");
  const qos = options & 3;
  const retainHandling = (options >>> 4) & 3;
  if (qos === 3) reader.protocolError("A subscription asks for QoS 3; only 0, 1 and 2 exist.");
  if (retainHandling === 3) reader.protocolError("A subscription has Retain Handling 3; only 0, 1 and 2 exist.");
  return {
    filter,
    qos: qos as QoS,
    noLocal: (options & 4) !== 0,
    retainAsPublished: (options & 8) !== 0,
    retainHandling: retainHandling as 0 | 1 | 2,
  };
}

function decodeSubscribe(reader: PacketReader): SubscribePacket {
  const packet: SubscribePacket = {
    type: PacketType.SUBSCRIBE,
    packetId: reader.packetIdentifier(),
    subscriptions: [],
  };
  decodeProperties(reader, PacketType.SUBSCRIBE, packet);
  packet.subscriptions = decodeList(reader, "topic filters", decodeSubscription);
  return packet;
}

function decodeUnsubscribe(reader: PacketReader): UnsubscribePacket {
  const packet: UnsubscribePacket = { type: PacketType.UNSUBSCRIBE, packetId: reader.packetIdentifier(), filters: [] };
  decodeProperties(reader, PacketType.UNSUBSCRIBE, packet);
  packet.filters = decodeList(reader, "topic filters", decodeFilter);
  return packet;
}

function decodeSubackCode(reader: PacketReader): number {
  const code = reader.uint8("a reason code");
  if (reader.version === 4 && code > 2 && code !== ReasonCode.UnspecifiedError) {
    reader.malformed("SUBACK has a return code other than 0, 1, 2 and 128."); // [MQTT-3.9.3-2, 3.1.1]
    return code;
  }
  return checkedReasonCode(reader, PacketType.SUBACK, code);
}

function decodeUnsubackCode(reader: PacketReader): number {
  return checkedReasonCode(reader, PacketType.UNSUBACK, reader.uint8("a reason code"));
}

function decodeSuback(reader: PacketReader): SubackPacket {
  const packet: SubackPacket = { type: PacketType.SUBACK, packetId: reader.packetIdentifier(), reasonCodes: [] };
  decodeProperties(reader, PacketType.SUBACK, packet);
  packet.reasonCodes = decodeList(reader, "reason codes", decodeSubackCode);
  return packet;
}

function decodeUnsuback(reader: PacketReader): UnsubackPacket {
  const packet: UnsubackPacket = { type: PacketType.UNSUBACK, packetId: reader.packetIdentifier(), reasonCodes: [] };
  if (reader.version === 4) return packet;
  decodeProperties(reader, PacketType.UNSUBACK, packet);
  packet.reasonCodes = decodeList(reader, "reason codes", decodeUnsubackCode);
  return packet;
}

function decodeDisconnect(reader: PacketReader): DisconnectPacket {
  const packet: DisconnectPacket = { type: PacketType.DISCONNECT, reasonCode: ReasonCode.NormalDisconnection };
  if (reader.version === 4) return packet;
  // Without a body the code is 0x00, with one byte there are no properties [MQTT 5.0 section 3.14.2.1].
  if (reader.remaining > 0) packet.reasonCode = reader.uint8("the reason code");
  checkedReasonCode(reader, PacketType.DISCONNECT, packet.reasonCode);
  return reader.remaining > 0 ? decodeProperties(reader, PacketType.DISCONNECT, packet) : packet;
}

function decodeAuth(reader: PacketReader): AuthPacket {
  const packet: AuthPacket = { type: PacketType.AUTH, reasonCode: ReasonCode.Success };
  const short = reader.remaining === 0; // success without properties [MQTT 5.0 section 3.15.2.1]
  if (!short) packet.reasonCode = reader.uint8("the reason code");
  checkedReasonCode(reader, PacketType.AUTH, packet.reasonCode);
  if (short) return packet;
  decodeProperties(reader, PacketType.AUTH, packet);
  if (packet.properties?.authenticationMethod === undefined) {
    reader.protocolError("AUTH has no Authentication Method."); // [MQTT 5.0 section 3.15.2.2.2]
  }
  return packet;
}
