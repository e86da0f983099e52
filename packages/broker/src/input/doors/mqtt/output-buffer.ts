/**
 * What goes to one client, gathered so that there is one write per socket and tick (NODE-LIMITS: 15-50 times cheaper than
 * one per message). Chunks come from a shared pool and are held only while something is in them: idle connections own none.
 */
import type { Transport } from "../../transport.ts";
import type { OutputBudget } from "./output-budget.ts";

/** The last is for runs of publishes as long as the shared read buffer, which would otherwise be allocated one by one. */
const chunkSizes = [512, 2 * 1024, 8 * 1024, 32 * 1024, 64 * 1024, 256 * 1024] as const;
const pooledPerSize = [2_048, 1_024, 512, 128, 64, 16] as const;
/** A chunk is sent rather than grown past this. */
const largest: number = chunkSizes[4];
/** Writes of more than `small` in one turn of the loop. A fan-out to thousands must not hold up who only waits for an answer. */
const largePerTurn = 128;
const small: number = chunkSizes[0];

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

  /** An eighth of what is free. */
  release(): void {
    for (const list of this.#free) list.length -= Math.ceil(list.length / 8);
  }

  give(chunk: Buffer): void {
    for (let i = 0; i < chunkSizes.length; i++) {
      const list = this.#free[i] as Buffer[];
      if (chunk.length === chunkSizes[i] && list.length < (pooledPerSize[i] as number)) list.push(chunk);
    }
  }
}

const pool: ChunkPool = new ChunkPool();

/** To be called now and then: chunks that a busy time left behind are given up little by little. */
export function releaseChunks(): void {
  pool.release();
}

/** Flushes every output that was written to in this turn: small ones now, large ones some each turn. */
export class FlushQueue {
  readonly #soon: (run: () => void) => void;
  #waiting: OutputBuffer[] = [];
  #spare: OutputBuffer[] = [];
  #isDue = false;
  readonly #large: OutputBuffer[] = [];
  /** Of `#large`: before it they are dealt with. */
  #next = 0;

  constructor(soon: (run: () => void) => void) {
    this.#soon = soon;
  }

  add(output: OutputBuffer): void {
    this.#waiting.push(output);
    this.#runSoon();
  }

  #runSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    this.#soon(() => this.#run());
  }

  #run(): void {
    const outputs = this.#waiting;
    this.#waiting = this.#spare;
    this.#spare = outputs;
    this.#isDue = false;
    for (const output of outputs) {
      if (output.gatheredBytes > small) this.#large.push(output);
      else output.endTurn();
    }
    outputs.length = 0;
    const end = Math.min(this.#large.length, this.#next + largePerTurn);
    for (; this.#next < end; this.#next++) this.#large[this.#next]?.endTurn();
    if (end < this.#large.length) return this.#runSoon();
    this.#large.length = 0;
    this.#next = 0;
  }
}

export class OutputBuffer {
  readonly #transport: Transport;
  readonly #queue: FlushQueue;
  readonly #budget: OutputBudget;
  #queued = false;
  /** Memory of what is being written and of what waits. */
  #held = 0;
  /** Where to write after `reserve`. */
  chunk: Buffer | undefined;
  #used = 0;

  constructor(transport: Transport, queue: FlushQueue, budget: OutputBudget) {
    this.#transport = transport;
    this.#queue = queue;
    this.#budget = budget;
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

  /** Of those that wait, what was not handed over. */
  get gatheredBytes(): number {
    return this.#used;
  }

  /** The kernel took everything: what gathered meanwhile follows, in its turn. */
  drained(): void {
    if (this.#used > 0) this.#enqueue();
  }

  /**
   * The turn is over. While the kernel has not taken what came before, more is gathered and goes out when it has: many
   * small writes in a row would each hold a chunk of their own.
   */
  endTurn(): void {
    this.#queued = false;
    if (this.#transport.pendingBytes === 0) this.flush();
  }

  flush(): void {
    const { chunk } = this;
    if (chunk === undefined || this.#used === 0) return;
    const used = this.#used;
    this.chunk = undefined;
    this.#used = 0;
    this.#transport.send(used === chunk.length ? chunk : chunk.subarray(0, used), () => this.#give(chunk));
  }

  /** Gives up what was not sent. */
  discard(): void {
    if (this.chunk !== undefined) this.#give(this.chunk);
    this.chunk = undefined;
    this.#used = 0;
  }

  #take(length: number): Buffer {
    const chunk = pool.take(length);
    this.#budget.take(chunk.length, this.#held === 0);
    this.#held += chunk.length;
    return chunk;
  }

  #give(chunk: Buffer): void {
    this.#held -= chunk.length;
    this.#budget.give(chunk.length, this.#held === 0);
    pool.give(chunk);
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
    const chunk = this.#take(wanted);
    old.copy(chunk, 0, 0, this.#used);
    this.#give(old);
    this.chunk = chunk;
    return chunk;
  }

  #begin(length: number): Buffer {
    const chunk = this.#take(length);
    this.chunk = chunk;
    this.#enqueue();
    return chunk;
  }

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#queue.add(this);
  }
}
