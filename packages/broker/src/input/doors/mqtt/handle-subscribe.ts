/** SUBSCRIBE and UNSUBSCRIBE: one code a filter, in order [MQTT-3.8.4-6, MQTT-3.9.3-1]. */
import { PacketType, ReasonCode, type SubscribePacket, type Subscription, type UnsubscribePacket } from "@mess/wire";
import type { SubscribeRequest } from "../../../model/engine.ts";
import type { MqttConnection } from "./mqtt-connection.ts";

/** False when the connection is closing. */
export function handleSubscribe(connection: MqttConnection, packet: SubscribePacket): boolean {
  const identifier = packet.properties?.subscriptionIdentifiers?.[0] ?? 0;
  if (packet.subscriptions.some((wanted) => wanted.noLocal && wanted.filter.startsWith("$share/"))) {
    connection.fail(ReasonCode.ProtocolError, "No Local is not allowed on a shared subscription [MQTT-3.8.3-4]");
    return false;
  }
  const requests = packet.subscriptions.map((wanted) => request(wanted, identifier));
  connection.context.engine.subscribe(connection.handle, requests, (codes, texts) => {
    if (!connection.isOpen) return;
    const text = connection.out.problemInformation ? texts.find((reason) => reason !== "") : undefined;
    const properties = text === undefined ? {} : { reasonString: text };
    const suback = { type: PacketType.SUBACK, packetId: packet.packetId, reasonCodes: codes, properties };
    connection.out.packet(suback);
  });
  return connection.isOpen;
}

export function handleUnsubscribe(connection: MqttConnection, packet: UnsubscribePacket): boolean {
  connection.context.engine.unsubscribe(connection.handle, packet.filters, (codes) => {
    if (!connection.isOpen) return;
    const unsuback = { type: PacketType.UNSUBACK, packetId: packet.packetId, reasonCodes: codes };
    connection.out.packet(unsuback);
  });
  return connection.isOpen;
}

function request(wanted: Subscription, identifier: number): SubscribeRequest {
  return {
    filter: wanted.filter,
    qos: wanted.qos,
    noLocal: wanted.noLocal,
    retainAsPublished: wanted.retainAsPublished,
    retainHandling: wanted.retainHandling,
    identifier,
  };
}
