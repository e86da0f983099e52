/**
 * Incremental, strict decoder of MQTT 3.1.1 and 5.0, for both ends. Bytes come in any pieces; packets that lie whole in
 * a piece are decoded in place, only the incomplete rest is copied. It never throws. PUBLISH and the four acks, the hot
 * path, make no objects.
 */
import { copyBytes } from "../native-bytes.ts";
import { readVariableInteger, VARIABLE_INTEGER_CUT, variableIntegerSize } from "../variable-integer.ts";
import { decodePacket } from "./decode-packet.ts";
import { authenticatingBase, explainFirstByte, firstByteBase, firstBytes } from "./first-byte.ts";
import { LastTopic } from "./last-topic.ts";
import type { Packet, Properties, QoS } from "./packet.ts";
import { PacketType } from "./packet.ts";
import { packetName } from "./packet-name.ts";
import { PacketReader, sharedScan } from "./packet-reader.ts";
import { buildProperties } from "./properties.ts";
import type { PropertyPlace } from "./property-scan.ts";
import { PublishView } from "./publish-view.ts";
import { isReasonCodeFor, ReasonCode, type Sender } from "./reason-code.ts";
import { checkTopicName, TopicNameCheck } from "./topic-grammar.ts";

export interface DecoderOptions {
  /** Who we are: decides which packets may come in. */
  role: "server" | "client";
  /** Bytes of a whole packet, compared with its declared length before anything of it is kept. */
  maxPacketSize: number;
  /** Most User Properties in one packet (a will counts by itself). */
  userPropertiesMax: number;
  /** Most bytes of their names and values. */
  userPropertyBytesMax: number;
  /** Most topic filters in SUBSCRIBE or UNSUBSCRIBE, most codes in SUBACK or UNSUBACK. */
  subscriptionsMax: number;
  /** The Topic Alias Maximum we announced; left out: 0, no alias is accepted. */
  topicAliasMax?: number;
}

export interface DecodeFailure {
  /** 5.0 code for CONNACK or DISCONNECT; under 3.1.1 the connection is just closed. */
  reasonCode: number;
  /** One sentence for people. Never quotes received bytes. */
  reason: string;
  packetType: number;
  /** 0 unless known. */
  packetId: number;
  /**
   * The level a failing CONNECT named (3, 4, 5 or another), so that it can be answered in its own format; on a
   * set up connection its version; 0 unless known.
   */
  protocolLevel: number;
}

export interface PacketSink {
  /** `view` is reused: valid during the call. Return false to stop decoding (the connection is closing). */
  publish(view: PublishView): boolean;
  /** Every other packet but the four acks. Owns its bytes. */
  packet(packet: Packet): boolean;
  /** PUBACK, PUBREC, PUBREL, PUBCOMP. Most have no properties. */
  ack(type: number, packetId: number, reasonCode: number, properties: Properties | undefined): boolean;
  /** The last call: nothing is decoded after it. */
  failed(failure: DecodeFailure): void;
}

const NONE = new Uint8Array(0);
/** An incomplete packet gets at least this buffer (or its length, if that is less): small pieces do not regrow it. */
const HELD_BYTES_MIN = 128;
// Cold packets are read completely before the sink is called, so all decoders can share one reader.
const reader = new PacketReader();
const place: PropertyPlace = { packetType: 0, fromClient: false };

export class PacketDecoder {
  /** 0 until CONNECT was decoded (server); a client sets it before it reads. */
  version: 0 | 4 | 5 = 0;
  /** May be raised when the connection is authenticated. */
  maxPacketSize: number;
  private readonly options: DecoderOptions;
  private readonly sink: PacketSink;
  private firstByteBase: number;
  private readonly fromClient: boolean;
  private readonly sender: Sender;
  private readonly view: PublishView = new PublishView();
  private stopped = false;
  private paused = false;
  /** The incomplete packet; its first `heldLength` bytes are there. */
  private held: Uint8Array = NONE;
  private heldLength = 0;
  /** Whole length of the packet in progress, 0 while its header is incomplete. */
  private expected = 0;
  private readonly lastTopic: LastTopic = new LastTopic();

  constructor(options: DecoderOptions, sink: PacketSink) {
    this.options = options;
    this.sink = sink;
    this.maxPacketSize = options.maxPacketSize;
    this.firstByteBase = firstByteBase(options.role, 0);
    this.fromClient = options.role === "server";
    this.sender = this.fromClient ? "client" : "server";
  }

