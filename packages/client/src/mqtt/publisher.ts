import { type AckPacket, PacketType, type Properties, type QoS } from "@mess/wire";
import { Fifo } from "../fifo.ts";
import { MessError } from "../mess-error.ts";
import type { PublishPart } from "./mqtt-profile.ts";
import type { PacketIds } from "./packet-ids.ts";
import { refusal } from "./refusal.ts";

/** What a publish came to. */
export interface MqttPublishResult {
  /** 0 success; 0x10 durable, but nobody subscribes (5.0). Always 0 under 3.1.1 and at QoS 0. */
  readonly reasonCode: number;
  /** What the acknowledgement carried besides (5.0). */
  readonly properties?: Properties;
}

/** Called once, with an error or with a result. */
export type Settled = (error: MessError | undefined, result: MqttPublishResult) => void;

export interface Outgoing {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly qos: QoS;
  readonly retain: boolean;
  readonly properties?: Properties;
  /** Milliseconds of the monotonic clock. */
  readonly deadline: number;
  readonly settled: Settled;
}

/** What the publisher needs of the connection. */
export interface PublishLink {
  /** False while the socket asks to wait. */
  writable(): boolean;
  /** An error when the packet cannot be sent at all. */
  sendPublish(outgoing: Outgoing, packetId: number): MessError | undefined;
  sendAck(type: AckPacket["type"], packetId: number, reasonCode: number): void;
}

export interface PublisherLimits {
  /** Unacknowledged QoS 1 and 2 publishes: at most the server's Receive Maximum [MQTT-3.3.4-9]. */
  readonly inFlightMax: number;
  /** Publishes that may wait here, by number and payload bytes; more are refused with QUEUE_FULL. */
  readonly waitingMax: number;
  readonly waitingBytesMax: number;
}

interface InFlight {
  readonly outgoing: Outgoing;
  /** The code of PUBREC (QoS 2), 0 until then: it tells what PUBCOMP cannot, that nobody subscribes. */
  receivedCode: number;
  /** The caller was told (its deadline passed), but the identifier is still in use. */
  abandoned: boolean;
}

/**
 * Outgoing publishes: in order, never more unacknowledged than the server allows, never faster than the socket.
 * States of one: waiting, sent, (QoS 2) released, settled.
 */
export class Publisher implements PublishPart {
  readonly #link: PublishLink;
  readonly #ids: PacketIds;
  readonly #limits: PublisherLimits;
  readonly #waiting = new Fifo<Outgoing>();
  readonly #inFlight = new Map<number, InFlight>();
  #waitingBytes = 0;
  #failure: MessError | undefined;
  #idle: (() => void)[] = [];

  constructor(link: PublishLink, ids: PacketIds, limits: PublisherLimits) {
    this.#link = link;
    this.#ids = ids;
    this.#limits = limits;
  }

