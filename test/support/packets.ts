/** Builders of packets with raw control over every field. A builder checks nothing. */
import { text, u8, u16, u32, vbi } from "./bytes.ts";
import { type Properties, propertyByName } from "./properties.ts";

export type Version = 4 | 5;

/** An object, a list (repeats, any order), or the bytes that follow the property length. */
export type PropertiesInput = Properties | readonly (readonly [string | number, unknown])[] | Buffer;

export const packetType = {
  CONNECT: 1,
  CONNACK: 2,
  PUBLISH: 3,
  PUBACK: 4,
  PUBREC: 5,
  PUBREL: 6,
  PUBCOMP: 7,
  SUBSCRIBE: 8,
  SUBACK: 9,
  UNSUBSCRIBE: 10,
  UNSUBACK: 11,
  PINGREQ: 12,
  PINGRESP: 13,
  DISCONNECT: 14,
  AUTH: 15,
} as const;

export type PacketName = keyof typeof packetType;

/** Any packet from its first byte's halves and its body. */
export function packet(name: PacketName | number, flags: number, ...body: Buffer[]): Buffer {
  const type = typeof name === "number" ? name : packetType[name];
  const whole = Buffer.concat(body);
  return Buffer.concat([u8((type << 4) | flags), vbi(whole.length), whole]);
}

function propertyValue(kind: string, value: unknown): Buffer {
  switch (kind) {
    case "byte":
      return u8(value as number);
    case "u16":
      return u16(value as number);
    case "u32":
      return u32(value as number);
    case "vbi":
      return vbi(value as number);
    case "pair": {
      const [name, content] = value as [string | Buffer, string | Buffer];
      return Buffer.concat([text(name), text(content)]);
    }
    default:
      return text(value as string | Buffer);
  }
}

function oneProperty(name: string | number, value: unknown): Buffer {
  if (typeof name === "number") return Buffer.concat([vbi(name), value as Buffer]);
  const row = propertyByName.get(name);
  if (row === undefined) throw new Error(`no property is called ${name}`);
  const repeated = row.kind === "pair" ? !(typeof (value as unknown[])[0] === "string") : Array.isArray(value);
  const values = repeated ? (value as unknown[]) : [value];
  return Buffer.concat(values.map((each) => Buffer.concat([vbi(row.id), propertyValue(row.kind, each)])));
}

/** The property section with its length. */
export function properties(input: PropertiesInput = {}): Buffer {
  const isList = Array.isArray(input);
  let body: Buffer;
  if (Buffer.isBuffer(input)) body = input;
  else {
    const entries = (isList ? input : Object.entries(input)) as [string | number, unknown][];
    body = Buffer.concat(
      entries.filter(([, value]) => value !== undefined).map(([name, value]) => oneProperty(name, value)),
    );
  }
  return Buffer.concat([vbi(body.length), body]);
}

export interface WillFields {
  topic: string | Buffer;
  payload?: string | Buffer;
  qos?: number;
  retain?: boolean;
  properties?: PropertiesInput;
}

export interface ConnectFields {
  version?: Version;
  protocolName?: string | Buffer;
  protocolLevel?: number;
  cleanStart?: boolean;
  keepAlive?: number;
  clientId?: string | Buffer;
  will?: WillFields | undefined;
  username?: string | Buffer | undefined;
  password?: string | Buffer | undefined;
  properties?: PropertiesInput;
  /** Instead of the flags that follow from the fields above. */
  flags?: number;
  /** Bits to flip in those flags. */
  flipFlags?: number;
  /** Flags of the fixed header, 0 by the standard. */
  headerFlags?: number;
  /** Bytes after the payload, none by the standard. */
  tail?: Buffer;
}

function connectFlags(fields: ConnectFields): number {
  if (fields.flags !== undefined) return fields.flags;
  let flags = fields.cleanStart === false ? 0 : 0x02;
  if (fields.will !== undefined) {
    flags |= 0x04 | ((fields.will.qos ?? 0) << 3) | (fields.will.retain === true ? 0x20 : 0);
  }
  if (fields.password !== undefined) flags |= 0x40;
  if (fields.username !== undefined) flags |= 0x80;
  return flags ^ (fields.flipFlags ?? 0);
}

