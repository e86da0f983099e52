import {
  ACK_BYTES_MAX,
  type AckPacket,
  type Packet,
  PacketType,
  type Properties,
  type ProtocolVersion,
  type PublishPacket,
  writeAck,
} from "@mess/wire";
import { MessError } from "../mess-error.ts";
import type { Transport, TransportEvents } from "../transport/transport.ts";
import type { Incoming, MqttDecoder, MqttProfile } from "./mqtt-profile.ts";
import { OutputBuffer } from "./output-buffer.ts";

/** What the connection tells the client. */
export interface LinkEvents {
  publish(incoming: Incoming): void;
  packet(packet: Packet): void;
  ack(type: AckPacket["type"], packetId: number, reasonCode: number, properties: Properties | undefined): void;
  /** The socket takes bytes again. */
  writable(): void;
  /** Once, last. */
  closed(error: MessError | undefined): void;
}

export interface LinkOptions {
  readonly version: ProtocolVersion;
  /** Bytes of one packet we accept. */
  readonly maximumPacketSize: number;
  /** Monotonic milliseconds. */
  readonly now: () => number;
  readonly profile: MqttProfile;
}

/** One connection: bytes to packets and back, one write a turn of the event loop, and the keep alive. */
export class Link {
  readonly #options: LinkOptions;
  readonly #events: LinkEvents;
  readonly #decoder: MqttDecoder;
  readonly #output = new OutputBuffer();
  #transport: Transport | undefined;
  #flushing = false;
  #congested = false;
  #paused = false;
  #closed = false;
  #failure: MessError | undefined;
  #keepAlive = 0;
  #sentAt = 0;
  #pingAt = 0;
  #serverMaximumPacketSize = 0xffff_ffff;

