/** Packets the broker sends that are not PUBLISH. Each stays within the client's Maximum Packet Size. */
import {
  type AckPacket,
  type ConnackPacket,
  type DisconnectPacket,
  encodePacketWithin,
  type Packet,
  PacketType,
  type Properties,
  type ProtocolVersion,
  ReasonCode,
  writeAck,
} from "@mess/wire";
import type { EndReason } from "../../../model/link.ts";
import type { OutputBuffer } from "./output-buffer.ts";

/** Longest form of an ack without properties. */
const ackBytesMax = 5;
const ackScratch: Uint8Array = new Uint8Array(ackBytesMax);

export function sendAck(
  output: OutputBuffer,
  version: ProtocolVersion,
  type: number,
  packetId: number,
  reason: number,
): void {
  const end = writeAck(ackScratch, 0, version, type as Parameters<typeof writeAck>[3], packetId, reason);
  const at = output.reserve(end);
  const chunk = output.chunk as Buffer;
  for (let i = 0; i < end; i++) chunk[at + i] = ackScratch[i] as number;
}

export function sendPingresp(output: OutputBuffer): void {
  const at = output.reserve(2);
  const chunk = output.chunk as Buffer;
  chunk[at] = PacketType.PINGRESP << 4;
  chunk[at + 1] = 0;
}

/**
 * Sends a packet, without its Reason String and User Properties if they make it too large [MQTT-3.2.2-19, MQTT-3.14.2-3].
 * False when the client takes not even that.
 */
export function sendPacket(
  output: OutputBuffer,
  packet: Packet,
  version: ProtocolVersion,
  maximumPacketSize: number,
): boolean {
  const bytes = encodePacketWithin(packet, version, maximumPacketSize);
  if (bytes === undefined) return false;
  output.append(bytes, 0, bytes.length);
  return true;
}

export function connack(reasonCode: number, sessionPresent: boolean, properties: Properties): ConnackPacket {
  return { type: PacketType.CONNACK, reasonCode, sessionPresent, properties };
}

export function disconnect(reasonCode: number, text: string): DisconnectPacket {
  return { type: PacketType.DISCONNECT, reasonCode, properties: text === "" ? {} : { reasonString: text } };
}

/** PUBACK or PUBREC with a sentence, which 5.0 alone has. `text` empty: the client wants none [MQTT-3.1.2-29]. */
export function explainedAck(
  type: typeof PacketType.PUBACK | typeof PacketType.PUBREC,
  packetId: number,
  reasonCode: number,
  text: string,
): AckPacket {
  return { type, packetId, reasonCode, properties: text === "" ? {} : { reasonString: text } };
}

/** `receipt`: the offset; negative the first one of a repeat. */
export function receiptAck(
  type: typeof PacketType.PUBACK | typeof PacketType.PUBREC,
  packetId: number,
  reasonCode: number,
  receipt: number,
): AckPacket {
  const userProperties: [string, string][] = [["mess-offset", String(Math.abs(receipt))]];
  if (receipt < 0) userProperties.push(["mess-duplicate", "1"]);
  return { type, packetId, reasonCode, properties: { userProperties } };
}

export function refusalText(code: number): string {
  if (code === ReasonCode.NotAuthorized) return "not allowed to publish to this topic";
  if (code === ReasonCode.QuotaExceeded)
    return "a quota is used up: disk budget, retained messages or held QoS 2 messages";
  if (code === ReasonCode.ImplementationSpecificError) return "storage has failed: nothing is acknowledged any more";
  return "the publish was refused";
}

const endCodes: Readonly<Record<EndReason, number>> = {
  "taken-over": ReasonCode.SessionTakenOver,
  "not-authorized": ReasonCode.NotAuthorized,
  administrative: ReasonCode.AdministrativeAction,
  quota: ReasonCode.QuotaExceeded,
  "storage-failed": ReasonCode.ServerShuttingDown,
  "shutting-down": ReasonCode.ServerShuttingDown,
  "session-ended": ReasonCode.AdministrativeAction,
};

export function endCode(reason: EndReason): number {
  return endCodes[reason];
}
