/** A reader over the body of one packet that knows who sent it, in which version, and the limits. */
import { ByteReader } from "../byte-reader.ts";
import type { Properties } from "./packet.ts";
import { buildProperties } from "./properties.ts";
import { type PropertyPlace, PropertyScan } from "./property-scan.ts";
import { ReasonCode } from "./reason-code.ts";
import { checkTopicName, TopicNameCheck } from "./topic-grammar.ts";

export interface PacketLimits {
  userPropertiesMax: number;
  userPropertyBytesMax: number;
  subscriptionsMax: number;
  topicAliasMax?: number;
}

/** Scans end before anything else can run, so one scan serves all readers and decoders. */
export const sharedScan: PropertyScan = new PropertyScan();

const noLimits: PacketLimits = { userPropertiesMax: 0, userPropertyBytesMax: 0, subscriptionsMax: 0 };

export class PacketReader extends ByteReader {
  /** 0 until CONNECT told. */
  version: 0 | 4 | 5 = 0;
  fromClient = false;
  limits: PacketLimits = noLimits;
  /** 0 until it was read. */
  packetId = 0;
  /** The level that CONNECT named, 0 until it was read. */
  protocolLevel = 0;
  private readonly place: PropertyPlace = { packetType: 0, fromClient: false };

  constructor() {
    super(ReasonCode.MalformedPacket);
  }

  begin(bytes: Uint8Array, start: number, end: number): void {
    this.reset(bytes, start, end);
    this.packetId = 0;
    this.protocolLevel = 0;
  }

  malformed(reason: string): void {
    this.fail(ReasonCode.MalformedPacket, reason);
  }

  protocolError(reason: string): void {
    this.fail(ReasonCode.ProtocolError, reason);
  }

  /** A packet identifier, which is never 0 [MQTT-2.2.1-3]. */
  packetIdentifier(): number {
    const packetId = this.uint16("the packet identifier");
    if (packetId === 0) this.protocolError("The packet identifier is 0.");
    this.packetId = packetId;
    return packetId;
  }

  /** Properties with their length in front; undefined when there are none. `packetType` may be WILL. */
  properties(packetType: number): Properties | undefined {
    const length = this.variableInteger("the property length");
    if (length > this.remaining) {
      this.malformed("The property length goes beyond the packet.");
      return undefined;
    }
    const start = this.position;
    const end = start + length;
    this.position = end;
    if (length === 0) return undefined;
    this.place.packetType = packetType;
    this.place.fromClient = this.fromClient;
    if (!sharedScan.scan(this.bytes, start, end, this.place, this.limits)) {
      this.fail(sharedScan.reasonCode, sharedScan.reason);
      return undefined;
    }
    return buildProperties(this.bytes, start, end);
  }

  /** A topic name in a place where it must not be empty. */
  topicName(field: string): string {
    const start = this.position + 2;
    const topic = this.string(field);
    if (this.faultCode !== 0) return "";
    if (topic === "" || checkTopicName(this.bytes, start, this.position) === TopicNameCheck.WILDCARD) {
      this.fail(ReasonCode.TopicNameInvalid, `${field} must have at least one character and no wildcard (+ or #).`);
    }
    return topic;
  }

  /** The packet ends here [its fields need exactly its length]. */
  finish(): void {
    if (this.remaining > 0) this.malformed(`The packet is ${this.remaining} bytes longer than its fields.`);
  }
}
