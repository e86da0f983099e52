/** The client is known: which session, and what is agreed (MQTT 5.0 sections 3.1 and 3.2). */
import {
  type ConnectPacket,
  type Properties,
  RESERVED_PREFIX,
  ReasonCode,
  type Will,
  writeProperties,
} from "@mess/wire";
import type { Identity, Refused as Refusal } from "../../../model/authentication.ts";
import { isDerived, ownerOf } from "../../../model/derived-principal.ts";
import type { AttachRequest, WillDraft } from "../../../model/engine.ts";
import { noExpiry, writeAttributes } from "../../../model/message.ts";
import { hasForbiddenCharacter } from "../../../model/topic-pattern.ts";
import { checkTopicName } from "../../../topics/topic-name.ts";
import { firstReserved, isRefused, type Refused, reservedProperties, wrongValue } from "./mess-properties.ts";
import type { MqttConnection } from "./mqtt-connection.ts";
import { readPublishProperties } from "./publish-properties.ts";
import { OutboundAliases } from "./topic-aliases.ts";

const receiveMaximumDefault = 65_535;
const never = 0xffff_ffff;
const wrongMeta: Refused = wrongValue("mess-meta", '"1"');

/** The client is who it says: now for what it asks. False when that is refused. */
export function letIn(connection: MqttConnection, packet: ConnectPacket, who: Identity, extra?: Properties): boolean {
  const properties = packet.properties ?? {};
  connection.principal = who.principal;
  if (!resolveMeta(connection, properties)) return false;
  const clientId = resolveClientId(connection, packet);
  if (clientId === undefined) return false;
  const will = packet.will === undefined ? undefined : resolveWill(connection, packet.will);
  if (will === "refused") return false;
  agreeOnKeepAlive(connection, packet);
  connection.clientId = clientId;
  connection.requestedExpiry = expiryOf(connection, packet);
  const aliases = Math.min(properties.topicAliasMaximum ?? 0, connection.context.limits.topicAliasMax);
  if (aliases > 0) connection.out.aliases = new OutboundAliases(aliases);
  const request: AttachRequest = {
    principal: who.principal,
    keyId: who.keyId,
    ...(who.expiresAt !== undefined && { expiresAt: who.expiresAt }),
    clientId,
    cleanStart: packet.cleanStart,
    expirySeconds: connection.requestedExpiry,
    receiveMaximum: properties.receiveMaximum ?? receiveMaximumDefault,
    will,
  };
  connection.connackProperties = { ...agreed(connection, packet), ...extra };
  connection.attaching();
  const result = connection.context.engine.attach(connection, request);
  if ("reason" in result) return connection.refuse(result.reason, result.text);
  connection.established(result);
  return true;
}

/** The code for a refusal: `wrong`, unless the credential was not looked at. */
export function refusalCode({ retryAfterMs, busy }: Omit<Refusal, "refused">, wrong: number): number {
  if (busy === true) return ReasonCode.ServerBusy;
  return retryAfterMs === undefined ? wrong : ReasonCode.ConnectionRateExceeded;
}

/** What differs from what the client asked for or would assume [MQTT-3.2.2-16, MQTT-3.2.2-21]. */
function agreed(connection: MqttConnection, packet: ConnectPacket): Properties {
  if (connection.out.version !== 5) return {};
  const { limits } = connection.context;
  const properties: Properties = {
    receiveMaximum: limits.receiveMaximum,
    maximumPacketSize: limits.packetBytesMax,
    topicAliasMaximum: limits.topicAliasMax,
  };
  if (packet.clientId === "") properties.assignedClientIdentifier = connection.clientId;
  if (connection.keepAliveSeconds !== packet.keepAlive) properties.serverKeepAlive = connection.keepAliveSeconds;
  const asked = packet.properties?.sessionExpiryInterval ?? 0;
  if (connection.requestedExpiry !== asked) properties.sessionExpiryInterval = connection.requestedExpiry;
  // Where replies to this client may go: a tree of its own, which a policy can grant as `reply/{principal}/#`.
  if (packet.properties?.requestResponseInformation === true) {
    properties.responseInformation = `reply/${ownerOf(connection.principal)}/${connection.clientId}`;
  }
  return properties;
}

