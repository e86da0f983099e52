/** CONNECT: who is it (MQTT 5.0 section 3.1). Refusals are a CONNACK, then the end. */
import { type ConnectPacket, type DecodeFailure, PacketType, ReasonCode } from "@mess/wire";
import { isRefused, type Refused, type Verdict } from "../../../model/authentication.ts";
import { beginExchange } from "./handle-auth.ts";
import { letIn, refusalCode } from "./let-in.ts";
import type { MqttConnection } from "./mqtt-connection.ts";

/** False when the connection is refused, or nothing more may be decoded yet. */
export function handleConnect(connection: MqttConnection, packet: ConnectPacket): boolean {
  const { context, peer } = connection;
  connection.out.speak(packet.version);
  const properties = packet.properties ?? {};
  connection.out.maximumPacketSize = properties.maximumPacketSize ?? Number.MAX_SAFE_INTEGER;
  connection.out.problemInformation = properties.requestProblemInformation ?? true;
  if (properties.authenticationMethod !== undefined) return beginExchange(connection, packet);
  if (peer.principal !== undefined) {
    return letIn(connection, packet, { principal: peer.principal, keyId: "", method: "none" });
  }
  const verdict = context.authenticator.authenticate(packet.username, packet.password, peer);
  const judged = (result: Verdict): boolean =>
    isRefused(result) ? refuseCredential(connection, packet, result) : letIn(connection, packet, result);
  if (!(verdict instanceof Promise)) return judged(verdict);
  return connection.suspend(packet, verdict, judged);
}

function refuseCredential(connection: MqttConnection, packet: ConnectPacket, { refused, ...why }: Refused): false {
  const wrong = packet.username === undefined ? ReasonCode.NotAuthorized : ReasonCode.BadUserNameOrPassword;
  return connection.refuse(refusalCode(why, wrong), refused);
}

/**
 * A CONNECT that could not be decoded. Before one is accepted there is no DISCONNECT [MQTT-3.14.0-1]: a CONNACK if the
 * client's format is known, else just the end. False when there is nothing to say.
 */
export function refuseFailedConnect(connection: MqttConnection, failure: DecodeFailure): boolean {
  const isUnsupported = failure.reasonCode === ReasonCode.UnsupportedProtocolVersion;
  if (failure.packetType !== PacketType.CONNECT || !(failure.protocolLevel >= 3 || isUnsupported)) return false;
  const version = failure.protocolLevel >= 5 ? 5 : 4;
  // 3.1.1 has no code for a packet that is malformed [MQTT-3.1.4-1 of 3.1.1].
  if (version === 4 && !isUnsupported) return false;
  connection.out.speak(version);
  connection.refuse(failure.reasonCode, failure.reason);
  return true;
}