  /** Bytes of an incomplete packet that are held now. */
  get bufferedBytes(): number {
    return this.heldLength;
  }

  /** Declared whole length of the packet in progress; 0 when there is none or its length is not known yet. */
  get expectedBytes(): number {
    return this.expected;
  }

  /** While true only AUTH and DISCONNECT may come: the client is proving who it is [MQTT-3.1.2-30]. Of a server. */
  set authenticating(value: boolean) {
    this.firstByteBase = value ? authenticatingBase : firstByteBase("server", 0);
  }

  /**
   * Decodes all complete packets in bytes[start, end) and keeps a copy of the incomplete rest. The buffer may be reused
   * afterwards. Does nothing after `failed` or after the sink returned false. Returns where it stopped: less than `end`
   * when it was paused; what lies behind is then the caller's to keep.
   */
  push(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    if (this.heldLength > 0 && !this.stopped) at = this.resume(bytes, at, end);
    while (at < end && !this.stopped) at = this.decodeAt(bytes, at, end);
    return at;
  }

  /** Decodes nothing after the packet that the sink has now, until `goOn`. */
  pause(): void {
    this.paused = true;
    this.stopped = true;
  }

  goOn(): void {
    if (!this.paused) return;
    this.paused = false;
    this.stopped = false;
  }

  /** Decodes the packet at `at`; returns its end, or `end` when nothing more can be done with this chunk. */
  private decodeAt(bytes: Uint8Array, at: number, end: number): number {
    const total = this.packetLength(bytes, at, end);
    if (total < 0) return end;
    if (total === 0 || at + total > end) {
      this.hold(bytes, at, end, total);
      return end;
    }
    this.decodeWhole(bytes, at, at + total);
    return at + total;
  }

  /** Judges the fixed header at `at`: the packet's whole length, 0 when more bytes are needed, -1 after a failure. */
  private packetLength(bytes: Uint8Array, at: number, end: number): number {
    const first = bytes[at] as number;
    const verdict = firstBytes[this.firstByteBase + this.version * 256 + first] as number;
    if (verdict !== 0) {
      const { code, reason } = explainFirstByte(verdict, first);
      this.fail(first >>> 4, code, reason);
      return -1;
    }
    const remaining = readVariableInteger(bytes, at + 1, end);
    if (remaining < 0) {
      if (remaining === VARIABLE_INTEGER_CUT) return 0;
      const reason = "The remaining length is not a variable byte integer in its shortest form of at most four bytes.";
      this.fail(first >>> 4, ReasonCode.MalformedPacket, reason);
      return -1;
    }
    const total = 1 + variableIntegerSize(remaining) + remaining;
    if (total > this.maxPacketSize) {
      const reason = `${packetName(first >>> 4)} of ${total} bytes is larger than the allowed ${this.maxPacketSize}.`;
      this.fail(first >>> 4, ReasonCode.PacketTooLarge, reason);
      return -1;
    }
    return total;
  }

  /** Keeps the incomplete packet bytes[start, end), whose whole length is `expected` (0: not known). */
  private hold(bytes: Uint8Array, start: number, end: number, expected: number): void {
    this.expected = expected;
    this.append(bytes, start, end);
  }

  /**
   * Adds to the held packet. The buffer grows with what arrived, by doubling, and not to what was declared: a peer must
   * send bytes to make us spend bytes.
   */
  private append(bytes: Uint8Array, start: number, end: number): void {
    const length = this.heldLength + end - start;
    if (length > this.held.length) {
      const wanted = Math.max(length, this.held.length * 2, HELD_BYTES_MIN);
      const larger = new Uint8Array(this.expected > 0 ? Math.min(wanted, this.expected) : wanted);
      copyBytes(this.held, 0, this.heldLength, larger, 0);
      this.held = larger;
    }
    copyBytes(bytes, start, end, this.held, this.heldLength);
    this.heldLength = length;
  }

  /** Completes the held packet as far as the chunk goes; returns where the chunk's own packets begin. */
  private resume(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    while (this.expected === 0) {
      if (at >= end) return end;
      this.append(bytes, at, at + 1);
      at++;
      const total = this.packetLength(this.held, 0, this.heldLength);
      if (total < 0) return end;
      this.expected = total;
    }
    const stop = Math.min(end, at + this.expected - this.heldLength);
    this.append(bytes, at, stop);
    if (this.heldLength === this.expected) {
      const whole = this.held;
      const length = this.expected;
      this.drop(); // an idle connection holds no buffer
      this.decodeWhole(whole, 0, length);
    }
    return stop;
  }

