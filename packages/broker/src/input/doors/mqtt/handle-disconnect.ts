/** DISCONNECT from a client (MQTT 5.0 section 3.14). */
import { type DisconnectPacket, ReasonCode } from "@mess/wire";
import type { MqttConnection } from "./mqtt-connection.ts";

/** False: the connection is closing. */
export function handleDisconnect(connection: MqttConnection, packet: DisconnectPacket): false {
  const expiry = packet.properties?.sessionExpiryInterval;
  if (expiry !== undefined && expiry > 0 && connection.requestedExpiry === 0) {
    connection.fail(
      ReasonCode.ProtocolError,
      "a session that was to end cannot be given time by DISCONNECT [MQTT-3.14.2-2]",
    );
  } else connection.leave(packet.reasonCode === ReasonCode.NormalDisconnection, expiry);
  return false;
}
