import type { SimulatedHost } from "../../packages/broker/src/host/simulated-host.ts";
import type { SeededRandom } from "../../packages/broker/src/host/simulated-random.ts";
import type { Peer, Transport, TransportHandler } from "../../packages/broker/src/input/transport.ts";

/** What the client's end of a pipe tells its owner. */
export interface PipeClient {
  received(bytes: Buffer): void;
  closed(): void;
}

interface Outgoing {
  readonly bytes: Buffer;
  /** The bytes as they were given: a change before they are taken is a bug of the sender. */
  readonly copy: Buffer;
  taken: number;
  readonly done: (() => void) | undefined;
}

/**
 * A connection between a simulated client and the broker: bytes arrive late, in random pieces and in order; the
 * kernel's buffer towards the client is bounded; either side, or the network, may end it.
 */
export class Pipe implements Transport {
  readonly peer: Peer;
  readonly #sim: SimulatedHost;
  readonly #random: SeededRandom;
  readonly #client: PipeClient;
  readonly #bufferBytes: number;
  #handler: TransportHandler | undefined;
  #incarnation: number;
  #open = true;
  #serverKnowsClosed = false;
  #paused = false;
  #ending = false;
  // towards the server
  #toServer: { bytes: Buffer; at: number; arrived: (() => void) | undefined }[] = [];
  #serverBusyUntil = 0;
  #pumpPlanned = false;
  // towards the client
  readonly #queue: Outgoing[] = [];
  #pending = 0;
  #inKernel: Buffer[] = [];
  #inKernelBytes = 0;
  #clientReads = true;
  #clientPlanned = false;

  constructor(sim: SimulatedHost, random: SeededRandom, address: string, client: PipeClient) {
    this.#sim = sim;
    this.#random = random;
    this.#client = client;
    this.#incarnation = sim.incarnation;
    this.#bufferBytes = random.pick([2_048, 16_384, 65_536]);
    this.peer = { address, kind: "simulated" };
  }

  /** Binds the protocol side; called once. */
  attach(handler: TransportHandler): void {
    this.#handler = handler;
  }

  get isOpen(): boolean {
    return this.#open;
  }

  get pendingBytes(): number {
    return this.#pending;
  }

