/**
 * What a client of MQTT 5.0 receives, decoded with little code: browsers load it. It makes an object of every packet,
 * and holds the server to the form of what it sends, not to every rule about it; `PacketDecoder` does both ends, both
 * versions and all the rules, without objects. It never throws.
 */
import { ByteReader } from "../byte-reader.ts";
import { ownBytes } from "../native-bytes.ts";
import { readVariableInteger, VARIABLE_INTEGER_CUT, variableIntegerSize } from "../variable-integer.ts";
import { type AckPacket, type Packet, PacketType, type Properties, type QoS } from "./packet.ts";
import { PropertyKind, propertyList } from "./property-list.ts";

export interface ClientSink {
  /** Owns its bytes. Return false to stop decoding. */
  packet(packet: Packet): boolean;
  /** The last call: nothing is decoded after it. A few words for people. */
  failed(reasonCode: number, reason: string): void;
}

const malformed = 0x81;
const protocolError = 0x82;
const packetTooLarge = 0x95;
const heldBytesMin = 128;

const propertyById = new Map(propertyList.map(([id, key, kind]) => [id, { key, kind }]));
const { CONNACK, PUBLISH, PUBACK, PUBREL, PUBCOMP, SUBACK, UNSUBACK, PINGRESP, DISCONNECT } = PacketType;

export class ClientDecoder {
  readonly #reader = new ByteReader(malformed);
  readonly #maxPacketSize: number;
  readonly #sink: ClientSink;
  #held = new Uint8Array(0);
  #heldLength = 0;
  #stopped = false;

  /** @param maxPacketSize bytes of a whole packet, compared with its declared length before anything of it is kept */
  constructor(maxPacketSize: number, sink: ClientSink) {
    this.#maxPacketSize = maxPacketSize;
    this.#sink = sink;
  }

