import { PacketType, type ProtocolVersion } from "./packet.ts";

/** Most bytes that writeAck writes. */
export const ACK_BYTES_MAX = 5;

/**
 * Writes PUBACK, PUBREC, PUBREL or PUBCOMP without properties at `at`; returns the end. The reason code is left out
 * when it is 0 or under 3.1.1. `out` must have ACK_BYTES_MAX bytes of room.
 */
export function writeAck(
  out: Uint8Array,
  at: number,
  version: ProtocolVersion,
  type: number,
  packetId: number,
  reasonCode: number,
): number {
  const short = reasonCode === 0 || version === 4;
  out[at] = type === PacketType.PUBREL ? 0x62 : type << 4;
  out[at + 1] = short ? 2 : 3;
  out[at + 2] = packetId >>> 8;
  out[at + 3] = packetId;
  if (short) return at + 4;
  out[at + 4] = reasonCode;
  return at + 5;
}