  send(bytes: Buffer, done?: () => void): void {
    if (!this.#alive() || this.#ending) return;
    if (!this.#open) {
      // The peer is gone and the broker does not know yet: the kernel takes the bytes for nothing.
      if (done !== undefined && !this.#serverKnowsClosed) this.#later(done);
      return;
    }
    this.#queue.push({ bytes, copy: Buffer.from(bytes), taken: 0, done });
    this.#pending += bytes.length;
    this.#fillKernel(false);
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#planServer();
  }

  end(): void {
    if (!this.#open || this.#ending) return;
    this.#ending = true;
    this.#toServer = [];
    if (this.#pending === 0 && this.#inKernelBytes === 0) this.#finish("ended", 20);
    else this.#sim.schedule(500, () => this.#finish("ended after its deadline", 0));
  }

  destroy(reason: string): void {
    this.#finish(reason, this.#random.below(200));
  }

  // ---- the client's side

  /** `arrived` is called when the broker's handler has taken the last of the bytes. */
  clientSend(bytes: Buffer, arrived?: () => void): void {
    if (!this.#open) return;
    for (let at = 0; at < bytes.length; ) {
      const rest = bytes.length - at;
      const length = this.#random.chance(0.8) ? rest : this.#random.between(1, rest);
      const last = at + length === bytes.length;
      const delay = this.#random.between(20, 300);
      this.#serverBusyUntil = Math.max(this.#serverBusyUntil, this.#sim.now + delay);
      const piece = {
        bytes: bytes.subarray(at, at + length),
        at: this.#serverBusyUntil,
        arrived: last ? arrived : undefined,
      };
      this.#toServer.push(piece);
      at += length;
    }
    this.#planServer();
  }

  /**
   * The client or the network ends the connection; the client's `closed` is not called back. `told` runs when the
   * broker has learned it; bytes that were under way arrive before.
   */
  cut(told?: () => void): void {
    if (!this.#open) return;
    this.#open = false;
    const after = Math.max(0, this.#serverBusyUntil - this.#sim.now) + this.#random.between(20, 400);
    this.#sim.schedule(after / 1_000, () => {
      if (this.#tellServer("connection reset")) told?.();
    });
  }

  /** The client goes silent: no byte passes any more and the broker is not told. */
  vanish(): void {
    this.#open = false;
  }

  /** A client that does not read fills the kernel's buffer, then the broker's. */
  setReading(reads: boolean): void {
    this.#clientReads = reads;
    if (reads) this.#planClient();
  }

  /** The machine stopped: what its kernel still held may reach the client, then the connection ends. */
  machineStopped(how: "crash" | "kill"): void {
    if (!this.#open) return;
    this.#open = false;
    this.#queue.length = 0;
    const left = Buffer.concat(this.#inKernel);
    const sent = how === "kill" ? left.length : this.#random.below(left.length + 1);
    this.#inKernel = [];
    this.#sim.schedule(this.#random.between(20, 400) / 1_000, () => {
      if (sent > 0) this.#client.received(left.subarray(0, sent));
      this.#client.closed();
    });
  }

  // ---- both

  #alive(): boolean {
    return this.#incarnation === this.#sim.incarnation;
  }

  #planServer(): void {
    const first = this.#toServer[0];
    if (first === undefined || this.#pumpPlanned || this.#paused) return;
    this.#pumpPlanned = true;
    this.#sim.schedule((first.at - this.#sim.now) / 1_000, () => {
      this.#pumpPlanned = false;
      this.#deliverToServer();
    });
  }

  #deliverToServer(): void {
    if (!this.#alive() || this.#serverKnowsClosed || this.#paused) return;
    const piece = this.#toServer.shift();
    if (piece === undefined) return;
    // The read buffer is shared and reused: what was not copied is overwritten after the call.
    const offset = this.#random.below(16);
    const buffer = Buffer.alloc(piece.bytes.length + offset + 8, 0xee);
    piece.bytes.copy(buffer, offset);
    this.#handler?.bytes(buffer, offset, offset + piece.bytes.length);
    buffer.fill(0xee);
    piece.arrived?.();
    this.#planServer();
  }

  #fillKernel(later: boolean): void {
    while (this.#queue.length > 0 && this.#inKernelBytes < this.#bufferBytes) {
      const first = this.#queue[0] as Outgoing;
      const length = Math.min(first.bytes.length - first.taken, this.#bufferBytes - this.#inKernelBytes);
      const piece = first.copy.subarray(first.taken, first.taken + length);
      if (!first.bytes.subarray(first.taken, first.taken + length).equals(piece)) {
        this.#sim.violations.push("a buffer changed before the transport had taken it");
      }
      this.#inKernel.push(piece);
      this.#inKernelBytes += length;
      this.#pending -= length;
      first.taken += length;
      if (first.taken < first.bytes.length) break;
      this.#queue.shift();
      if (first.done !== undefined) this.#later(first.done);
    }
    if (later && this.#pending === 0) this.#handler?.drained();
    this.#planClient();
  }

  /** Callbacks into the broker come from the event loop, never inside its own call. */
  #later(run: () => void): void {
    this.#sim.schedule(this.#random.below(20) / 1_000, () => {
      if (this.#alive()) run();
    });
  }

  #planClient(): void {
    if (this.#clientPlanned || !this.#clientReads || this.#inKernelBytes === 0) return;
    this.#clientPlanned = true;
    this.#sim.schedule(this.#random.between(20, 300) / 1_000, () => {
      this.#clientPlanned = false;
      this.#deliverToClient();
    });
  }

  #deliverToClient(): void {
    if (!this.#open || !this.#clientReads) return;
    let bytes = Buffer.concat(this.#inKernel);
    let rest: Buffer | undefined;
    if (bytes.length > 1 && this.#random.chance(0.2)) {
      const length = this.#random.between(1, bytes.length - 1);
      rest = bytes.subarray(length);
      bytes = bytes.subarray(0, length);
    }
    this.#inKernel = rest === undefined ? [] : [rest];
    this.#inKernelBytes -= bytes.length;
    this.#client.received(bytes);
    if (!this.#open) return;
    const waited = this.#pending > 0;
    if (this.#alive()) this.#fillKernel(waited);
    if (this.#ending && this.#pending === 0 && this.#inKernelBytes === 0) this.#finish("ended", 0);
  }

  /** The broker ends the connection. */
  #finish(reason: string, delay: number): void {
    this.#toServer = [];
    if (!this.#open) {
      this.#later(() => void this.#tellServer(reason));
      return;
    }
    this.#open = false;
    this.#queue.length = 0;
    this.#pending = 0;
    this.#later(() => void this.#tellServer(reason));
    this.#sim.schedule((delay + 20) / 1_000, () => {
      const left = Buffer.concat(this.#inKernel);
      if (left.length > 0 && this.#clientReads) this.#client.received(left);
      this.#client.closed();
    });
  }

  #tellServer(reason: string): boolean {
    if (this.#serverKnowsClosed || !this.#alive()) return false;
    this.#serverKnowsClosed = true;
    this.#handler?.closed(reason);
    return true;
  }
}