/** What the client says to the broker about itself. False when it is refused. */
function resolveMeta(connection: MqttConnection, { userProperties = [] }: Properties): boolean {
  const reserved = reservedProperties(userProperties, "CONNECT");
  const meta = isRefused(reserved) ? undefined : reserved.get("mess-meta");
  const wrong = isRefused(reserved) ? reserved : meta === undefined || meta === "1" ? undefined : wrongMeta;
  if (wrong !== undefined) {
    connection.propertyRefused(firstReserved(userProperties));
    return connection.refuse(ReasonCode.ImplementationSpecificError, wrong.refusal);
  }
  connection.out.wantsMeta = meta !== undefined;
  return true;
}

function resolveClientId(connection: MqttConnection, packet: ConnectPacket): string | undefined {
  const { limits } = connection.context;
  if (packet.clientId === "") {
    if (packet.version === 4 && !packet.cleanStart) {
      connection.refuse(ReasonCode.ClientIdentifierNotValid, "an empty client id needs Clean Session 1 [MQTT-3.1.3-8]");
      return undefined;
    }
    return connection.context.newClientId();
  }
  if (Buffer.byteLength(packet.clientId) > limits.clientIdBytesMax) {
    connection.refuse(ReasonCode.ClientIdentifierNotValid, `a client id has at most ${limits.clientIdBytesMax} bytes`);
    return undefined;
  }
  if (hasForbiddenCharacter(packet.clientId)) {
    connection.refuse(ReasonCode.ClientIdentifierNotValid, "a client id holds no control characters or noncharacters");
    return undefined;
  }
  return packet.clientId;
}

/** Seconds. 3.1.1 has no interval: a session without Clean Session stays as long as any may. Of a scoped token none stays. */
function expiryOf(connection: MqttConnection, packet: ConnectPacket): number {
  if (isDerived(connection.principal)) return 0;
  const cap = connection.context.limits.sessionExpirySecondsMax;
  if (packet.version === 4) return packet.cleanStart ? 0 : cap;
  const asked = packet.properties?.sessionExpiryInterval ?? 0;
  return asked === never ? cap : Math.min(asked, cap);
}

/** 0 switches it off, which would let a dead peer stay for ever: the most that is allowed is used instead (LESSONS 13). */
function agreeOnKeepAlive(connection: MqttConnection, packet: ConnectPacket): void {
  // A client in our own process lives as long as we do.
  if (connection.peer.kind === "memory") return;
  const most = connection.context.limits.keepAliveSecondsMax;
  const wanted = packet.keepAlive;
  // 3.1.1 cannot be told another value; it may be ended all the same [3.1.2.10 of 3.1.1], or its dead peers would stay.
  connection.keepAliveSeconds = wanted === 0 || wanted > most ? most : wanted;
}

function resolveWill(connection: MqttConnection, will: Will): WillDraft | "refused" {
  const { limits } = connection.context;
  const problem = checkTopicName(will.topic, limits);
  if (problem !== undefined) {
    connection.refuse(ReasonCode.TopicNameInvalid, `will topic: ${problem.reason}`);
    return "refused";
  }
  if (will.topic.startsWith("$")) {
    connection.context.audit("acl.deny", { action: "will", address: connection.peer.address });
    connection.refuse(ReasonCode.NotAuthorized, 'will topic: topics that begin with "$" are reserved');
    return "refused";
  }
  const { willDelayInterval, messageExpiryInterval, ...travels } = will.properties ?? {};
  const said = travels.userProperties ?? [];
  const read = readPublishProperties(said, limits, connection.context.clock.now(), "a will");
  if (isRefused(read)) {
    connection.propertyRefused(firstReserved(said));
    connection.refuse(ReasonCode.ImplementationSpecificError, `will: ${read.refusal}`);
    return "refused";
  }
  const attributes = writeAttributes(read.attributes);
  const own = said.filter(([name]) => !name.startsWith(RESERVED_PREFIX));
  if (own.length > 0) travels.userProperties = own;
  else delete travels.userProperties;
  return {
    topic: will.topic,
    payload: will.payload,
    qos: will.qos,
    retain: will.retain,
    headers: connection.out.version === 5 ? writeProperties(travels) : new Uint8Array(0),
    expirySeconds: messageExpiryInterval ?? noExpiry,
    delaySeconds: willDelayInterval ?? 0,
    ...(attributes.length > 0 && { attributes }),
  };
}