  /** Decodes all complete packets in bytes[start, end) and keeps a copy of the incomplete rest. */
  push(bytes: Uint8Array, start: number, end: number): void {
    if (this.#stopped) return;
    if (this.#heldLength === 0) {
      const rest = this.#decode(bytes, start, end);
      if (rest < end) this.#hold(bytes, rest, end);
      return;
    }
    this.#hold(bytes, start, end);
    const rest = this.#decode(this.#held, 0, this.#heldLength);
    if (rest === 0) return;
    const held = this.#held.subarray(rest, this.#heldLength);
    this.#heldLength = 0;
    this.#held = new Uint8Array(0);
    if (held.length > 0) this.#hold(held, 0, held.length);
  }

  /** Where the first packet begins that is not complete. */
  #decode(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (at < end && !this.#stopped) {
      const length = readVariableInteger(bytes, at + 1, end);
      if (length === VARIABLE_INTEGER_CUT) return at;
      if (length < 0) return this.#fail(malformed, "bad remaining length", end);
      const body = at + 1 + variableIntegerSize(length);
      if (body + length - at > this.#maxPacketSize) return this.#fail(packetTooLarge, "packet too large", end);
      if (body + length > end) return at;
      this.#reader.reset(bytes, body, body + length);
      const packet = this.#packet(bytes[at] as number);
      const { faultCode, faultReason, remaining } = this.#reader;
      if (faultCode !== 0) return this.#fail(faultCode, faultReason, end);
      if (remaining > 0) return this.#fail(malformed, "bytes behind the last field", end);
      if (packet === undefined) return this.#fail(protocolError, "no packet of a server", end);
      if (!this.#sink.packet(packet)) this.#stopped = true;
      at = body + length;
    }
    return this.#stopped ? end : at;
  }

  #packet(first: number): Packet | undefined {
    const reader = this.#reader;
    const type = first >>> 4;
    const flags = first & 15;
    if (type === PUBLISH) return this.#publish(flags);
    if (flags !== (type === PUBREL ? 2 : 0)) {
      reader.fail(malformed, "bad first byte");
      return undefined;
    }
    // Fields are read in the order in which they are named.
    if (type === CONNACK) {
      const acknowledge = reader.uint8("flags");
      if (acknowledge > 1) reader.fail(malformed, "bad flags");
      return {
        type,
        sessionPresent: acknowledge === 1,
        reasonCode: reader.uint8("reason code"),
        ...this.#properties(),
      };
    }
    if (type >= PUBACK && type <= PUBCOMP) {
      return { type: type as AckPacket["type"], packetId: this.#packetId(), ...this.#reason() };
    }
    if (type === SUBACK || type === UNSUBACK) {
      const packet = { type, packetId: this.#packetId(), ...this.#properties(), reasonCodes: [] as number[] };
      if (reader.remaining === 0) reader.fail(protocolError, "no reason codes");
      while (reader.remaining > 0) packet.reasonCodes.push(reader.uint8("reason code"));
      return packet;
    }
    if (type === PINGRESP) return { type };
    return type === DISCONNECT ? { type, ...this.#reason() } : undefined;
  }

  #publish(flags: number): Packet {
    const reader = this.#reader;
    const qos = ((flags >>> 1) & 3) as QoS | 3;
    if (qos === 3) reader.fail(malformed, "bad QoS");
    const topic = reader.string("topic");
    if (topic === "" || /[+#]/.test(topic)) reader.fail(protocolError, "bad topic");
    const packet = {
      type: PUBLISH,
      topic,
      qos: qos as QoS,
      retain: (flags & 1) !== 0,
      dup: (flags & 8) !== 0,
      ...(qos > 0 && { packetId: this.#packetId() }),
      ...this.#properties(),
      payload: ownBytes(reader.bytes, reader.position, reader.end),
    };
    reader.position = reader.end;
    return packet;
  }

  #packetId(): number {
    const id = this.#reader.uint16("packet identifier");
    if (id === 0) this.#reader.fail(protocolError, "bad packet identifier");
    return id;
  }

  /** Reason code and properties, which both may be left out. */
  #reason(): { reasonCode: number; properties?: Properties } {
    const { remaining } = this.#reader;
    const reasonCode = remaining > 0 ? this.#reader.uint8("reason code") : 0;
    return { reasonCode, ...(remaining > 1 && this.#properties()) };
  }

  #properties(): { properties?: Properties } {
    const reader = this.#reader;
    const length = reader.variableInteger("property length");
    const { end, position } = reader;
    if (position + length > end) reader.fail(malformed, "bad property length");
    if (length === 0 || reader.faultCode !== 0) return {};
    reader.end = position + length;
    const properties: Record<string, unknown> = {};
    while (reader.remaining > 0) this.#property(properties);
    reader.end = end;
    return { properties: properties as Properties };
  }

  #property(properties: Record<string, unknown>): void {
    const reader = this.#reader;
    const definition = propertyById.get(reader.uint8("property"));
    if (definition === undefined) return reader.fail(malformed, "unknown property");
    const { key, kind } = definition;
    if (kind === PropertyKind.PAIR || kind === PropertyKind.VARIABLE) {
      const list = (properties[key] ?? []) as unknown[];
      properties[key] = list;
      list.push(kind === PropertyKind.PAIR ? [reader.string(key), reader.string(key)] : reader.variableInteger(key));
    } else if (key in properties) reader.fail(protocolError, "repeated property");
    else properties[key] = this.#value(kind, key);
    // With these a client could send nothing any more.
    if ((key === "receiveMaximum" || key === "maximumPacketSize") && properties[key] === 0) {
      reader.fail(protocolError, "bad maximum");
    }
  }

  #value(kind: PropertyKind, key: string): unknown {
    const reader = this.#reader;
    if (kind === PropertyKind.STRING) return reader.string(key);
    if (kind === PropertyKind.BINARY) return reader.binary(key);
    if (kind === PropertyKind.UINT16) return reader.uint16(key);
    if (kind === PropertyKind.UINT32) return reader.uint32(key);
    const value = reader.uint8(key);
    if (value > 1) reader.fail(protocolError, "bad flag");
    return kind === PropertyKind.BIT ? value : value === 1;
  }

  /** The buffer grows with what arrived, by doubling, and not to what was declared. */
  #hold(bytes: Uint8Array, start: number, end: number): void {
    const length = this.#heldLength + end - start;
    if (length > this.#held.length) {
      const larger = new Uint8Array(Math.max(length, this.#held.length * 2, heldBytesMin));
      larger.set(this.#held.subarray(0, this.#heldLength));
      this.#held = larger;
    }
    this.#held.set(bytes.subarray(start, end), this.#heldLength);
    this.#heldLength = length;
  }

  #fail(reasonCode: number, reason: string, end: number): number {
    this.#stopped = true;
    this.#sink.failed(reasonCode, reason);
    return end;
  }
}
