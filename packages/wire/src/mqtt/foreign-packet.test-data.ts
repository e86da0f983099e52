/** Our packets in the words of the npm package mqtt-packet, for the differential test. */
import mqttPacket, { type Packet as ForeignPacket } from "mqtt-packet";
import type { Sent } from "./arbitrary-packet.test-data.ts";
import { type ConnectPacket, type Packet, PacketType, type Properties, type ProtocolVersion } from "./packet.ts";
import { connackReturnCode } from "./reason-code.ts";

type Fields = Record<string, unknown>;

const buffer = (bytes: Uint8Array): Buffer => Buffer.from(bytes);

function foreignProperties(properties: Properties | undefined): Fields | undefined {
  if (properties === undefined) return undefined;
  const fields: Fields = {};
  for (const [key, value] of Object.entries(properties)) {
    if (key === "userProperties") fields[key] = groupedPairs(value as [string, string][]);
    else if (key === "subscriptionIdentifiers") {
      fields.subscriptionIdentifier = value.length === 1 ? value[0] : value;
    } else if (key === "subscriptionIdentifierAvailable") fields.subscriptionIdentifiersAvailable = value;
    else if (key === "payloadFormatIndicator") fields[key] = value === 1;
    else fields[key] = value instanceof Uint8Array ? buffer(value) : value;
  }
  return fields;
}

/** They keep an object of values by name. */
function groupedPairs(pairs: readonly (readonly [string, string])[]): Fields {
  const grouped: Fields = Object.create(null);
  for (const [name, value] of pairs) {
    const before = grouped[name] as string | string[] | undefined;
    // Known difference: their parser forgets an empty value when the same name comes again.
    if (!before) grouped[name] = value;
    else grouped[name] = Array.isArray(before) ? [...before, value] : [before, value];
  }
  return grouped;
}

function foreignConnect(packet: ConnectPacket): Fields {
  const { version, cleanStart, keepAlive, clientId, will, username, password } = packet;
  const fields: Fields = {
    protocolId: "MQTT",
    protocolVersion: version,
    clean: cleanStart,
    keepalive: keepAlive,
    clientId,
  };
  if (username !== undefined) fields.username = username;
  if (password !== undefined) fields.password = buffer(password);
  if (will !== undefined) {
    const { topic, payload, qos, retain } = will;
    fields.will = { topic, payload: buffer(payload), qos, retain };
    if (will.properties) (fields.will as Fields).properties = foreignProperties(will.properties);
  }
  return fields;
}

function foreignFields(packet: Packet, version: ProtocolVersion): Fields {
  switch (packet.type) {
    case PacketType.CONNECT:
      return foreignConnect(packet);
    case PacketType.CONNACK: {
      const { sessionPresent, reasonCode } = packet;
      return version === 5
        ? { sessionPresent, reasonCode }
        : { sessionPresent, returnCode: connackReturnCode(reasonCode) };
    }
    case PacketType.PUBLISH: {
      const { topic, payload, qos, retain, dup, packetId } = packet;
      const fields: Fields = { topic, payload: buffer(payload), qos, retain, dup };
      return packetId === undefined ? fields : { ...fields, messageId: packetId };
    }
    case PacketType.SUBSCRIBE:
      return {
        messageId: packet.packetId,
        subscriptions: packet.subscriptions.map(({ filter, qos, noLocal, retainAsPublished, retainHandling }) => ({
          topic: filter,
          qos,
          ...(version === 5 ? { nl: noLocal, rap: retainAsPublished, rh: retainHandling } : {}),
        })),
      };
    case PacketType.UNSUBSCRIBE:
      return { messageId: packet.packetId, unsubscriptions: packet.filters };
    case PacketType.SUBACK:
      return { messageId: packet.packetId, granted: packet.reasonCodes };
    case PacketType.UNSUBACK:
      return version === 5
        ? { messageId: packet.packetId, granted: packet.reasonCodes }
        : { messageId: packet.packetId };
    case PacketType.PINGREQ:
    case PacketType.PINGRESP:
      return {};
    case PacketType.DISCONNECT:
    case PacketType.AUTH:
      return version === 5 ? { reasonCode: packet.reasonCode } : {};
    default:
      return version === 5
        ? { messageId: packet.packetId, reasonCode: packet.reasonCode }
        : { messageId: packet.packetId };
  }
}

export function foreignPacket(packet: Packet, version: ProtocolVersion): ForeignPacket {
  const name = Object.entries(PacketType).find(([, type]) => type === packet.type)?.[0] as string;
  const fields = foreignFields(packet, version);
  const properties = "properties" in packet ? foreignProperties(packet.properties) : undefined;
  if (properties !== undefined) fields.properties = properties;
  return { cmd: name.toLowerCase(), ...fields } as unknown as ForeignPacket;
}

/** The fields of a packet they parsed that foreignPacket would give too. */
export function comparable(foreign: ForeignPacket): Fields {
  const { length: _length, ...fields } = foreign as unknown as Fields;
  const cmd = fields.cmd as string;
  if (cmd !== "publish") {
    delete fields.qos;
    delete fields.dup;
    delete fields.retain;
    delete fields.topic;
    delete fields.payload;
  }
  for (const key of Object.keys(fields)) if (fields[key] === null || fields[key] === undefined) delete fields[key];
  return fields;
}

/** What they make of bytes: packets, or why not. */
export function theirParse(bytes: Uint8Array, version: number): ForeignPacket[] | Error {
  const parser = mqttPacket.parser({ protocolVersion: version });
  const packets: ForeignPacket[] = [];
  let failure: Error | undefined;
  parser.on("packet", (packet) => packets.push(packet));
  parser.on("error", (error) => {
    failure ??= error;
  });
  try {
    parser.parse(Buffer.from(bytes));
  } catch (error) {
    return error as Error; // it throws on some malformed packets
  }
  return failure ?? packets;
}

/** Legal packets that their parser reads otherwise than the standard says. */
export function theyMisread({ packet, version }: Pick<Sent, "packet" | "version">): boolean {
  if (version === 4) return false;
  // They look for a property length behind the last byte of a short DISCONNECT or AUTH.
  if ((packet.type === PacketType.DISCONNECT || packet.type === PacketType.AUTH) && !packet.properties) return true;
  // Codes missing in their tables: 0x8c of DISCONNECT.
  return packet.type === PacketType.DISCONNECT && packet.reasonCode === 0x8c;
}