  private drop(): void {
    this.held = NONE;
    this.heldLength = 0;
    this.expected = 0;
  }

  private decodeWhole(bytes: Uint8Array, at: number, end: number): void {
    const first = bytes[at] as number;
    const type = first >>> 4;
    // A length that was accepted has its shortest form, so its last byte is the first without the continuation bit.
    let body = at + 2;
    while ((bytes[body - 1] as number) >= 0x80) body++;
    let goOn: boolean;
    if (type === PacketType.PUBLISH) goOn = this.decodePublish(bytes, at, body, end);
    else if (type >= PacketType.PUBACK && type <= PacketType.PUBCOMP) goOn = this.decodeAck(bytes, type, body, end);
    else goOn = this.decodeOther(bytes, type, body, end);
    if (!goOn) this.stop();
  }

  private decodePublish(bytes: Uint8Array, at: number, body: number, end: number): boolean {
    const { view } = this;
    const first = bytes[at] as number;
    const qos = (first >>> 1) & 3;
    const topicStart = body + 2;
    if (topicStart > end) return this.failPublish(0, ReasonCode.MalformedPacket, "PUBLISH ends inside its topic name.");
    const topicEnd = topicStart + (((bytes[body] as number) << 8) | (bytes[body + 1] as number));
    let cursor = qos === 0 ? topicEnd : topicEnd + 2;
    if (cursor > end) {
      const reason = "PUBLISH ends inside its topic name or packet identifier.";
      return this.failPublish(0, ReasonCode.MalformedPacket, reason);
    }
    let packetId = 0;
    if (qos !== 0) {
      packetId = ((bytes[topicEnd] as number) << 8) | (bytes[topicEnd + 1] as number);
      if (packetId === 0) return this.failPublish(0, ReasonCode.ProtocolError, "PUBLISH has the packet identifier 0.");
    }
    view.topicAlias = 0;
    view.messageExpiry = -1;
    view.forwardLength = 0;
    view.reservedLength = 0;
    if (this.version === 5) cursor = this.decodePublishProperties(bytes, cursor, end, packetId);
    else view.propertiesStart = view.propertiesEnd = cursor;
    if (cursor < 0 || !this.decodeTopic(bytes, topicStart, topicEnd, packetId)) return false;
    view.bytes = bytes;
    view.packetStart = at;
    view.packetEnd = end;
    view.qos = qos as QoS;
    view.retain = (first & 1) !== 0;
    view.dup = (first & 8) !== 0;
    view.packetId = packetId;
    view.topicStart = topicStart;
    view.topicEnd = topicEnd;
    view.payloadStart = cursor;
    view.payloadEnd = end;
    const goOn = this.sink.publish(view);
    view.bytes = NONE; // an idle connection must not keep a large packet alive
    return goOn;
  }

  /** Fills the view's property fields; returns where the payload begins, or -1 after a failure. */
  private decodePublishProperties(bytes: Uint8Array, at: number, end: number, packetId: number): number {
    const { view } = this;
    const length = readVariableInteger(bytes, at, end);
    const start = at + variableIntegerSize(length);
    if (length < 0 || start + length > end) {
      const reason = "PUBLISH has a property length that is ill-formed or too long.";
      this.failPublish(packetId, ReasonCode.MalformedPacket, reason);
      return -1;
    }
    view.propertiesStart = start;
    view.propertiesEnd = start + length;
    if (length === 0) return start;
    place.packetType = PacketType.PUBLISH;
    place.fromClient = this.fromClient;
    if (!sharedScan.scan(bytes, start, start + length, place, this.options)) {
      this.failPublish(packetId, sharedScan.reasonCode, sharedScan.reason);
      return -1;
    }
    view.topicAlias = sharedScan.topicAlias;
    view.messageExpiry = sharedScan.messageExpiry;
    view.reservedLength = sharedScan.reservedLength;
    view.forwardLength = sharedScan.forwardLength;
    return start + length;
  }

