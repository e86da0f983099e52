/**
 * What goes to one client, gathered so that there is one write per socket and tick (NODE-LIMITS: 15-50 times cheaper than
 * one per message). Chunks come from a shared pool and are held only while something is in them: idle connections own none.
 */
import type { Transport } from "../../transport.ts";

/** The last is for runs of publishes as long as the shared read buffer, which would otherwise be allocated one by one. */
const chunkSizes = [512, 8 * 1024, 64 * 1024, 256 * 1024] as const;
const pooledPerSize = [2_048, 512, 128, 32] as const;
/** A chunk is sent rather than grown past this. */
const largest: number = chunkSizes[2];

class ChunkPool {
  readonly #free: Buffer[][] = chunkSizes.map(() => []);

  /** A chunk of at least `length` bytes; larger ones than the largest size are not pooled. */
  take(length: number): Buffer {
    for (let i = 0; i < chunkSizes.length; i++) {
      const size = chunkSizes[i] as number;
      if (length <= size) return this.#free[i]?.pop() ?? Buffer.allocUnsafeSlow(size);
    }
    return Buffer.allocUnsafeSlow(length);
  }

  give(chunk: Buffer): void {
    for (let i = 0; i < chunkSizes.length; i++) {
      const list = this.#free[i] as Buffer[];
      if (chunk.length === chunkSizes[i] && list.length < (pooledPerSize[i] as number)) list.push(chunk);
    }
  }
}

const pool: ChunkPool = new ChunkPool();

/** Flushes every output that was written to in this tick. */
export class FlushQueue {
  readonly #soon: (run: () => void) => void;
  #waiting: OutputBuffer[] = [];
  #spare: OutputBuffer[] = [];

  constructor(soon: (run: () => void) => void) {
    this.#soon = soon;
  }

  add(output: OutputBuffer): void {
    if (this.#waiting.length === 0) this.#soon(() => this.#run());
    this.#waiting.push(output);
  }

  #run(): void {
    const outputs = this.#waiting;
    this.#waiting = this.#spare;
    this.#spare = outputs;
    for (const output of outputs) output.flush();
    outputs.length = 0;
  }
}

export class OutputBuffer {
  readonly #transport: Transport;
  readonly #queue: FlushQueue;
  #queued = false;
  /** Where to write after `reserve`. */
  chunk: Buffer | undefined;
  #used = 0;

  constructor(transport: Transport, queue: FlushQueue) {
    this.#transport = transport;
    this.#queue = queue;
  }

  /** Bytes that the kernel does not have yet. */
  get pendingBytes(): number {
    return this.#used + this.#transport.pendingBytes;
  }

  /**
   * True while less than `most` bytes wait. What waits only for the end of the turn is handed over before it counts as
   * too much: a kernel that takes it at once reports no drain, and nobody would be asked again.
   */
  hasRoom(most: number): boolean {
    if (this.pendingBytes < most) return true;
    if (this.#transport.pendingBytes > 0) return false;
    this.flush();
    return this.pendingBytes < most;
  }

  /** Room for exactly `length` bytes at the returned position of `chunk`; the caller writes all of them. */
  reserve(length: number): number {
    let chunk = this.chunk;
    if (chunk === undefined || this.#used + length > chunk.length) chunk = this.#grow(length);
    const at = this.#used;
    this.#used = at + length;
    return at;
  }

  append(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    const at = this.reserve(length);
    Buffer.prototype.copy.call(bytes, this.chunk as Buffer, at, start, end);
  }

  flush(): void {
    this.#queued = false;
    const { chunk } = this;
    if (chunk === undefined || this.#used === 0) return;
    const used = this.#used;
    this.chunk = undefined;
    this.#used = 0;
    this.#transport.send(used === chunk.length ? chunk : chunk.subarray(0, used), () => pool.give(chunk));
  }

  /** Gives up what was not sent. */
  discard(): void {
    if (this.chunk !== undefined) pool.give(this.chunk);
    this.chunk = undefined;
    this.#used = 0;
  }

  #grow(length: number): Buffer {
    const old = this.chunk;
    const wanted = this.#used + length;
    if (old !== undefined && wanted > largest) {
      // Full: it goes out now, and what follows starts a new one.
      this.flush();
      return this.#begin(length);
    }
    if (old === undefined) return this.#begin(length);
    const chunk = pool.take(wanted);
    old.copy(chunk, 0, 0, this.#used);
    pool.give(old);
    this.chunk = chunk;
    return chunk;
  }

  #begin(length: number): Buffer {
    const chunk = pool.take(length);
    this.chunk = chunk;
    if (!this.#queued) {
      this.#queued = true;
      this.#queue.add(this);
    }
    return chunk;
  }
}
