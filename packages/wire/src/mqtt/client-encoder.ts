/** What a client of MQTT 5.0 sends, encoded with little code: see `client-decoder.ts`. */
import { ByteWriter } from "../byte-writer.ts";
import { VARIABLE_INTEGER_MAX, variableIntegerSize, writeVariableInteger } from "../variable-integer.ts";
import { type Packet, PacketType, type Properties } from "./packet.ts";
import { PropertyKind, propertyList } from "./property-list.ts";

const headerBytesMax = 5;

/**
 * Undefined when the packet is larger than `maximumPacketSize`, or than MQTT allows. Properties are written as they are
 * given, whether the packet may have them or not.
 *
 * @throws RangeError when a value cannot be carried by the format; for packets that are a server's
 */
export function encodeClientPacket(packet: Packet, maximumPacketSize: number): Uint8Array | undefined {
  const limit = Math.min(maximumPacketSize, headerBytesMax + VARIABLE_INTEGER_MAX);
  const writer = new ByteWriter(limit + headerBytesMax);
  writer.position = headerBytesMax;
  const flags = writeBody(writer, packet);
  if (writer.fault !== "") throw new RangeError(writer.fault);
  const remaining = writer.position - headerBytesMax;
  const start = headerBytesMax - 1 - variableIntegerSize(remaining);
  if (writer.overflowed || writer.position - start > limit) return undefined;
  writer.bytes[start] = (packet.type << 4) | flags;
  writeVariableInteger(writer.bytes, start + 1, remaining);
  return writer.bytes.subarray(start, writer.position);
}

/** Returns the flags of the first byte. */
function writeBody(writer: ByteWriter, packet: Packet): number {
  switch (packet.type) {
    case PacketType.CONNECT: {
      const { will, username, password } = packet;
      const willFlags = will === undefined ? 0 : 4 | (will.qos << 3) | (will.retain ? 0x20 : 0);
      writer.string("MQTT", "protocol");
      writer.uint8(5);
      const credentials = (password === undefined ? 0 : 0x40) | (username === undefined ? 0 : 0x80);
      writer.uint8((packet.cleanStart ? 2 : 0) | willFlags | credentials);
      writer.uint16(packet.keepAlive, "keep alive");
      writeProperties(writer, packet.properties);
      writer.string(packet.clientId, "client id");
      if (will !== undefined) {
        writeProperties(writer, will.properties);
        writer.string(will.topic, "will topic");
        writer.binary(will.payload, "will payload");
      }
      if (username !== undefined) writer.string(username, "user name");
      if (password !== undefined) writer.binary(password, "password");
      return 0;
    }
    case PacketType.PUBLISH:
      writer.string(packet.topic, "topic");
      if (packet.qos > 0) writer.uint16(packet.packetId ?? 0, "packet identifier");
      writeProperties(writer, packet.properties);
      writer.raw(packet.payload, 0, packet.payload.length);
      return (packet.dup ? 8 : 0) | (packet.qos << 1) | (packet.retain ? 1 : 0);
    case PacketType.SUBSCRIBE:
      writer.uint16(packet.packetId, "packet identifier");
      writeProperties(writer, packet.properties);
      for (const { filter, qos, noLocal, retainAsPublished, retainHandling } of packet.subscriptions) {
        writer.string(filter, "topic filter");
        writer.uint8(qos | (noLocal ? 4 : 0) | (retainAsPublished ? 8 : 0) | (retainHandling << 4));
      }
      return 2;
    case PacketType.UNSUBSCRIBE:
      writer.uint16(packet.packetId, "packet identifier");
      writeProperties(writer, packet.properties);
      for (const filter of packet.filters) writer.string(filter, "topic filter");
      return 2;
    case PacketType.DISCONNECT:
      writer.uint8(packet.reasonCode);
      writeProperties(writer, packet.properties);
      return 0;
    case PacketType.PINGREQ:
      return 0;
    default:
      writer.fail("a client does not send such a packet");
      return 0;
  }
}

/** Behind their length. */
function writeProperties(writer: ByteWriter, properties: Properties = {}): void {
  const block = new ByteWriter(writer.room);
  for (const [id, key, kind] of propertyList) {
    const value = properties[key];
    if (value === undefined) continue;
    const list = kind === PropertyKind.PAIR || kind === PropertyKind.VARIABLE ? (value as readonly unknown[]) : [value];
    for (const item of list) {
      block.uint8(id);
      writeValue(block, kind, item, key);
    }
  }
  if (block.fault !== "") writer.fail(block.fault);
  if (block.overflowed) writer.overflowed = true;
  writer.variableInteger(block.position, "property length");
  writer.raw(block.bytes, 0, block.position);
}

function writeValue(writer: ByteWriter, kind: PropertyKind, value: unknown, key: string): void {
  if (kind === PropertyKind.PAIR) {
    for (const text of value as readonly string[]) writer.string(text, key);
  } else if (kind === PropertyKind.STRING) writer.string(value as string, key);
  else if (kind === PropertyKind.BINARY) writer.binary(value as Uint8Array, key);
  else if (kind === PropertyKind.UINT16) writer.uint16(value as number, key);
  else if (kind === PropertyKind.UINT32) writer.uint32(value as number, key);
  else if (kind === PropertyKind.VARIABLE) writer.variableInteger(value as number, key);
  else writer.uint8(Number(value));
}