  /** Validates the topic, unless it is the one before: publishers repeat themselves. */
  private decodeTopic(bytes: Uint8Array, start: number, end: number, packetId: number): boolean {
    const same = this.lastTopic.equals(bytes, start, end);
    this.view.sameTopic = same;
    if (same) return true;
    this.lastTopic.forget();
    if (start === end) {
      if (this.view.topicAlias !== 0) return true;
      // [MQTT 5.0 section 3.3.2.1; MQTT-4.7.3-1 in 3.1.1]
      const reason = "PUBLISH has neither a topic name nor a topic alias.";
      return this.failPublish(packetId, ReasonCode.ProtocolError, reason);
    }
    const check = checkTopicName(bytes, start, end);
    if (check === TopicNameCheck.NOT_UTF8) {
      const reason = "The topic name is not well-formed UTF-8 without U+0000.";
      return this.failPublish(packetId, ReasonCode.MalformedPacket, reason);
    }
    if (check === TopicNameCheck.WILDCARD) {
      return this.failPublish(packetId, ReasonCode.TopicNameInvalid, "The topic name has a wildcard (+ or #) in it.");
    }
    this.lastTopic.remember(bytes, start, end);
    return true;
  }

  private decodeAck(bytes: Uint8Array, type: number, body: number, end: number): boolean {
    const length = end - body;
    if (length < 2 || (this.version === 4 && length !== 2)) {
      const reason = `${packetName(type)} of MQTT ${this.version} has ${length} bytes after its header.`;
      return this.fail(type, ReasonCode.MalformedPacket, reason);
    }
    const packetId = ((bytes[body] as number) << 8) | (bytes[body + 1] as number);
    if (packetId === 0) {
      return this.fail(type, ReasonCode.ProtocolError, `${packetName(type)} has the packet identifier 0.`);
    }
    if (length === 2) return this.sink.ack(type, packetId, ReasonCode.Success, undefined);
    const reasonCode = bytes[body + 2] as number;
    if (!isReasonCodeFor(type, reasonCode, this.sender)) {
      const reason = `${packetName(type)} from this side must not carry the reason code ${reasonCode}.`;
      return this.fail(type, ReasonCode.ProtocolError, reason, packetId);
    }
    if (length > 3) return this.decodeAckProperties(bytes, type, body, end);
    return this.sink.ack(type, packetId, reasonCode, undefined);
  }

  private decodeAckProperties(bytes: Uint8Array, type: number, body: number, end: number): boolean {
    const packetId = ((bytes[body] as number) << 8) | (bytes[body + 1] as number);
    const start = body + 3;
    const length = readVariableInteger(bytes, start, end);
    const at = start + variableIntegerSize(length);
    if (length < 0 || at + length !== end) {
      const reason = `The property length of ${packetName(type)} does not fit the packet.`;
      return this.fail(type, ReasonCode.MalformedPacket, reason, packetId);
    }
    place.packetType = type;
    place.fromClient = this.fromClient;
    if (!sharedScan.scan(bytes, at, end, place, this.options)) {
      return this.fail(type, sharedScan.reasonCode, sharedScan.reason, packetId);
    }
    const properties = length === 0 ? undefined : buildProperties(bytes, at, end);
    return this.sink.ack(type, packetId, bytes[body + 2] as number, properties);
  }

  private decodeOther(bytes: Uint8Array, type: number, body: number, end: number): boolean {
    reader.begin(bytes, body, end);
    reader.version = this.version;
    reader.fromClient = this.fromClient;
    reader.limits = this.options;
    const packet = decodePacket(type, reader);
    reader.bytes = NONE; // shared: it must not keep a closed connection's buffer alive
    if (packet === undefined) {
      const { faultCode: reasonCode, faultReason: reason, packetId } = reader;
      const protocolLevel = reader.protocolLevel || this.version;
      return this.report({ reasonCode, reason, packetType: type, packetId, protocolLevel });
    }
    if (packet.type === PacketType.CONNECT) this.version = packet.version;
    return this.sink.packet(packet);
  }

  private failPublish(packetId: number, reasonCode: number, reason: string): boolean {
    return this.fail(PacketType.PUBLISH, reasonCode, reason, packetId);
  }

  private fail(packetType: number, reasonCode: number, reason: string, packetId = 0): boolean {
    return this.report({ reasonCode, reason, packetType, packetId, protocolLevel: this.version });
  }

  private report(failure: DecodeFailure): boolean {
    this.stop();
    this.sink.failed(failure);
    return false;
  }

  private stop(): void {
    this.paused = false;
    this.stopped = true;
    this.drop();
  }
}
