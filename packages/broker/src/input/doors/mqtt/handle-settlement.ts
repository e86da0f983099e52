/** A publish to `$mess/lease/NAME`: what became of a delivery, said with its token. It is no message and goes nowhere. */
import { type PublishView, ReasonCode, readProperties } from "@mess/wire";
import { leasePrefix } from "../../../model/settings.ts";
import { isRefused } from "./mess-properties.ts";
import type { MqttConnection } from "./mqtt-connection.ts";
import { settlementAnswers } from "./publish-answers.ts";
import { readSettlement } from "./settlement-properties.ts";

const prefix: Buffer = Buffer.from(leasePrefix, "utf8");
const dollar = 0x24;
/** Longer than every verb. */
const verbBytesMax = 16;

/** Does the PUBLISH go to the topic of a lease? Cheap for those that do not. */
export function isSettlement(connection: MqttConnection, view: PublishView): boolean {
  if (view.topicEnd > view.topicStart) {
    return view.bytes[view.topicStart] === dollar && beginsSo(view.bytes, view.topicStart, view.topicEnd);
  }
  const aliased = connection.inboundAliases.get(view.topicAlias);
  return aliased !== undefined && aliased[0] === dollar && beginsSo(aliased, 0, aliased.length);
}

/** False when the connection is closing. */
export function handleSettlement(connection: MqttConnection, view: PublishView): boolean {
  connection.lastTopic = undefined;
  connection.rate.asked(1);
  if (view.qos === 0 && !connection.flushRun()) return false;
  const { qos, packetId, topicAlias } = view;
  if (topicAlias !== 0 && view.topicEnd > view.topicStart) {
    connection.inboundAliases.set(topicAlias, view.bytes, view.topicStart, view.topicEnd);
  }
  const problem = misuse(connection, view);
  if (problem !== undefined) return refuse(connection, view, problem);
  const properties = readProperties(view.bytes, view.propertiesStart, view.propertiesEnd) ?? {};
  const { limits, queues } = connection.context;
  const isLong = view.payloadEnd - view.payloadStart > verbBytesMax;
  const payload = isLong ? "too long" : text(view.bytes, view.payloadStart, view.payloadEnd);
  const read = readSettlement(payload, properties.userProperties ?? [], limits);
  if (isRefused(read)) return refuse(connection, view, read.refusal);
  const { correlationData } = properties;
  const token = correlationData === undefined ? "" : text(correlationData, 0, correlationData.length);
  if (token === "") return refuse(connection, view, "Correlation Data must be that of the delivery: it is the token");
  if (qos === 1) connection.answers.settles(packetId);
  queues.settle(connection.principal, token, read.settlement, (result) => {
    if (qos === 0) return;
    const { reason, text: why } = settlementAnswers[result];
    connection.answers.settled(packetId, reason, why);
  });
  return connection.isOpen;
}

function misuse(connection: MqttConnection, view: PublishView): string | undefined {
  if (connection.out.version !== 5) {
    return `${leasePrefix} needs MQTT 5.0: the token is Correlation Data. A PUBACK acknowledges in 3.1.1`;
  }
  if (view.qos === 2) return `${leasePrefix} takes QoS 1 or 0: a token is good for once as it is`;
  return view.retain ? `what is published to ${leasePrefix} cannot be retained` : undefined;
}

function refuse(connection: MqttConnection, view: PublishView, why: string): boolean {
  connection.answers.refuse(view, ReasonCode.ImplementationSpecificError, why);
  return connection.isOpen;
}

function beginsSo(bytes: Uint8Array, start: number, end: number): boolean {
  return end - start > prefix.length && prefix.compare(bytes, start, start + prefix.length) === 0;
}

function text(bytes: Uint8Array, start: number, end: number): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8");
}
