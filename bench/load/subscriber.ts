import type { RecordableHistogram } from "node:perf_hooks";
import { elapsed, microseconds } from "./clock.ts";
import type { Link } from "./link.ts";
import { PacketType } from "./packets.ts";

export interface SubscriberPlan {
  readonly publishers: number;
  readonly qos: 0 | 1;
  /** All messages of a publisher come here, in order: then a gap or a step back is a fault. */
  readonly checkOrder: boolean;
  readonly onProgress: (received: number) => void;
}

/** One connection that receives, acknowledges and keeps account of what came. */
export class Subscriber {
  received = 0;
  /** Sequence numbers that were passed over. */
  gaps = 0;
  /** Came again, or behind a later one. */
  repeated = 0;
  readonly #link: Link;
  readonly #plan: SubscriberPlan;
  readonly #latency: RecordableHistogram | undefined;
  /** The next sequence number expected of each publisher. */
  readonly #next: Uint32Array;
  #acks = Buffer.allocUnsafeSlow(16 * 1024);
  #acksLength = 0;
  #receivedNow = 0;
  #sampled = false;

  constructor(link: Link, plan: SubscriberPlan, latency?: RecordableHistogram) {
    this.#link = link;
    this.#plan = plan;
    this.#latency = latency;
    this.#next = new Uint32Array(plan.publishers);
    link.onPacket = (first, bytes, at): void => {
      if ((first & 0xf0) === PacketType.publish) this.#message(first, bytes, at);
    };
    link.onReadEnd = (): void => this.#readEnd();
  }

  #message(first: number, bytes: Buffer, at: number): void {
    let payload = at + 2 + (((bytes[at] as number) << 8) | (bytes[at + 1] as number));
    if ((first & 0x06) !== 0) {
      this.#acknowledge(bytes[payload] as number, bytes[payload + 1] as number);
      payload += 2;
    }
    this.#receivedNow += 1;
    if (this.#plan.checkOrder) this.#account(read32(bytes, payload + 4), read32(bytes, payload + 8));
    // One reading of the clock a read: the first message of it waited longest.
    if (this.#sampled || this.#latency === undefined) return;
    this.#sampled = true;
    this.#latency.record(Math.max(1, elapsed(read32(bytes, payload), microseconds())));
  }

  #account(publisher: number, sequence: number): void {
    const expected = this.#next[publisher];
    if (expected === undefined) return;
    if (sequence < expected) {
      this.repeated += 1;
      return;
    }
    this.gaps += sequence - expected;
    this.#next[publisher] = sequence + 1;
  }

  #acknowledge(high: number, low: number): void {
    if (this.#acksLength + 4 > this.#acks.length) this.#sendAcks();
    const at = this.#acksLength;
    this.#acks[at] = PacketType.puback;
    this.#acks[at + 1] = 2;
    this.#acks[at + 2] = high;
    this.#acks[at + 3] = low;
    this.#acksLength = at + 4;
  }

  #sendAcks(): void {
    // A copy: the socket may hold these bytes for a while.
    this.#link.write(Buffer.from(this.#acks.subarray(0, this.#acksLength)));
    this.#acksLength = 0;
  }

  #readEnd(): void {
    if (this.#acksLength > 0) this.#sendAcks();
    this.#sampled = false;
    this.received += this.#receivedNow;
    if (this.#receivedNow > 0) this.#plan.onProgress(this.#receivedNow);
    this.#receivedNow = 0;
  }
}

function read32(bytes: Buffer, at: number): number {
  const low = (bytes[at] as number) | ((bytes[at + 1] as number) << 8) | ((bytes[at + 2] as number) << 16);
  return (low | ((bytes[at + 3] as number) << 24)) >>> 0;
}
