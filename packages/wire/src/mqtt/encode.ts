/** Packets to bytes, for both ends. The hot ways have their own files: `publish-encoder.ts` and `ack-encoder.ts`. */
import { ByteWriter } from "../byte-writer.ts";
import { VARIABLE_INTEGER_MAX, variableIntegerSize, writeVariableInteger } from "../variable-integer.ts";
import { encodeBody } from "./encode-body.ts";
import { type Packet, PacketType, type Properties, type ProtocolVersion } from "./packet.ts";

/** Room for the first byte and the longest remaining length, in front of the body. */
const HEADER_BYTES_MAX = 5;
/** Largest packet of the format: header and the largest remaining length. */
const PACKET_BYTES_MAX = HEADER_BYTES_MAX + VARIABLE_INTEGER_MAX;

/** Packets whose Reason String and User Properties may be left out, e.g. [MQTT-3.2.2-19, -20]. */
const shortenable: ReadonlySet<number> = new Set([
  PacketType.CONNACK,
  PacketType.PUBACK,
  PacketType.PUBREC,
  PacketType.PUBREL,
  PacketType.PUBCOMP,
  PacketType.SUBACK,
  PacketType.UNSUBACK,
  PacketType.DISCONNECT,
  PacketType.AUTH,
]);

/**
 * Bytes of a packet. Under 3.1.1 what it cannot carry (properties, most reason codes) is left out; a CONNECT is written
 * in its own version.
 * @throws RangeError when a value cannot be carried by the format (a string over 65,535 bytes or with U+0000, a packet
 *   identifier outside 1..65535, a property the packet may not have, ...). The message names the field.
 */
export function encodePacket(packet: Packet, version: ProtocolVersion): Uint8Array {
  const bytes = encode(packet, version, PACKET_BYTES_MAX);
  if (bytes === undefined) throw new RangeError(`The packet is larger than ${PACKET_BYTES_MAX} bytes.`);
  return bytes;
}

/**
 * The same for a receiver that takes at most `maximumPacketSize` bytes: first the Reason String, then the User
 * Properties are left out where the standard allows it; undefined when the packet does not fit even so.
 * @throws RangeError as encodePacket
 */
export function encodePacketWithin(
  packet: Packet,
  version: ProtocolVersion,
  maximumPacketSize: number,
): Uint8Array | undefined {
  const limit = Math.min(maximumPacketSize, PACKET_BYTES_MAX);
  let bytes = encode(packet, version, limit);
  if (bytes !== undefined || version === 4 || !shortenable.has(packet.type)) return bytes;
  const properties: Properties = { ...propertiesOf(packet) };
  for (const key of ["reasonString", "userProperties"] as const) {
    if (properties[key] === undefined) continue;
    delete properties[key];
    bytes = encode({ ...packet, properties } as Packet, version, limit);
    if (bytes !== undefined) return bytes;
  }
  return undefined;
}

function propertiesOf(packet: Packet): Properties | undefined {
  return "properties" in packet ? packet.properties : undefined;
}

/** undefined when the packet is larger than `limit`. */
function encode(packet: Packet, version: ProtocolVersion, limit: number): Uint8Array | undefined {
  const expected = packet.type === PacketType.PUBLISH ? packet.payload.length + packet.topic.length + 128 : 128;
  const writer = new ByteWriter(limit + HEADER_BYTES_MAX, expected);
  writer.position = HEADER_BYTES_MAX;
  const flags = encodeBody(writer, packet, packet.type === PacketType.CONNECT ? packet.version : version);
  if (writer.fault !== "") throw new RangeError(writer.fault);
  const remaining = writer.position - HEADER_BYTES_MAX;
  const start = HEADER_BYTES_MAX - 1 - variableIntegerSize(remaining);
  if (writer.overflowed || writer.position - start > limit) return undefined;
  writer.bytes[start] = (packet.type << 4) | flags;
  writeVariableInteger(writer.bytes, start + 1, remaining);
  return writer.bytes.subarray(start, writer.position);
}
