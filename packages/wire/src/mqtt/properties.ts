/** Properties between bytes and objects. Bytes here are always without the length field in front. */
import { ByteReader } from "../byte-reader.ts";
import { ByteWriter } from "../byte-writer.ts";
import { VARIABLE_INTEGER_MAX } from "../variable-integer.ts";
import type { Properties } from "./packet.ts";
import { PropertyScan } from "./property-scan.ts";
import { ANY, type PropertyDefinition, PropertyKind, propertyById, propertyDefinitions } from "./property-table.ts";
import { ReasonCode } from "./reason-code.ts";

type Value = Properties[keyof Properties];
/** Properties while they are being filled: the table guarantees that key and type belong together. */
type Filling = { [Key in keyof Properties]?: Value };

const scan = new PropertyScan();
const unlimited = {
  userPropertiesMax: Number.POSITIVE_INFINITY,
  userPropertyBytesMax: Number.POSITIVE_INFINITY,
  topicAliasMax: 0xffff,
};
const anywhere = { packetType: ANY, fromClient: false };

/**
 * Reads stored or forwarded property bytes of any packet; undefined when they are malformed. Limits on user properties
 * were the business of whoever let the bytes in.
 */
export function readProperties(bytes: Uint8Array, start: number, end: number): Properties | undefined {
  if (start < 0 || end > bytes.length) return undefined;
  return scan.scan(bytes, start, end, anywhere, unlimited) ? buildProperties(bytes, start, end) : undefined;
}

/** Objects from bytes that passed a PropertyScan. Binary values are copies. */
export function buildProperties(bytes: Uint8Array, start: number, end: number): Properties {
  const properties: Filling = {};
  const userProperties: [string, string][] = [];
  const subscriptionIdentifiers: number[] = [];
  const reader = new ByteReader(ReasonCode.MalformedPacket);
  reader.reset(bytes, start, end);
  while (reader.remaining > 0) {
    const definition = propertyById[reader.uint8("a property")];
    if (definition === undefined) break;
    const { key, kind, name } = definition;
    if (kind === PropertyKind.PAIR) userProperties.push([reader.string(name), reader.string(name)]);
    else if (kind === PropertyKind.VARIABLE) subscriptionIdentifiers.push(reader.variableInteger(name));
    else properties[key] = readValue(reader, definition);
  }
  if (userProperties.length > 0) properties.userProperties = userProperties;
  if (subscriptionIdentifiers.length > 0) properties.subscriptionIdentifiers = subscriptionIdentifiers;
  return properties as Properties;
}

function readValue(reader: ByteReader, { kind, name }: PropertyDefinition): Value {
  switch (kind) {
    case PropertyKind.BIT:
      return reader.uint8(name);
    case PropertyKind.BOOLEAN:
      return reader.uint8(name) === 1;
    case PropertyKind.UINT16:
      return reader.uint16(name);
    case PropertyKind.UINT32:
      return reader.uint32(name);
    case PropertyKind.BINARY:
      return reader.binary(name);
    default:
      return reader.string(name);
  }
}

/**
 * Property bytes of `properties`, in order of identifier, user properties in their own order.
 * @throws RangeError for values the format cannot carry
 */
export function writeProperties(properties: Properties): Uint8Array {
  const writer = new ByteWriter(VARIABLE_INTEGER_MAX);
  encodeProperties(writer, properties, ANY);
  if (writer.fault !== "") throw new RangeError(writer.fault);
  return writer.bytes.subarray(0, writer.position);
}

/**
 * The property bytes a message carries on to subscribers (PublishEncoder's forwarded range), from a will or a message
 * that did not come as a PUBLISH: payload format, content type, response topic, correlation data, user properties.
 * @throws RangeError for values the format cannot carry
 */
export function writeForwardProperties(properties: Properties): Uint8Array {
  const { payloadFormatIndicator, contentType, responseTopic, correlationData, userProperties } = properties;
  return writeProperties({
    ...(payloadFormatIndicator === undefined ? {} : { payloadFormatIndicator }),
    ...(contentType === undefined ? {} : { contentType }),
    ...(responseTopic === undefined ? {} : { responseTopic }),
    ...(correlationData === undefined ? {} : { correlationData }),
    ...(userProperties === undefined ? {} : { userProperties }),
  });
}

/** Writes the properties of a packet of this type; faults of the writer tell what cannot be written. */
export function encodeProperties(writer: ByteWriter, properties: Properties, packetType: number): void {
  for (const definition of propertyDefinitions) {
    const value = properties[definition.key];
    if (value === undefined) continue;
    if ((definition.packets & (1 << packetType)) === 0) {
      writer.fail(`${definition.name} is not allowed in this packet.`);
      return;
    }
    encodeProperty(writer, definition, value);
  }
}

function encodeProperty(writer: ByteWriter, definition: PropertyDefinition, value: Exclude<Value, undefined>): void {
  const { id, name, kind, nonZero } = definition;
  if (kind === PropertyKind.PAIR) {
    for (const [left, right] of value as NonNullable<Properties["userProperties"]>) {
      writer.uint8(id);
      writer.string(left, `${name} name`);
      writer.string(right, `${name} value`);
    }
    return;
  }
  if (kind === PropertyKind.VARIABLE) {
    for (const identifier of value as readonly number[]) {
      if (identifier === 0) writer.fail(`${name} must not be 0.`);
      writer.uint8(id);
      writer.variableInteger(identifier, name);
    }
    return;
  }
  if (nonZero && value === 0) writer.fail(`${name} must not be 0.`);
  writer.uint8(id);
  encodeValue(writer, definition, value);
}

function encodeValue(writer: ByteWriter, { kind, name }: PropertyDefinition, value: Exclude<Value, undefined>): void {
  switch (kind) {
    case PropertyKind.BIT:
    case PropertyKind.BOOLEAN:
      if (value !== 0 && value !== 1 && value !== true && value !== false) writer.fail(`${name} must be 0 or 1.`);
      writer.uint8(Number(value));
      return;
    case PropertyKind.UINT16:
      writer.uint16(value as number, name);
      return;
    case PropertyKind.UINT32:
      writer.uint32(value as number, name);
      return;
    case PropertyKind.BINARY:
      writer.binary(value as Uint8Array, name);
      return;
    default:
      writer.string(value as string, name);
  }
}
