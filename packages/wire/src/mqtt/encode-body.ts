/** The part of each packet behind its fixed header. */
import { ByteWriter } from "../byte-writer.ts";
import type {
  AckPacket,
  AuthPacket,
  ConnackPacket,
  ConnectPacket,
  DisconnectPacket,
  Packet,
  Properties,
  ProtocolVersion,
  PublishPacket,
  SubackPacket,
  SubscribePacket,
  UnsubackPacket,
  UnsubscribePacket,
} from "./packet.ts";
import { PacketType } from "./packet.ts";
import { packetName } from "./packet-name.ts";
import { encodeProperties } from "./properties.ts";
import { WILL } from "./property-table.ts";
import { connackReturnCode, ReasonCode } from "./reason-code.ts";

/** Writes the body; returns the flags of the first byte. */
export function encodeBody(writer: ByteWriter, packet: Packet, version: ProtocolVersion): number {
  switch (packet.type) {
    case PacketType.CONNECT:
      encodeConnect(writer, packet);
      return 0;
    case PacketType.CONNACK:
      encodeConnack(writer, packet, version);
      return 0;
    case PacketType.PUBLISH:
      encodePublish(writer, packet, version);
      return (packet.dup ? 8 : 0) | (packet.qos << 1) | (packet.retain ? 1 : 0);
    case PacketType.PUBACK:
    case PacketType.PUBREC:
    case PacketType.PUBREL:
    case PacketType.PUBCOMP:
      encodeAck(writer, packet, version);
      return packet.type === PacketType.PUBREL ? 2 : 0;
    case PacketType.SUBSCRIBE:
      encodeSubscribe(writer, packet, version);
      return 2;
    case PacketType.UNSUBSCRIBE:
      encodeUnsubscribe(writer, packet, version);
      return 2;
    case PacketType.SUBACK:
    case PacketType.UNSUBACK:
      encodeSubscriptionAnswer(writer, packet, version);
      return 0;
    case PacketType.DISCONNECT:
    case PacketType.AUTH:
      encodeReason(writer, packet, version);
      return 0;
    default:
      return 0; // PINGREQ and PINGRESP have no body
  }
}

/** Properties behind their length, for 5.0 only. `packetType` may be WILL. */
function writePropertyBlock(
  writer: ByteWriter,
  properties: Properties | undefined,
  packetType: number,
  version: ProtocolVersion,
): void {
  if (version === 4) return;
  if (properties === undefined) {
    writer.uint8(0); // [MQTT-2.2.2-1]
    return;
  }
  const block = new ByteWriter(writer.room);
  encodeProperties(block, properties, packetType);
  if (block.fault !== "") writer.fail(block.fault);
  if (block.overflowed) writer.overflowed = true;
  writer.variableInteger(block.position, "The property length");
  writer.raw(block.bytes, 0, block.position);
}

function writePacketId(writer: ByteWriter, packetId: number | undefined): void {
  if (!packetId) writer.fail("The packet identifier must be an integer from 1 to 65535.");
  writer.uint16(packetId ?? 0, "The packet identifier");
}

