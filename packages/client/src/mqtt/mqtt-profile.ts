import type { AckPacket, Packet, Properties, ProtocolVersion, PublishPacket, PublishView } from "@mess/wire";
import type { MessError } from "../mess-error.ts";
import type { MqttMessage } from "./mqtt-message.ts";
import type { OutputBuffer } from "./output-buffer.ts";
import type { PacketIds } from "./packet-ids.ts";
import type { Outgoing, PublishLink } from "./publisher.ts";
import type { PlainPublish } from "./write-publish.ts";

/** A PUBLISH as the decoder of a profile hands it to the receiver of the same profile. */
export type Incoming = PublishPacket | PublishView;

/** What a decoder tells. False stops it: the connection is closing. */
export interface DecodedEvents {
  publish(incoming: Incoming): boolean;
  packet(packet: Exclude<Packet, PublishPacket | AckPacket>): boolean;
  ack(type: AckPacket["type"], packetId: number, reasonCode: number, properties: Properties | undefined): boolean;
  /** The last call. */
  failed(reasonCode: number, reason: string): void;
}

export interface DecodingOptions {
  readonly version: ProtocolVersion;
  /** Bytes of one packet we accept. */
  readonly maximumPacketSize: number;
}

export interface MqttDecoder {
  push(bytes: Uint8Array, start: number, end: number): void;
}

/** Outgoing publishes of one connection: in order, within the server's Receive Maximum. */
export interface PublishPart {
  publish(outgoing: Outgoing): void;
  /** The socket takes bytes again. */
  drain(): void;
  /** False when no publish waits for it. */
  acknowledged(type: AckPacket["type"], packetId: number, reasonCode: number, properties?: Properties): boolean;
  tick(now: number): void;
  /** The connection is gone. */
  fail(error: MessError): void;
  /** Resolves when nothing is unacknowledged. */
  idle(): Promise<void>;
}

export interface ReceiverLink {
  sendAck(type: AckPacket["type"], packetId: number, reasonCode: number): void;
}

export interface ReceiverOptions {
  /** Told to the server: messages that may be unacknowledged at once. */
  readonly receiveMaximum: number;
  /** Takes each message. */
  readonly deliver: (message: MqttMessage) => void;
}

/** Incoming publishes of one connection. */
export interface ReceivePart {
  /** False when the server exceeds our Receive Maximum. */
  publish(incoming: Incoming): boolean;
  /** PUBREL came. */
  released(packetId: number): void;
}

/** How much of MQTT a connection can do. There are two: all of it, and the little that a browser should have to load. */
export interface MqttProfile {
  decoder(options: DecodingOptions, events: DecodedEvents): MqttDecoder;
  /**
   * Undefined when it is larger than `maximumPacketSize`.
   *
   * @throws RangeError for values the format cannot carry
   */
  encode(packet: Packet, version: ProtocolVersion, maximumPacketSize: number): Uint8Array | undefined;
  /** A faster way for a PUBLISH without properties; false when it is larger than the server takes. */
  readonly writePublish?: (
    output: OutputBuffer,
    publish: PlainPublish,
    packetId: number,
    limits: { readonly version: ProtocolVersion; readonly maximumPacketSize: number },
  ) => boolean;
  /** `inFlightMax`: what may be unacknowledged, at most the server's Receive Maximum [MQTT-3.3.4-9]. */
  publisher(link: PublishLink, ids: PacketIds, inFlightMax: number): PublishPart;
  receiver(link: ReceiverLink, options: ReceiverOptions): ReceivePart;
}
