/** PUBLISH from a client: QoS 0 runs go straight through, everything else becomes a draft for the journal. */
import { copyForwardProperties, type PublishView, ReasonCode, readProperties } from "@mess/wire";
import type { TopicHandle } from "../../../model/engine.ts";
import { MessageDraft, noExpiry, withoutAttributes, writeAttributes } from "../../../model/message.ts";
import { canonicalPublish } from "./deliver.ts";
import { handleSettlement, isSettlement } from "./handle-settlement.ts";
import { handleSigned } from "./handle-signed.ts";
import { firstReserved, isRefused } from "./mess-properties.ts";
import type { MqttConnection } from "./mqtt-connection.ts";
import { publishDraft } from "./publish-draft.ts";
import { readPublishProperties } from "./publish-properties.ts";

const dollar = 0x24;
const draft: MessageDraft = new MessageDraft();
let headerScratch: Buffer = Buffer.allocUnsafeSlow(16 * 1024);
/** A client of 3.1.1 knows no Receive Maximum; this many QoS 2 publishes without PUBREL it may still have. */
const unreleasedMax311 = 1_000;

/** False when the connection is closing; a refused publish alone does not close one of 5.0. */
export function handlePublish(connection: MqttConnection, view: PublishView): boolean {
  if (view.qos > 0 && !(connection.flushRun() && admit(connection, view))) return false;
  if ((view.topicAlias !== 0 || view.bytes[view.topicStart] === dollar) && isSettlement(connection, view)) {
    return handleSettlement(connection, view);
  }
  if (view.reservedLength > 0) return handleReserved(connection, view);
  if (view.qos === 0 && !view.retain) return handleLive(connection, view);
  return handleStored(connection, view, withoutAttributes);
}

function handleStored(connection: MqttConnection, view: PublishView, attributes: Uint8Array): boolean {
  if (!connection.flushRun()) return false;
  const topic = resolveTopic(connection, view);
  // The decoder compares with the publish before, of whatever QoS: what it calls the same topic is this one.
  connection.lastTopic = topic;
  if (topic === undefined) return connection.isOpen;
  if (!takeRate(connection, view, topic)) return connection.isOpen;
  fillDraft(connection, view, topic);
  draft.attributes = attributes;
  return publishDraft(connection, topic, draft, view.packetId);
}

/** False when it comes too early: it was refused, or the client has to go. Else it is counted. */
function takeRate(connection: MqttConnection, view: PublishView, topic: TopicHandle): boolean {
  const bytes = view.packetEnd - view.packetStart;
  if (!isRefusableByRate(connection, view)) {
    countPublished(connection, topic, 1, bytes);
    return connection.isOpen;
  }
  const early = connection.rate.refusal(topic);
  if (early === undefined) connection.rate.took(topic, 1, bytes);
  else connection.answers.refuse(view, ReasonCode.QuotaExceeded, early);
  return early === undefined;
}

/** Counts against its rates what cannot be refused. */
export function countPublished(client: MqttConnection, topic: TopicHandle, messages: number, bytes: number): void {
  const text = client.isOpen ? client.rate.tookUnasked(topic, messages, bytes) : undefined;
  if (text !== undefined) client.fail(ReasonCode.MessageRateTooHigh, text);
}

/**
 * May it be refused for coming too early? One of 3.1.1 cannot be, nor can QoS 0; and one that is sent again may have been
 * taken before, so that a refusal would be a lie.
 */
function isRefusableByRate(connection: MqttConnection, view: PublishView): boolean {
  return view.qos > 0 && !view.dup && connection.out.version === 5;
}

function handleLive(connection: MqttConnection, view: PublishView): boolean {
  if (view.topicAlias !== 0 || view.messageExpiry >= 0) return handleLiveRewritten(connection, view);
  const { run } = connection;
  if (run.count > 0 && view.sameTopic && view.packetStart === run.end && view.bytes === run.bytes) {
    run.end = view.packetEnd;
    run.count++;
    return true;
  }
  if (!connection.flushRun()) return false;
  const topic =
    view.sameTopic && connection.lastTopic !== undefined ? connection.lastTopic : resolveTopic(connection, view);
  if (topic === undefined) return false;
  connection.lastTopic = topic;
  connection.startRun(topic, view.bytes as Buffer, view.packetStart, view.packetEnd);
  return true;
}

/** With a topic alias or an expiry the packet cannot travel as it is: it is written anew, once, for all receivers. */
function handleLiveRewritten(connection: MqttConnection, view: PublishView): boolean {
  if (!connection.flushRun()) return false;
  const topic = resolveTopic(connection, view);
  if (topic === undefined) return false;
  const forward = Buffer.alloc(view.forwardLength);
  copyForwardProperties(view, forward, 0);
  const packet = canonicalPublish({
    topic: Buffer.from(topic.name, "utf8"),
    forward,
    payload: view.bytes.subarray(view.payloadStart, view.payloadEnd),
    messageExpiry: view.messageExpiry,
  });
  connection.startRun(topic, packet, 0, packet.length);
  connection.flushRun();
  connection.lastTopic = undefined;
  return connection.isOpen;
}