function writeTopicName(writer: ByteWriter, topic: string, field: string): void {
  if (/[+#]/.test(topic)) writer.fail(`${field} must not contain the wildcards + and #.`);
  writer.string(topic, field);
}

function encodeConnect(writer: ByteWriter, packet: ConnectPacket): void {
  const { version, will, username, password } = packet;
  let flags = packet.cleanStart ? 0x02 : 0;
  if (will !== undefined) flags |= 0x04 | (will.qos << 3) | (will.retain ? 0x20 : 0);
  if (password !== undefined) flags |= 0x40;
  if (username !== undefined) flags |= 0x80;
  if (version === 4 && password !== undefined && username === undefined) {
    writer.fail("MQTT 3.1.1 forbids a password without a user name.");
  }
  writer.string("MQTT", "The protocol name");
  writer.uint8(version);
  writer.uint8(flags);
  writer.uint16(packet.keepAlive, "The keep alive");
  writePropertyBlock(writer, packet.properties, PacketType.CONNECT, version);
  writer.string(packet.clientId, "The client identifier");
  if (will !== undefined) {
    writePropertyBlock(writer, will.properties, WILL, version);
    if (will.topic === "") writer.fail("The will topic must have at least one character.");
    writeTopicName(writer, will.topic, "The will topic");
    writer.binary(will.payload, "The will payload");
  }
  if (username !== undefined) writer.string(username, "The user name");
  if (password !== undefined) writer.binary(password, "The password");
}

function encodeConnack(writer: ByteWriter, packet: ConnackPacket, version: ProtocolVersion): void {
  const { reasonCode } = packet;
  writer.uint8(packet.sessionPresent && reasonCode === 0 ? 1 : 0); // [MQTT-3.2.2-6]
  writer.uint8(version === 4 ? connackReturnCode(reasonCode) : reasonCode);
  writePropertyBlock(writer, packet.properties, PacketType.CONNACK, version);
}

function encodePublish(writer: ByteWriter, packet: PublishPacket, version: ProtocolVersion): void {
  if (packet.topic === "" && (version === 4 || packet.properties?.topicAlias === undefined)) {
    writer.fail("The topic name must have at least one character, or there must be a topic alias.");
  }
  if (packet.dup && packet.qos === 0) writer.fail("DUP must not be set at QoS 0."); // [MQTT-3.3.1-2]
  writeTopicName(writer, packet.topic, "The topic name");
  if (packet.qos > 0) writePacketId(writer, packet.packetId);
  writePropertyBlock(writer, packet.properties, PacketType.PUBLISH, version);
  writer.raw(packet.payload, 0, packet.payload.length);
}

function encodeAck(writer: ByteWriter, packet: AckPacket, version: ProtocolVersion): void {
  writePacketId(writer, packet.packetId);
  const properties = someProperties(packet.properties);
  if (version === 4 || (packet.reasonCode === 0 && properties === undefined)) return;
  writer.uint8(packet.reasonCode);
  if (properties !== undefined) writePropertyBlock(writer, properties, packet.type, version);
}

function encodeSubscribe(writer: ByteWriter, packet: SubscribePacket, version: ProtocolVersion): void {
  writePacketId(writer, packet.packetId);
  if ((packet.properties?.subscriptionIdentifiers?.length ?? 0) > 1) {
    writer.fail("SUBSCRIBE can carry one Subscription Identifier only.");
  }
  writePropertyBlock(writer, packet.properties, PacketType.SUBSCRIBE, version);
  if (packet.subscriptions.length === 0) writer.fail("SUBSCRIBE must have at least one topic filter.");
  for (const { filter, qos, noLocal, retainAsPublished, retainHandling } of packet.subscriptions) {
    writeFilter(writer, filter);
    const options = qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4);
    writer.uint8(version === 4 ? qos : options);
  }
}

function encodeUnsubscribe(writer: ByteWriter, packet: UnsubscribePacket, version: ProtocolVersion): void {
  writePacketId(writer, packet.packetId);
  writePropertyBlock(writer, packet.properties, PacketType.UNSUBSCRIBE, version);
  if (packet.filters.length === 0) writer.fail("UNSUBSCRIBE must have at least one topic filter.");
  for (const filter of packet.filters) writeFilter(writer, filter);
}

function writeFilter(writer: ByteWriter, filter: string): void {
  if (filter === "") writer.fail("A topic filter must have at least one character."); // [MQTT-4.7.3-1]
  writer.string(filter, "A topic filter");
}

function encodeSubscriptionAnswer(
  writer: ByteWriter,
  packet: SubackPacket | UnsubackPacket,
  version: ProtocolVersion,
): void {
  writePacketId(writer, packet.packetId);
  writePropertyBlock(writer, packet.properties, packet.type, version);
  if (version === 4 && packet.type === PacketType.UNSUBACK) return;
  if (packet.reasonCodes.length === 0) writer.fail(`${packetName(packet.type)} must have at least one reason code.`);
  for (const code of packet.reasonCodes) {
    writer.uint8(version === 4 && code >= 0x80 ? ReasonCode.UnspecifiedError : code);
  }
}

function encodeReason(writer: ByteWriter, packet: DisconnectPacket | AuthPacket, version: ProtocolVersion): void {
  if (version === 4) {
    if (packet.type === PacketType.AUTH) writer.fail("AUTH does not exist in MQTT 3.1.1.");
    return;
  }
  const properties = someProperties(packet.properties);
  if (packet.reasonCode === 0 && properties === undefined) return;
  writer.uint8(packet.reasonCode);
  // Only DISCONNECT may end behind its reason code [MQTT 5.0 sections 3.14.2.2.1, 3.15.2.1].
  if (properties !== undefined || packet.type === PacketType.AUTH) {
    writePropertyBlock(writer, properties, packet.type, version);
  }
}

/** undefined also for an object without any, so that the short forms are used. */
function someProperties(properties: Properties | undefined): Properties | undefined {
  if (properties === undefined) return undefined;
  const given = (value: unknown): boolean => value !== undefined && !(Array.isArray(value) && value.length === 0);
  return Object.values(properties).some(given) ? properties : undefined;
}
