/** SUBSCRIBE and UNSUBSCRIBE: one code a filter, in order [MQTT-3.8.4-6, MQTT-3.9.3-1]. */
import { PacketType, ReasonCode, type SubscribePacket, type Subscription, type UnsubscribePacket } from "@mess/wire";
import type { SubscribeRequest } from "../../../model/engine.ts";
import { firstReserved, isRefused, reservedProperties } from "./mess-properties.ts";
import type { MqttConnection } from "./mqtt-connection.ts";
import { misplaced, readSubscribeProperties, type SubscribeWish } from "./subscribe-properties.ts";

/** What a filter costs the broker, in messages; and how many retained messages that are found cost as much as one. */
const filterWeight = 5;
const retainedPerMessage = 25;
const plain: { readonly wish: SubscribeWish } = { wish: {} };
const refused = ReasonCode.ImplementationSpecificError;

/** False when the connection is closing. */
export function handleSubscribe(connection: MqttConnection, packet: SubscribePacket): boolean {
  connection.rate.asked(packet.subscriptions.length * filterWeight);
  const identifier = packet.properties?.subscriptionIdentifiers?.[0] ?? 0;
  if (packet.subscriptions.some((wanted) => wanted.noLocal && wanted.filter.startsWith("$share/"))) {
    connection.fail(ReasonCode.ProtocolError, "No Local is not allowed on a shared subscription [MQTT-3.8.3-4]");
    return false;
  }
  const properties = packet.properties?.userProperties ?? [];
  const read = properties.length === 0 ? plain : readSubscribeProperties(properties, connection.context.limits);
  /** Why a filter is refused at the door; the engine answers for the others. */
  const refusals = packet.subscriptions.map(({ filter }) =>
    isRefused(read) ? read.refusal : misplaced(filter, read.wish),
  );
  if (refusals.some((refusal) => refusal !== undefined)) connection.propertyRefused(firstReserved(properties));
  const wish = isRefused(read) ? {} : read.wish;
  const requests = packet.subscriptions
    .filter((_, index) => refusals[index] === undefined)
    .map((wanted) => request(wanted, identifier, wish));
  const due = connection.context.engine.subscribe(connection.handle, requests, (codes, texts) => {
    if (!connection.isOpen) return;
    const answered = codes[Symbol.iterator]();
    const reasonCodes = refusals.map((refusal) =>
      refusal === undefined ? (answered.next().value ?? ReasonCode.UnspecifiedError) : refused,
    );
    const text = refusals.find((refusal) => refusal !== undefined) ?? texts.find((reason) => reason !== "");
    const isTold = text !== undefined && connection.out.problemInformation;
    const suback = { type: PacketType.SUBACK, packetId: packet.packetId, reasonCodes };
    connection.out.packet({ ...suback, properties: isTold ? { reasonString: text } : {} });
  });
  connection.rate.asked(Math.ceil(due / retainedPerMessage));
  return connection.isOpen;
}

export function handleUnsubscribe(connection: MqttConnection, packet: UnsubscribePacket): boolean {
  connection.rate.asked(packet.filters.length * filterWeight);
  const properties = packet.properties?.userProperties ?? [];
  const read = reservedProperties(properties, "UNSUBSCRIBE");
  if (isRefused(read)) connection.propertyRefused(firstReserved(properties));
  const refusal = isRefused(read) ? read.refusal : undefined;
  connection.context.engine.unsubscribe(connection.handle, refusal === undefined ? packet.filters : [], (codes) => {
    if (!connection.isOpen) return;
    const reasonCodes = refusal === undefined ? codes : packet.filters.map(() => refused);
    const isTold = refusal !== undefined && connection.out.problemInformation;
    const unsuback = { type: PacketType.UNSUBACK, packetId: packet.packetId, reasonCodes };
    connection.out.packet(isTold ? { ...unsuback, properties: { reasonString: refusal } } : unsuback);
  });
  return connection.isOpen;
}

function request(wanted: Subscription, identifier: number, wish: SubscribeWish): SubscribeRequest {
  return {
    filter: wanted.filter,
    qos: wanted.qos,
    noLocal: wanted.noLocal,
    retainAsPublished: wanted.retainAsPublished,
    retainHandling: wanted.retainHandling,
    identifier,
    ...wish,
  };
}