  publish(outgoing: Outgoing): void {
    if (this.#failure !== undefined) return outgoing.settled(this.#failure, success);
    const bytes = this.#waitingBytes + outgoing.payload.length;
    // A lone large message passes: the bound is for a queue, the server's packet size is the bound of a message.
    const tooMany = this.#waiting.length >= this.#limits.waitingMax || bytes > this.#limits.waitingBytesMax;
    if (tooMany && this.#waiting.length > 0) return outgoing.settled(queueFull(this.#waiting.length), success);
    this.#waiting.push(outgoing);
    this.#waitingBytes = bytes;
    this.drain();
  }

  /** Sends what may be sent now. */
  drain(): void {
    while (this.#link.writable()) {
      const next = this.#waiting.peek();
      if (next === undefined) break;
      if (next.qos > 0 && this.#inFlight.size >= this.#limits.inFlightMax) break;
      const packetId = next.qos === 0 ? 0 : this.#ids.take();
      if (next.qos > 0 && packetId === 0) break;
      this.#waiting.shift();
      this.#waitingBytes -= next.payload.length;
      const error = this.#link.sendPublish(next, packetId);
      if (error !== undefined || packetId === 0) {
        if (packetId !== 0) this.#ids.release(packetId);
        next.settled(error, success);
        continue;
      }
      this.#inFlight.set(packetId, { outgoing: next, receivedCode: 0, abandoned: false });
    }
    this.#tellIdle();
  }

  /** Takes PUBACK, PUBREC or PUBCOMP; false when no publish waits for it. */
  acknowledged(type: AckPacket["type"], packetId: number, reasonCode: number, properties?: Properties): boolean {
    const flight = this.#inFlight.get(packetId);
    if (flight === undefined || (flight.outgoing.qos === 1) !== (type === PacketType.PUBACK)) {
      if (type !== PacketType.PUBREC) return false;
      // Of an earlier connection of this session: the server only wants to hear that it may forget it.
      this.#link.sendAck(PacketType.PUBREL, packetId, 0x92);
      return true;
    }
    if (type === PacketType.PUBREC && reasonCode < 0x80) {
      flight.receivedCode = reasonCode;
      this.#link.sendAck(PacketType.PUBREL, packetId, 0);
      return true;
    }
    this.#inFlight.delete(packetId);
    this.#ids.release(packetId);
    if (!flight.abandoned) {
      const refused = reasonCode >= 0x80 ? refusal("the message was refused", reasonCode, properties) : undefined;
      const code = reasonCode || flight.receivedCode;
      const plain = code === 0 && properties === undefined;
      flight.outgoing.settled(refused, plain ? success : { reasonCode: code, ...(properties && { properties }) });
    }
    this.drain();
    return true;
  }

  /** Gives up what is past its deadline. */
  tick(now: number): void {
    for (const flight of this.#inFlight.values()) {
      if (flight.abandoned || flight.outgoing.deadline > now) continue;
      flight.abandoned = true;
      flight.outgoing.settled(timedOut("the server did not acknowledge the message in time", unknownHint), success);
    }
    const late: Outgoing[] = [];
    this.#waiting.filter((outgoing) => outgoing.deadline > now || late.push(outgoing) === 0);
    for (const outgoing of late) {
      this.#waitingBytes -= outgoing.payload.length;
      outgoing.settled(timedOut("the message could not be sent in time", "it was not sent: try again"), success);
    }
    this.#tellIdle();
  }

  /** Ends them all: the connection is gone. */
  fail(error: MessError): void {
    this.#failure = error;
    const sent = [...this.#inFlight.values()].filter((flight) => !flight.abandoned);
    const waiting: Outgoing[] = [];
    for (let next = this.#waiting.shift(); next !== undefined; next = this.#waiting.shift()) waiting.push(next);
    this.#inFlight.clear();
    this.#waitingBytes = 0;
    for (const flight of sent) flight.outgoing.settled(error, success);
    for (const outgoing of waiting) outgoing.settled(error, success);
    this.#tellIdle();
  }

  /** Resolves when nothing waits and nothing is unacknowledged. */
  idle(): Promise<void> {
    return new Promise((resolve) => {
      this.#idle.push(resolve);
      this.#tellIdle();
    });
  }

  #tellIdle(): void {
    if (this.#idle.length === 0 || this.#waiting.length > 0) return;
    for (const flight of this.#inFlight.values()) if (!flight.abandoned) return;
    const told = this.#idle;
    this.#idle = [];
    for (const resolve of told) resolve();
  }
}

const success: MqttPublishResult = { reasonCode: 0 };
const unknownHint = "it may or may not have been stored: publish again with the same mess-id, or expect a duplicate";

function timedOut(message: string, hint: string): MessError {
  return new MessError("TIMEOUT", message, { hint });
}

function queueFull(waiting: number): MessError {
  return new MessError("QUEUE_FULL", `${waiting} messages wait to be sent already`, {
    hint: "await earlier publishes before making more",
  });
}
