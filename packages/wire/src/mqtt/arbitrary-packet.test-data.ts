/** Generators of any legal packet of either version. */
import fc from "fast-check";
import type { Packet, Properties, QoS } from "./packet.ts";
import { PacketType } from "./packet.ts";
import { ANY, PropertyKind, propertyDefinitions, WILL } from "./property-table.ts";
import { isReasonCodeFor, type Sender } from "./reason-code.ts";

export interface Sent {
  sender: Sender;
  version: 4 | 5;
  packet: Packet;
}

/** Names that are trouble as object keys or in logs, beside any text. A string has no U+0000 and no lone surrogate. */
const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 12 }).map((value) => value.replaceAll("\0", "")),
  fc.constantFrom(
    "__proto__",
    "constructor",
    "toString",
    "\u{feff}bom",
    "\r\n",
    "\uffff",
    "\u{10ffff}",
    "é".repeat(60),
  ),
);
const topic = text.map((value) => value.replaceAll(/[+#]/g, "") || "/");
const filter = text.map((value) => value || "#");
const binary = fc.uint8Array({ maxLength: 40 });
const uint16 = fc.nat(65_535);
const packetId = fc.integer({ min: 1, max: 65_535 });
const uint32 = fc.nat(4_294_967_295);
const qos = fc.constantFrom<QoS>(0, 1, 2);

function valueFor(key: keyof Properties, kind: number, nonZero: boolean): fc.Arbitrary<unknown> {
  switch (kind) {
    case PropertyKind.BIT:
      return fc.constantFrom(0, 1);
    case PropertyKind.BOOLEAN:
      return fc.boolean();
    case PropertyKind.UINT16:
      return nonZero ? packetId : uint16;
    case PropertyKind.UINT32:
      return nonZero ? fc.integer({ min: 1, max: 4_294_967_295 }) : uint32;
    case PropertyKind.VARIABLE:
      return fc.array(fc.integer({ min: 1, max: 268_435_455 }), { minLength: 1, maxLength: 3 });
    case PropertyKind.BINARY:
      return binary;
    case PropertyKind.PAIR:
      return fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 4 });
    default:
      return key === "responseTopic" ? topic : text;
  }
}

/** undefined rather than an empty object: that is what decoding gives. */
function some(properties: Properties): Properties | undefined {
  return Object.keys(properties).length > 0 ? properties : undefined;
}

export function propertiesOf(packetType: number, sender: Sender): fc.Arbitrary<Properties | undefined> {
  const shape: Record<string, fc.Arbitrary<unknown>> = {};
  for (const { key, kind, packets, nonZero } of propertyDefinitions) {
    if ((packets & (1 << packetType)) === 0) continue;
    if (key === "subscriptionIdentifiers" && packetType === PacketType.PUBLISH && sender === "client") continue;
    if (key === "sessionExpiryInterval" && packetType === PacketType.DISCONNECT && sender === "server") continue;
    let value = valueFor(key, kind, nonZero);
    if (key === "subscriptionIdentifiers" && packetType === PacketType.SUBSCRIBE) {
      value = fc.integer({ min: 1, max: 268_435_455 }).map((identifier) => [identifier]);
    }
    shape[key] = value;
  }
  return fc.record(shape, { requiredKeys: [] }).map((properties) => some(properties as Properties));
}

/** Properties without regard to any packet. */
export const anyProperties: fc.Arbitrary<Properties> = propertiesOf(ANY, "server").map(
  (properties) => properties ?? {},
);

function codesOf(type: number, sender: Sender, version: 4 | 5): number[] {
  const all = Array.from({ length: 256 }, (_, code) => code).filter((code) => isReasonCodeFor(type, code, sender));
  if (version === 5) return all.length > 0 ? all : [0];
  if (type === PacketType.CONNACK) return [0, 0x84, 0x85, 0x86, 0x87, 0x88];
  return type === PacketType.SUBACK ? [0, 1, 2, 0x80] : [0];
}

function connects(version: 4 | 5): fc.Arbitrary<Packet> {
  const will = fc
    .record({ topic, payload: binary, qos, retain: fc.boolean() })
    .chain((value) => attach(value, WILL, "client", version));
  const base = fc.record(
    { cleanStart: fc.boolean(), keepAlive: uint16, clientId: text, will, username: text, password: binary },
    { requiredKeys: ["cleanStart", "keepAlive", "clientId"] },
  );
  return base
    .filter((value) => version === 5 || value.password === undefined || value.username !== undefined)
    .chain((value) => attach({ type: PacketType.CONNECT, version, ...value }, PacketType.CONNECT, "client", version))
    .map((value) => {
      const packet = value as Extract<Packet, { type: typeof PacketType.CONNECT }>;
      if (packet.properties?.authenticationData && packet.properties.authenticationMethod === undefined) {
        packet.properties.authenticationMethod = "m";
      }
      return packet;
    });
}

function attach<T extends object>(value: T, type: number, sender: Sender, version: 4 | 5): fc.Arbitrary<T> {
  if (version === 4) return fc.constant(value);
  return propertiesOf(type, sender).map((properties) => (properties === undefined ? value : { ...value, properties }));
}

function publishes(sender: Sender, version: 4 | 5): fc.Arbitrary<Packet> {
  return fc
    .record({
      topic,
      payload: fc.uint8Array({ maxLength: 300 }),
      qos,
      retain: fc.boolean(),
      dup: fc.boolean(),
      id: packetId,
    })
    .chain(({ id, ...value }) => {
      const packet = { type: PacketType.PUBLISH, ...value, dup: value.qos > 0 && value.dup };
      const identified = value.qos > 0 ? { ...packet, packetId: id } : packet;
      return attach(identified, PacketType.PUBLISH, sender, version);
    }) as fc.Arbitrary<Packet>;
}

/** Packets with an optional packet identifier, reason code or list of them. */
function simple(type: number, sender: Sender, version: 4 | 5): fc.Arbitrary<Packet> {
  const code = fc.constantFrom(...codesOf(type, sender, version));
  const subscription = fc.record({
    filter,
    qos,
    noLocal: version === 5 ? fc.boolean() : fc.constant(false),
    retainAsPublished: version === 5 ? fc.boolean() : fc.constant(false),
    retainHandling: version === 5 ? fc.constantFrom(0, 1, 2) : fc.constant(0),
  });
  const list = <T>(entry: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(entry, { minLength: 1, maxLength: 6 });
  const fields: Record<number, Record<string, fc.Arbitrary<unknown>>> = {
    [PacketType.CONNACK]: { sessionPresent: fc.constant(false), reasonCode: code },
    [PacketType.SUBSCRIBE]: { packetId, subscriptions: list(subscription) },
    [PacketType.SUBACK]: { packetId, reasonCodes: list(code) },
    [PacketType.UNSUBSCRIBE]: { packetId, filters: list(filter) },
    [PacketType.UNSUBACK]: { packetId, reasonCodes: version === 4 ? fc.constant([]) : list(code) },
    [PacketType.PINGREQ]: {},
    [PacketType.PINGRESP]: {},
    [PacketType.DISCONNECT]: { reasonCode: code },
    [PacketType.AUTH]: { reasonCode: code },
  };
  const shape = fields[type] ?? { packetId, reasonCode: code };
  return fc
    .record(shape)
    .chain((value) => attach({ type, ...value } as { type: number; properties?: Properties }, type, sender, version))
    .map((packet) => {
      if (type === PacketType.AUTH) packet.properties = { ...packet.properties, authenticationMethod: "m" };
      if (type === PacketType.PINGREQ || type === PacketType.PINGRESP) delete packet.properties;
      return packet as Packet;
    });
}

const clientTypes = [3, 4, 5, 6, 7, 8, 10, 12, 14];
const serverTypes = [2, 3, 4, 5, 6, 7, 9, 11, 13];

function sent(sender: Sender, version: 4 | 5): fc.Arbitrary<Sent> {
  const types = [...(sender === "client" ? clientTypes : serverTypes)];
  if (version === 5) types.push(PacketType.AUTH);
  if (version === 5 && sender === "server") types.push(PacketType.DISCONNECT);
  const packets = types.map((type) =>
    type === PacketType.PUBLISH ? publishes(sender, version) : simple(type, sender, version),
  );
  if (sender === "client") packets.push(connects(version));
  return fc.oneof(...packets).map((packet) => ({ sender, version, packet }));
}

/** Any legal packet, with who sends it and in which version. */
export const anySent: fc.Arbitrary<Sent> = fc.oneof(
  sent("client", 4),
  sent("client", 5),
  sent("server", 4),
  sent("server", 5),
);
