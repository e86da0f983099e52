/**
 * A strict decoder of what a server sends. It throws at the first thing the standard does not allow (a wrong flag,
 * a property in the wrong packet, a reason code of another packet type, a byte too many), so every test that
 * receives a packet also checks its form: [MQTT-2.1.3-1], [MQTT-3.4.2-1] and their like.
 */
import { type PacketName, packetType, type Version } from "./packets.ts";
import { type Properties, propertyById } from "./properties.ts";

export interface Packet {
  readonly name: PacketName;
  readonly flags: number;
  readonly dup: boolean;
  readonly qos: number;
  readonly retain: boolean;
  /** 0 when the packet has none. */
  readonly id: number;
  readonly topic: string;
  readonly payload: Buffer;
  /** Reason or return code; 0 when left out. */
  readonly code: number;
  /** Codes of SUBACK and UNSUBACK. */
  readonly codes: readonly number[];
  readonly sessionPresent: boolean;
  readonly properties: Properties;
  readonly size: number;
}

export class DecodeError extends Error {}

const names = new Map<number, PacketName>(Object.entries(packetType).map(([name, type]) => [type, name as PacketName]));

const codes5: Readonly<Partial<Record<PacketName, readonly number[]>>> = {
  CONNACK: [
    0, 0x80, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86, 0x87, 0x88, 0x89, 0x8a, 0x8c, 0x90, 0x95, 0x97, 0x99, 0x9a, 0x9b, 0x9c,
    0x9d, 0x9f,
  ],
  PUBACK: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  PUBREC: [0, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99],
  PUBREL: [0, 0x92],
  PUBCOMP: [0, 0x92],
  SUBACK: [0, 1, 2, 0x80, 0x83, 0x87, 0x8f, 0x91, 0x97, 0x9e, 0xa1, 0xa2],
  UNSUBACK: [0, 0x11, 0x80, 0x83, 0x87, 0x8f, 0x91],
  DISCONNECT: [
    0, 0x80, 0x81, 0x82, 0x83, 0x87, 0x89, 0x8b, 0x8d, 0x8e, 0x8f, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99, 0x9a,
    0x9b, 0x9c, 0x9d, 0x9e, 0x9f, 0xa0, 0xa1, 0xa2,
  ],
  AUTH: [0, 0x18],
};

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

class Reader {
  readonly bytes: Buffer;
  at = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get left(): number {
    return this.bytes.length - this.at;
  }

