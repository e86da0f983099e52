/** PUBACK, PUBREC, PUBREL and PUBCOMP from a client. */
import { PacketType, type Properties, ReasonCode } from "@mess/wire";
import type { MqttConnection } from "./mqtt-connection.ts";
import { fitting } from "./settlement-properties.ts";

export interface Ack {
  readonly type: number;
  readonly packetId: number;
  readonly reason: number;
  readonly properties: Properties | undefined;
}

/** False when the connection is closing. */
export function handleAck(connection: MqttConnection, { type, packetId, reason, properties }: Ack): boolean {
  const { engine, limits } = connection.context;
  if (type === PacketType.PUBREL) {
    connection.answers.unreleased.delete(packetId);
    engine.release(connection.handle, packetId);
    return connection.isOpen;
  }
  const step = type === PacketType.PUBACK ? 1 : type === PacketType.PUBREC ? 2 : 3;
  // A negative PUBACK may say why; that goes with the message.
  const text = fitting(properties?.reasonString ?? "", limits.settlementReasonBytesMax);
  if (engine.acknowledge(connection.handle, packetId, step, reason, text)) return connection.isOpen;
  if (step === 1) connection.fail(ReasonCode.ProtocolError, "PUBACK for a packet id that is not under way");
  else if (step === 2 && reason < 0x80) connection.release(packetId, ReasonCode.PacketIdentifierNotFound);
  return connection.isOpen;
}
