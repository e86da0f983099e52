import {
  copyBytes,
  PacketType,
  type ProtocolVersion,
  patchPacketId,
  type QoS,
  stringByteLength,
  VARIABLE_INTEGER_MAX,
  variableIntegerSize,
  writeString,
  writeVariableInteger,
} from "@mess/wire";
import type { OutputBuffer } from "./output-buffer.ts";

export interface PlainPublish {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
}

/**
 * A PUBLISH without properties, the usual one, straight into the output: no object and no copy but this one.
 *
 * @returns false, with nothing written, when the packet is larger than `maximumPacketSize`, or than MQTT allows
 */
export function writePublish(
  output: OutputBuffer,
  { topic, payload, qos, retain }: PlainPublish,
  packetId: number,
  { version, maximumPacketSize }: { readonly version: ProtocolVersion; readonly maximumPacketSize: number },
): boolean {
  const topicLength = stringByteLength(topic);
  const remaining = 2 + topicLength + (qos > 0 ? 2 : 0) + (version === 5 ? 1 : 0) + payload.length;
  if (remaining > VARIABLE_INTEGER_MAX) return false;
  const size = 1 + variableIntegerSize(remaining) + remaining;
  if (size > maximumPacketSize) return false;
  const { bytes, offset } = output.reserve(size);
  bytes[offset] = (PacketType.PUBLISH << 4) | (qos << 1) | (retain ? 1 : 0);
  let at = writeVariableInteger(bytes, offset + 1, remaining);
  at = writeString(bytes, at, topic);
  if (qos > 0) {
    patchPacketId(bytes, at, packetId);
    at += 2;
  }
  if (version === 5) {
    bytes[at] = 0;
    at += 1;
  }
  copyBytes(payload, 0, payload.length, bytes, at);
  output.commit(size);
  return true;
}