export function connect(fields: ConnectFields = {}): Buffer {
  const version = fields.version ?? 5;
  const body = [
    text(fields.protocolName ?? "MQTT"),
    u8(fields.protocolLevel ?? version),
    u8(connectFlags(fields)),
    u16(fields.keepAlive ?? 0),
  ];
  if (version === 5) body.push(properties(fields.properties));
  body.push(text(fields.clientId ?? ""));
  if (fields.will !== undefined) {
    if (version === 5) body.push(properties(fields.will.properties));
    body.push(text(fields.will.topic), text(fields.will.payload ?? ""));
  }
  if (fields.username !== undefined) body.push(text(fields.username));
  if (fields.password !== undefined) body.push(text(fields.password));
  return packet("CONNECT", fields.headerFlags ?? 0, ...body, fields.tail ?? Buffer.alloc(0));
}

export interface PublishFields {
  version?: Version;
  topic: string | Buffer;
  payload?: string | Buffer;
  qos?: number;
  id?: number;
  dup?: boolean;
  retain?: boolean;
  properties?: PropertiesInput;
}

export function publish(fields: PublishFields): Buffer {
  const qos = fields.qos ?? 0;
  const flags = (fields.dup === true ? 8 : 0) | (qos << 1) | (fields.retain === true ? 1 : 0);
  const body = [text(fields.topic)];
  if (qos > 0) body.push(u16(fields.id ?? 1));
  if ((fields.version ?? 5) === 5) body.push(properties(fields.properties));
  body.push(Buffer.from(fields.payload ?? ""));
  return packet("PUBLISH", flags, ...body);
}

/** PUBACK, PUBREC, PUBREL or PUBCOMP; without `code` the short form. */
export function ack(
  name: "PUBACK" | "PUBREC" | "PUBREL" | "PUBCOMP",
  id: number,
  code?: number,
  input?: PropertiesInput,
): Buffer {
  const body = [u16(id)];
  if (code !== undefined) body.push(u8(code));
  if (input !== undefined) body.push(properties(input));
  return packet(name, name === "PUBREL" ? 2 : 0, ...body);
}

export interface Filter {
  filter: string | Buffer;
  qos?: number;
  noLocal?: boolean;
  retainAsPublished?: boolean;
  retainHandling?: number;
  /** Instead of the option byte that follows from the fields above. */
  options?: number;
}

export interface SubscribeFields {
  version?: Version;
  id?: number;
  filters: readonly (Filter | string)[];
  properties?: PropertiesInput;
  headerFlags?: number;
}

export function filterOptions(filter: Filter): number {
  if (filter.options !== undefined) return filter.options;
  const flags = (filter.noLocal === true ? 4 : 0) | (filter.retainAsPublished === true ? 8 : 0);
  return (filter.qos ?? 0) | flags | ((filter.retainHandling ?? 0) << 4);
}

export function subscribe(fields: SubscribeFields): Buffer {
  const body = [u16(fields.id ?? 1)];
  if ((fields.version ?? 5) === 5) body.push(properties(fields.properties));
  for (const each of fields.filters) {
    const filter = typeof each === "string" ? { filter: each } : each;
    body.push(text(filter.filter), u8(filterOptions(filter)));
  }
  return packet("SUBSCRIBE", fields.headerFlags ?? 2, Buffer.concat(body));
}

export interface UnsubscribeFields {
  version?: Version;
  id?: number;
  filters: readonly (string | Buffer)[];
  properties?: PropertiesInput;
  headerFlags?: number;
}

export function unsubscribe(fields: UnsubscribeFields): Buffer {
  const body = [u16(fields.id ?? 1)];
  if ((fields.version ?? 5) === 5) body.push(properties(fields.properties));
  return packet("UNSUBSCRIBE", fields.headerFlags ?? 2, Buffer.concat([...body, ...fields.filters.map(text)]));
}

export const pingreq = (): Buffer => packet("PINGREQ", 0);

/** Without `code` the empty form, the only one in 3.1.1. */
export function disconnect(code?: number, input?: PropertiesInput): Buffer {
  const body: Buffer[] = [];
  if (code !== undefined) body.push(u8(code));
  if (input !== undefined) body.push(properties(input));
  return packet("DISCONNECT", 0, ...body);
}

export function auth(code?: number, input?: PropertiesInput): Buffer {
  const body: Buffer[] = [];
  if (code !== undefined) body.push(u8(code));
  if (input !== undefined) body.push(properties(input));
  return packet("AUTH", 0, ...body);
}