  take(count: number): Buffer {
    if (count > this.left) throw new DecodeError(`needs ${count} bytes, has ${this.left}`);
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  u8(): number {
    return this.take(1).readUInt8();
  }

  u16(): number {
    return this.take(2).readUInt16BE();
  }

  vbi(): number {
    let value = 0;
    for (let place = 0; place < 4; place += 1) {
      const byte = this.u8();
      value += (byte & 0x7f) * 128 ** place;
      if (byte < 0x80) {
        if (byte === 0 && place > 0) throw new DecodeError("variable byte integer is longer than needed");
        return value;
      }
    }
    throw new DecodeError("variable byte integer has more than 4 bytes");
  }

  text(): string {
    const bytes = this.take(this.u16());
    if (bytes.includes(0)) throw new DecodeError("string holds U+0000");
    return utf8.decode(bytes);
  }

  binary(): Buffer {
    return Buffer.from(this.take(this.u16()));
  }
}

function readValue(reader: Reader, kind: string): unknown {
  switch (kind) {
    case "byte":
      return reader.u8();
    case "u16":
      return reader.u16();
    case "u32":
      return reader.take(4).readUInt32BE();
    case "vbi":
      return reader.vbi();
    case "string":
      return reader.text();
    case "pair":
      return [reader.text(), reader.text()];
    default:
      return reader.binary();
  }
}

const booleans = new Set([0x01, 0x24, 0x25, 0x28, 0x29, 0x2a]);
const neverZero = new Set([0x0b, 0x21, 0x23, 0x27]);

function readProperties(outer: Reader, packet: PacketName): Properties {
  const reader = new Reader(outer.take(outer.vbi()));
  const found: Record<string, unknown> = {};
  while (reader.left > 0) {
    const id = reader.vbi();
    const row = propertyById.get(id);
    if (row === undefined) throw new DecodeError(`unknown property 0x${id.toString(16)} in ${packet}`);
    if (!row.fromServer.includes(packet)) throw new DecodeError(`a server may not put ${row.name} into ${packet}`);
    const value = readValue(reader, row.kind);
    if (booleans.has(id) && value !== 0 && value !== 1) throw new DecodeError(`${row.name} is ${String(value)}`);
    if (neverZero.has(id) && value === 0) throw new DecodeError(`${row.name} is 0`);
    if (row.name === "userProperty" || row.name === "subscriptionIdentifier") {
      found[row.name] = [...((found[row.name] as unknown[] | undefined) ?? []), value];
    } else if (row.name in found) {
      throw new DecodeError(`${row.name} stands twice in ${packet}`);
    } else {
      found[row.name] = value;
    }
  }
  return found as Properties;
}

/** Finds the end of the first packet in `bytes`; undefined when it is not whole yet. */
export function packetEnd(bytes: Buffer): number | undefined {
  let length = 0;
  for (let place = 0; place < 4; place += 1) {
    const byte = bytes[1 + place];
    if (byte === undefined) return undefined;
    length += (byte & 0x7f) * 128 ** place;
    if (byte < 0x80) {
      if (byte === 0 && place > 0) throw new DecodeError("remaining length is longer than needed");
      const end = 2 + place + length;
      return bytes.length >= end ? end : undefined;
    }
  }
  throw new DecodeError("remaining length has more than 4 bytes");
}

type Draft = { -readonly [K in keyof Packet]: Packet[K] };

function readPublish(draft: Draft, reader: Reader, version: Version): void {
  draft.dup = (draft.flags & 8) !== 0;
  draft.qos = (draft.flags >> 1) & 3;
  draft.retain = (draft.flags & 1) !== 0;
  if (draft.qos === 3) throw new DecodeError("PUBLISH with QoS 3");
  if (draft.qos === 0 && draft.dup) throw new DecodeError("QoS 0 PUBLISH with DUP [MQTT-3.3.1-2]");
  draft.topic = reader.text();
  if (/[+#]/.test(draft.topic)) throw new DecodeError("PUBLISH with a wildcard in its topic name [MQTT-3.3.2-2]");
  if (draft.qos > 0) {
    draft.id = reader.u16();
    if (draft.id === 0) throw new DecodeError("PUBLISH with packet id 0 [MQTT-2.2.1-4]");
  }
  if (version === 5) draft.properties = readProperties(reader, "PUBLISH");
  if (draft.topic === "" && draft.properties.topicAlias === undefined)
    throw new DecodeError("PUBLISH without topic and alias");
  draft.payload = Buffer.from(reader.take(reader.left));
}

function readCodes(draft: Draft, reader: Reader, version: Version): void {
  draft.id = reader.u16();
  if (version === 5) draft.properties = readProperties(reader, draft.name);
  draft.codes = [...reader.take(version === 4 && draft.name === "UNSUBACK" ? 0 : reader.left)];
  const allowed = version === 5 ? (codes5[draft.name] ?? []) : [0, 1, 2, 0x80];
  for (const code of draft.codes) {
    if (!allowed.includes(code)) throw new DecodeError(`${draft.name} with code 0x${code.toString(16)}`);
  }
}

function readBody(draft: Draft, reader: Reader, version: Version): void {
  switch (draft.name) {
    case "PUBLISH":
      readPublish(draft, reader, version);
      return;
    case "SUBACK":
    case "UNSUBACK":
      readCodes(draft, reader, version);
      return;
    case "CONNACK": {
      const acknowledge = reader.u8();
      if (acknowledge > 1) throw new DecodeError("reserved CONNACK flags are set [MQTT-3.2.2-1]");
      draft.sessionPresent = acknowledge === 1;
      draft.code = reader.u8();
      if (draft.code !== 0 && draft.sessionPresent)
        throw new DecodeError("session present with an error [MQTT-3.2.2-6]");
      if (version === 5) draft.properties = readProperties(reader, "CONNACK");
      else if (draft.code > 5) throw new DecodeError(`3.1.1 CONNACK with code ${draft.code}`);
      return;
    }
    case "PUBACK":
    case "PUBREC":
    case "PUBREL":
    case "PUBCOMP":
      draft.id = reader.u16();
      if (draft.id === 0) throw new DecodeError(`${draft.name} with packet id 0`);
      if (version === 5 && reader.left > 0) draft.code = reader.u8();
      if (version === 5 && reader.left > 0) draft.properties = readProperties(reader, draft.name);
      return;
    case "DISCONNECT":
    case "AUTH":
      if (version === 4) throw new DecodeError(`a 3.1.1 server may not send ${draft.name}`);
      if (reader.left > 0) draft.code = reader.u8();
      if (reader.left > 0) draft.properties = readProperties(reader, draft.name);
      return;
    case "PINGRESP":
      return;
    default:
      throw new DecodeError(`a server may not send ${draft.name}`);
  }
}

/** Decodes exactly one whole packet. */
export function decode(bytes: Buffer, version: Version): Packet {
  const first = bytes.readUInt8(0);
  const name = names.get(first >> 4);
  if (name === undefined) throw new DecodeError(`packet type ${first >> 4}`);
  const flags = first & 15;
  if (name !== "PUBLISH" && flags !== (name === "PUBREL" ? 2 : 0)) throw new DecodeError(`${name} with flags ${flags}`);
  const reader = new Reader(bytes);
  reader.at = 1;
  reader.vbi();
  const draft: Draft = {
    name,
    flags,
    dup: false,
    qos: 0,
    retain: false,
    id: 0,
    topic: "",
    payload: Buffer.alloc(0),
    code: 0,
    codes: [],
    sessionPresent: false,
    properties: {},
    size: bytes.length,
  };
  readBody(draft, reader, version);
  if (reader.left > 0) throw new DecodeError(`${name} with ${reader.left} bytes too many`);
  const allowed = codes5[name];
  if (version === 5 && allowed !== undefined && draft.codes.length === 0 && !allowed.includes(draft.code)) {
    throw new DecodeError(`${name} with code 0x${draft.code.toString(16)}`);
  }
  return draft;
}

/** One line for messages of failed tests. */
export function describePacket(packet: Packet): string {
  const parts: string[] = [packet.name];
  if (packet.id > 0) parts.push(`id ${packet.id}`);
  if (packet.name === "PUBLISH") {
    const flags = `${packet.dup ? " dup" : ""}${packet.retain ? " retain" : ""}`;
    parts.push(
      `"${packet.topic.slice(0, 60)}" qos ${packet.qos}${flags} payload "${packet.payload.toString("latin1").slice(0, 40)}"`,
    );
  }
  if (packet.code > 0) parts.push(`code 0x${packet.code.toString(16)}`);
  if (packet.codes.length > 0)
    parts.push(
      `codes ${packet.codes
        .slice(0, 8)
        .map((code) => `0x${code.toString(16)}`)
        .join(",")}`,
    );
  if (packet.properties.reasonString !== undefined) parts.push(`"${String(packet.properties.reasonString)}"`);
  return parts.join(" ");
}
