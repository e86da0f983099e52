import type { RecordableHistogram } from "node:perf_hooks";
import { elapsed, microseconds } from "./clock.ts";
import type { Link } from "./link.ts";
import { PacketType, type PublishTemplate } from "./packets.ts";

export interface PublisherPlan {
  /** Written into each payload. */
  readonly index: number;
  /** Used in turn. */
  readonly templates: readonly PublishTemplate[];
  readonly qos: 0 | 1;
  /** Unacknowledged messages at QoS 1. */
  readonly window: number;
  /** Messages in all; undefined goes on until `stop`. */
  readonly count?: number;
  /** How many messages may leave now, over all publishers. */
  readonly room: () => number;
  /** Messages went out or came back acknowledged. */
  readonly onProgress: (sent: number, acknowledged: number) => void;
}

const batchBytes = 64 * 1024;

/** One connection that sends as fast as its window and the room allow: one write for all that may go. */
export class Publisher {
  readonly #link: Link;
  readonly #plan: PublisherPlan;
  readonly #latency: RecordableHistogram | undefined;
  readonly #batch: Buffer;
  readonly #perBatch: number;
  /** Free packet identifiers, 1 to the window, as a stack. */
  readonly #free: Uint16Array;
  #freeCount: number;
  readonly #sentAt: Uint32Array;
  #sequence = 0;
  #next = 0;
  #writing = false;
  #acknowledgedNow = 0;
  #stopped = false;

  constructor(link: Link, plan: PublisherPlan, latency?: RecordableHistogram) {
    this.#link = link;
    this.#plan = plan;
    this.#latency = latency;
    const largest = Math.max(...plan.templates.map((template) => template.bytes.length));
    this.#batch = Buffer.allocUnsafeSlow(Math.max(batchBytes, largest));
    this.#perBatch = Math.floor(this.#batch.length / largest);
    this.#free = Uint16Array.from({ length: plan.window }, (_, index) => plan.window - index);
    this.#freeCount = plan.window;
    this.#sentAt = new Uint32Array(plan.window + 1);
    link.onPacket = (first, bytes, at): void => {
      if ((first & 0xf0) === PacketType.puback)
        this.#acknowledged(((bytes[at] as number) << 8) | (bytes[at + 1] as number));
    };
    link.onReadEnd = (): void => {
      if (this.#acknowledgedNow > 0) plan.onProgress(0, this.#acknowledgedNow);
      this.#acknowledgedNow = 0;
      this.pump();
    };
  }

  /** Sent everything and has everything acknowledged. */
  get isDone(): boolean {
    const allSent = this.#stopped || this.#sequence === this.#plan.count;
    return allSent && !this.#writing && (this.#plan.qos === 0 || this.#freeCount === this.#plan.window);
  }

  get sent(): number {
    return this.#sequence;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Sends what may go. True when messages went out. */
  pump(): boolean {
    if (this.#writing || this.#stopped) return false;
    const { qos, count, room } = this.#plan;
    let allowed = Math.min(this.#perBatch, room());
    if (qos === 1) allowed = Math.min(allowed, this.#freeCount);
    if (count !== undefined) allowed = Math.min(allowed, count - this.#sequence);
    if (allowed <= 0) return false;
    const length = this.#fill(allowed);
    this.#writing = true;
    this.#plan.onProgress(allowed, 0);
    this.#link.write(length === this.#batch.length ? this.#batch : this.#batch.subarray(0, length), this.#onWritten);
    return true;
  }

  readonly #onWritten = (): void => {
    this.#writing = false;
    // Not at once: the callback of a write that did not wait runs before any input is looked at.
    if (this.#plan.qos === 1) setImmediate(() => this.pump());
  };

  #fill(messages: number): number {
    const { templates, qos, index } = this.#plan;
    const batch = this.#batch;
    const now = microseconds();
    let at = 0;
    for (let message = 0; message < messages; message += 1) {
      const template = templates[this.#next] as PublishTemplate;
      if (++this.#next === templates.length) this.#next = 0;
      template.bytes.copy(batch, at);
      if (qos === 1) {
        const packetId = this.#free[--this.#freeCount] as number;
        this.#sentAt[packetId] = now;
        batch[at + template.packetIdAt] = packetId >>> 8;
        batch[at + template.packetIdAt + 1] = packetId;
      }
      const stamp = at + template.payloadAt;
      write32(batch, stamp, now);
      write32(batch, stamp + 4, index);
      write32(batch, stamp + 8, this.#sequence++);
      at += template.bytes.length;
    }
    return at;
  }

  #acknowledged(packetId: number): void {
    this.#free[this.#freeCount++] = packetId;
    this.#acknowledgedNow += 1;
    this.#latency?.record(Math.max(1, elapsed(this.#sentAt[packetId] as number, microseconds())));
  }
}

function write32(bytes: Buffer, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
