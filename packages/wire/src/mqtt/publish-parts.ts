/** What a handler takes out of a PublishView. */
import { copyBytes, ownBytes } from "../native-bytes.ts";
import { decodeString } from "../utf8.ts";
import { readVariableInteger, variableIntegerSize } from "../variable-integer.ts";
import { PacketType, type PublishPacket } from "./packet.ts";
import { buildProperties } from "./properties.ts";
import { PropertyId, PropertyKind, propertyKinds } from "./property-table.ts";
import type { PublishView } from "./publish-view.ts";
import { isReserved } from "./reserved-name.ts";

/**
 * Copies the properties that travel on (all but topic alias, message expiry and the reserved ones) in their order;
 * returns the end. Writes view.forwardLength bytes, for which `out` must have room.
 */
export function copyForwardProperties(view: PublishView, out: Uint8Array, at: number): number {
  const { bytes, propertiesStart, propertiesEnd } = view;
  if (view.forwardLength === propertiesEnd - propertiesStart) {
    return copyBytes(bytes, propertiesStart, propertiesEnd, out, at);
  }
  let cursor = at;
  let runStart = propertiesStart;
  let position = propertiesStart;
  while (position < propertiesEnd) {
    const next = propertyEnd(bytes, position);
    if (endsHere(bytes, position)) {
      cursor = copyBytes(bytes, runStart, position, out, cursor);
      runStart = next;
    }
    position = next;
  }
  return copyBytes(bytes, runStart, propertiesEnd, out, cursor);
}

/** Is the property at `at` for the broker alone? */
function endsHere(bytes: Uint8Array, at: number): boolean {
  const id = bytes[at];
  if (id === PropertyId.USER_PROPERTY) return isReserved(bytes, at);
  return id === PropertyId.TOPIC_ALIAS || id === PropertyId.MESSAGE_EXPIRY_INTERVAL;
}

/** End of the property at `at`, in bytes that passed the decoder. */
function propertyEnd(bytes: Uint8Array, at: number): number {
  const value = at + 1;
  switch (propertyKinds[bytes[at] as number]) {
    case PropertyKind.BIT:
    case PropertyKind.BOOLEAN:
      return value + 1;
    case PropertyKind.UINT16:
      return value + 2;
    case PropertyKind.UINT32:
      return value + 4;
    case PropertyKind.VARIABLE:
      return value + variableIntegerSize(readVariableInteger(bytes, value, value + 4));
    case PropertyKind.PAIR:
      return prefixedEnd(bytes, prefixedEnd(bytes, value));
    default:
      return prefixedEnd(bytes, value);
  }
}

function prefixedEnd(bytes: Uint8Array, at: number): number {
  return at + 2 + (((bytes[at] as number) << 8) | (bytes[at + 1] as number));
}

/** The whole PUBLISH as an object that owns its bytes, for code that is not on the hot path. */
export function publishPacketOf(view: PublishView): PublishPacket {
  const { bytes } = view;
  const packet: PublishPacket = {
    type: PacketType.PUBLISH,
    topic: decodeString(bytes, view.topicStart, view.topicEnd),
    payload: ownBytes(bytes, view.payloadStart, view.payloadEnd),
    qos: view.qos,
    retain: view.retain,
    dup: view.dup,
  };
  if (view.qos > 0) packet.packetId = view.packetId;
  if (view.propertiesEnd > view.propertiesStart) {
    packet.properties = buildProperties(bytes, view.propertiesStart, view.propertiesEnd);
  }
  return packet;
}