/** The topic of a publish, aliases resolved; closes the connection when there is none. */
function resolveTopic(connection: MqttConnection, view: PublishView): TopicHandle | undefined {
  const { engine } = connection.context;
  if (view.topicAlias !== 0) return resolveAlias(connection, view);
  const topic = engine.topic(view.bytes, view.topicStart, view.topicEnd);
  if (topic === undefined) refuseTopic(connection, view);
  return topic;
}

function resolveAlias(connection: MqttConnection, view: PublishView): TopicHandle | undefined {
  const aliases = connection.inboundAliases;
  if (view.topicEnd > view.topicStart) {
    const topic = connection.context.engine.topic(view.bytes, view.topicStart, view.topicEnd);
    if (topic === undefined) refuseTopic(connection, view);
    else aliases.set(view.topicAlias, view.bytes, view.topicStart, view.topicEnd);
    return topic;
  }
  const bytes = aliases.get(view.topicAlias);
  if (bytes === undefined) {
    connection.fail(ReasonCode.ProtocolError, `topic alias ${view.topicAlias} was not set on this connection`);
    return undefined;
  }
  return connection.context.engine.topic(bytes, 0, bytes.length);
}

function refuseTopic(connection: MqttConnection, view: PublishView): void {
  const { topicBytesMax, topicLevelsMax } = connection.context.limits;
  const text = `a topic name has at most ${topicBytesMax} bytes and ${topicLevelsMax} levels and no wildcards`;
  connection.answers.refuse(view, ReasonCode.TopicNameInvalid, text);
}

/** Counts what the client has under way [MQTT-3.3.4-7]; a repeated QoS 2 id is not one more. */
function admit(connection: MqttConnection, view: PublishView): boolean {
  if (view.qos === 2 && connection.answers.unreleased.has(view.packetId)) return true;
  const under = connection.answers.unconfirmed + connection.answers.unreleased.size;
  if (connection.out.version === 5) {
    if (under < connection.context.limits.receiveMaximum) return true;
    connection.fail(
      ReasonCode.ReceiveMaximumExceeded,
      `at most ${connection.context.limits.receiveMaximum} publishes may be unacknowledged`,
    );
    return false;
  }
  if (view.qos === 1 || connection.answers.unreleased.size < unreleasedMax311) return true;
  connection.fail(ReasonCode.ReceiveMaximumExceeded, "too many QoS 2 publishes without PUBREL");
  return false;
}

function fillDraft(connection: MqttConnection, view: PublishView, topic: TopicHandle): void {
  draft.qos = view.qos;
  draft.retain = view.retain;
  draft.expirySeconds = view.messageExpiry < 0 ? noExpiry : view.messageExpiry;
  if (view.topicEnd > view.topicStart) {
    draft.topicBytes = view.bytes;
    draft.topicStart = view.topicStart;
    draft.topicEnd = view.topicEnd;
  } else {
    draft.topicBytes = connection.inboundAliases.get(view.topicAlias) ?? Buffer.from(topic.name, "utf8");
    draft.topicStart = 0;
    draft.topicEnd = draft.topicBytes.length;
  }
  const headerLength = view.propertiesEnd - view.propertiesStart;
  if (view.forwardLength === headerLength) {
    draft.headerBytes = view.bytes;
    draft.headerStart = view.propertiesStart;
    draft.headerEnd = view.propertiesEnd;
  } else {
    if (view.forwardLength > headerScratch.length) headerScratch = Buffer.allocUnsafeSlow(view.forwardLength * 2);
    copyForwardProperties(view, headerScratch, 0);
    draft.headerBytes = headerScratch;
    draft.headerStart = 0;
    draft.headerEnd = view.forwardLength;
  }
  draft.payloadBytes = view.bytes;
  draft.payloadStart = view.payloadStart;
  draft.payloadEnd = view.payloadEnd;
}

/**
 * The publisher says something to the broker. A message of QoS 0 is stored then like one with RETAIN: else there is
 * nothing that could wait, or be found again.
 */
function handleReserved(connection: MqttConnection, view: PublishView): boolean {
  const { limits, clock } = connection.context;
  const properties = readProperties(view.bytes, view.propertiesStart, view.propertiesEnd)?.userProperties ?? [];
  const read = readPublishProperties(properties, limits, clock.now());
  if (!isRefused(read)) {
    const { attributes, signature } = read;
    if (signature === undefined) return handleStored(connection, view, writeAttributes(attributes));
    if (!connection.flushRun()) return false;
    const topic = resolveTopic(connection, view);
    connection.lastTopic = topic;
    // Before it is verified, which costs far more.
    if (topic === undefined || !takeRate(connection, view, topic)) return connection.isOpen;
    return handleSigned(connection, view, { topic, attributes, signature });
  }
  connection.lastTopic = undefined;
  if (!connection.flushRun()) return false;
  connection.propertyRefused(firstReserved(properties));
  connection.answers.refuse(view, ReasonCode.ImplementationSpecificError, read.refusal);
  return connection.isOpen;
}
