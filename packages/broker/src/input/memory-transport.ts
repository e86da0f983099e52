import type { AcceptTransport, Peer, Transport, TransportHandler } from "./transport.ts";

/** What the pipe tells the client's side. Each is called from the event loop, never from inside `write`. */
export interface MemoryClientEvents {
  /** The bytes are valid only during the call. */
  data(bytes: Uint8Array, start: number, end: number): void;
  /** `write` returned false, and now takes bytes again. */
  drain(): void;
  /** Once, last. */
  closed(error?: Error): void;
}

/** The client's side of the pipe. */
export interface MemoryClientEnd {
  /** Takes the bytes over. False asks to wait for `drain`. */
  write(bytes: Uint8Array): boolean;
  pause(): void;
  resume(): void;
  end(): void;
  destroy(): void;
}

export interface MemoryPipeOptions {
  readonly accept: AcceptTransport;
  readonly peer: Peer;
  readonly events: MemoryClientEvents;
  /** Runs it from the event loop, in order. */
  readonly soon: (run: () => void) => void;
  /** Both sides know that it is over. */
  readonly closed: () => void;
}

/** Bytes of the client that wait before it is asked to wait: about what a kernel would buffer. */
const HIGH_WATER_BYTES = 256 * 1_024;

interface Waiting {
  readonly bytes: Buffer;
  readonly done: (() => void) | undefined;
}

/**
 * A connection without a network, between a client and the broker in the same process: ordered bytes, back-pressure
 * both ways, and an end, as a socket has them. Nothing is copied on the way.
 *
 * open --end()--> draining --all taken--> closed
 * open|draining --destroy()--> closed
 */
export class MemoryTransport implements Transport {
  readonly peer: Peer;
  readonly #options: MemoryPipeOptions;
  readonly #handler: TransportHandler;
  // The broker has bounds of its own, of any size: it hears each time that everything is out.
  readonly #toClient = new Flow(1, (bytes) => this.#options.events.data(bytes, 0, bytes.length));
  readonly #toBroker = new Flow(HIGH_WATER_BYTES, (bytes) => this.#handler.bytes(bytes, 0, bytes.length));
  #planned = false;
  #state: "open" | "draining" | "closed" = "open";
  #reason = "closed";

  constructor(options: MemoryPipeOptions) {
    this.#options = options;
    this.peer = options.peer;
    this.#handler = options.accept(this);
  }

  /** For the client. */
  get clientEnd(): MemoryClientEnd {
    return {
      write: (bytes) => this.#clientWrites(bytes),
      pause: () => this.#toClient.pause(true),
      resume: () => {
        this.#toClient.pause(false);
        this.#plan();
      },
      end: () => this.#end("closed by the client"),
      destroy: () => this.destroy("closed by the client"),
    };
  }

  get pendingBytes(): number {
    return this.#toClient.waitingBytes;
  }

  send(bytes: Buffer, done?: () => void): void {
    if (this.#state !== "open") {
      if (done !== undefined) this.#options.soon(done);
      return;
    }
    this.#toClient.push({ bytes, done });
    this.#plan();
  }

  pause(): void {
    this.#toBroker.pause(true);
  }

  resume(): void {
    this.#toBroker.pause(false);
    this.#plan();
  }

  end(): void {
    this.#end("ended by the broker");
  }

  destroy(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#reason = reason;
    this.#toBroker.clear();
    const unsent = this.#toClient.clear();
    this.#options.soon(() => {
      for (const { done } of unsent) done?.();
      this.#handler.closed(this.#reason);
      this.#options.events.closed();
      this.#options.closed();
    });
  }

  #clientWrites(bytes: Uint8Array): boolean {
    if (this.#state !== "open") return true;
    this.#toBroker.push({ bytes: Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength), done: undefined });
    this.#plan();
    return this.#toBroker.hasRoom;
  }

  /** What was sent before still arrives; on the other way nothing more is taken from a client that has gone. */
  #end(reason: string): void {
    if (this.#state !== "open") return;
    this.#state = "draining";
    this.#reason = reason;
    // Whoever closes does not read on: a reader that paused must not keep the connection for ever.
    this.#toClient.pause(false);
    this.#toBroker.pause(false);
    this.#plan();
  }

  #plan(): void {
    if (this.#planned || this.#state === "closed") return;
    this.#planned = true;
    this.#options.soon(this.#run);
  }

  readonly #run = (): void => {
    this.#planned = false;
    const brokerMayWrite = this.#toClient.run();
    const clientMayWrite = this.#toBroker.run();
    if (this.#state === "open") {
      if (brokerMayWrite) this.#handler.drained();
      if (clientMayWrite) this.#options.events.drain();
    }
    if (this.#state === "draining" && this.#toClient.isEmpty && this.#toBroker.isEmpty) this.destroy(this.#reason);
    else if (this.#toClient.hasWork || this.#toBroker.hasWork) this.#plan();
  };
}

/** One direction. */
class Flow {
  readonly #highWaterBytes: number;
  readonly #take: (bytes: Buffer) => void;
  #waiting: Waiting[] = [];
  #paused = false;
  #wasFull = false;
  waitingBytes = 0;

  constructor(highWaterBytes: number, take: (bytes: Buffer) => void) {
    this.#highWaterBytes = highWaterBytes;
    this.#take = take;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  get hasWork(): boolean {
    return !this.#paused && this.#waiting.length > 0;
  }

  get hasRoom(): boolean {
    return this.waitingBytes < this.#highWaterBytes;
  }

  push(entry: Waiting): void {
    this.#waiting.push(entry);
    this.waitingBytes += entry.bytes.length;
    if (!this.hasRoom) this.#wasFull = true;
  }

  pause(paused: boolean): void {
    this.#paused = paused;
  }

  clear(): readonly Waiting[] {
    const left = this.#waiting;
    this.#waiting = [];
    this.waitingBytes = 0;
    return left;
  }

  /**
   * Hands over what waits now, until the reader pauses or the connection is destroyed. True when the writer was asked
   * to wait and everything is out.
   */
  run(): boolean {
    for (let left = this.#waiting.length; left > 0 && this.hasWork; left--) {
      const { bytes, done } = this.#waiting.shift() as Waiting;
      this.waitingBytes -= bytes.length;
      this.#take(bytes);
      done?.();
    }
    if (!this.#wasFull || this.waitingBytes > 0) return false;
    this.#wasFull = false;
    return true;
  }
}