  constructor(options: LinkOptions, events: LinkEvents) {
    this.#options = options;
    this.#events = events;
    const goesOn = (): boolean => !this.#closed;
    this.#decoder = options.profile.decoder(options, {
      publish: (incoming) => {
        events.publish(incoming);
        return goesOn();
      },
      packet: (packet) => {
        if (packet.type === PacketType.PINGRESP) this.#pingAt = 0;
        else events.packet(packet);
        return goesOn();
      },
      ack: (type, packetId, reasonCode, properties) => {
        events.ack(type, packetId, reasonCode, properties);
        return goesOn();
      },
      failed: (reasonCode, reason) => {
        this.protocolError(`the server sent what is not MQTT: ${reason}`, reasonCode);
      },
    });
  }

  /** To be given to the transport. */
  transportEvents(): TransportEvents {
    return {
      data: (bytes, start, end) => {
        if (!this.#closed && this.#failure === undefined) this.#decoder.push(bytes, start, end);
      },
      drain: () => {
        this.#congested = false;
        if (!this.#closed) this.#events.writable();
      },
      closed: (error) => this.#ended(error),
    };
  }

  attach(transport: Transport): void {
    this.#transport = transport;
  }

  /** After CONNACK: what the server said of itself. `keepAlive` in seconds, 0 = off. */
  established(keepAlive: number, serverMaximumPacketSize: number | undefined): void {
    this.#keepAlive = keepAlive * 1000;
    this.#serverMaximumPacketSize = serverMaximumPacketSize ?? 0xffff_ffff;
  }

  get writable(): boolean {
    return !this.#congested && !this.#closed;
  }

  /** An error instead of a packet that the standard or the server would not accept; the connection stays. */
  send(packet: Packet): MessError | undefined {
    if (this.#closed) return this.#failure ?? new MessError("CLOSED", "the connection is closed");
    let bytes: Uint8Array | undefined;
    try {
      bytes = this.#options.profile.encode(packet, this.#options.version, this.#serverMaximumPacketSize);
    } catch (cause) {
      if (!(cause instanceof RangeError)) throw cause;
      return new MessError("INVALID_ARGUMENT", cause.message, { cause });
    }
    if (bytes === undefined) return tooLarge(this.#serverMaximumPacketSize);
    this.#output.append(bytes);
    this.#schedule();
    return undefined;
  }

  /** As `send`, for the hot path. */
  sendPublish(publish: Omit<PublishPacket, "type" | "dup" | "packetId">, packetId: number): MessError | undefined {
    const { version, profile } = this.#options;
    if (publish.properties !== undefined || profile.writePublish === undefined) {
      return this.send({ type: PacketType.PUBLISH, ...publish, dup: false, ...(packetId > 0 && { packetId }) });
    }
    if (this.#closed) return this.#failure ?? new MessError("CLOSED", "the connection is closed");
    const limits = { version, maximumPacketSize: this.#serverMaximumPacketSize };
    if (!profile.writePublish(this.#output, publish, packetId, limits)) return tooLarge(this.#serverMaximumPacketSize);
    this.#schedule();
    return undefined;
  }

  sendAck(type: AckPacket["type"], packetId: number, reasonCode: number): void {
    if (this.#closed) return;
    const { bytes, offset } = this.#output.reserve(ACK_BYTES_MAX);
    this.#output.commit(writeAck(bytes, offset, this.#options.version, type, packetId, reasonCode) - offset);
    this.#schedule();
  }

  /** Stops reading: the server is slowed down, and the keep alive does not judge it meanwhile. */
  pause(paused: boolean): void {
    if (this.#paused === paused || this.#closed) return;
    this.#paused = paused;
    this.#pingAt = 0;
    if (paused) this.#transport?.pause();
    else this.#transport?.resume();
  }

  tick(now: number): void {
    if (this.#keepAlive === 0 || this.#closed) return;
    // A paused reader sees no PINGRESP, and must still ping, or the server gives us up [MQTT-3.1.2-22].
    if (now - this.#sentAt >= this.#keepAlive * 0.75) {
      this.send({ type: PacketType.PINGREQ });
      if (this.#pingAt === 0 && !this.#paused) this.#pingAt = now;
    }
    if (this.#pingAt !== 0 && now - this.#pingAt > this.#keepAlive) {
      this.fail(new MessError("TIMEOUT", "the server stopped answering"));
    }
  }

  /** Sends DISCONNECT and what is queued, then ends. */
  end(reasonCode: number, properties?: Properties): void {
    if (this.#closed) return;
    this.send({
      type: PacketType.DISCONNECT,
      reasonCode,
      ...(properties !== undefined && this.#options.version === 5 && { properties }),
    });
    this.#flush();
    this.#transport?.end();
  }

  /** Ends at once because of `error`. */
  fail(error: MessError): void {
    if (this.#closed) return;
    this.#failure ??= error;
    this.#transport?.destroy();
    this.#ended(undefined);
  }

  /** The peer broke the protocol: says so (5.0), then ends. */
  protocolError(message: string, reasonCode: number): void {
    if (this.#closed) return;
    this.#failure ??= new MessError("PROTOCOL_ERROR", message, { reasonCode });
    if (this.#options.version === 5) this.send({ type: PacketType.DISCONNECT, reasonCode });
    this.#flush();
    this.fail(this.#failure);
  }

  #schedule(): void {
    if (this.#flushing) return;
    this.#flushing = true;
    queueMicrotask(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#closed || this.#output.length === 0 || this.#transport === undefined) return;
    this.#sentAt = this.#options.now();
    if (!this.#transport.write(this.#output.take())) this.#congested = true;
  }

  #ended(error: Error | undefined): void {
    if (this.#closed) return;
    this.#closed = true;
    const lost =
      error === undefined
        ? undefined
        : new MessError("CONNECTION_LOST", `the connection broke: ${error.message}`, { cause: error });
    this.#events.closed(this.#failure ?? lost);
  }
}

function tooLarge(most: number): MessError {
  return new MessError("TOO_LARGE", `the packet is larger than the ${most} bytes the server accepts`, {
    hint: "send a smaller message",
  });
}
