import type { Socket } from "node:net";
import type { Deadline, Deadlines, DeadlineTarget } from "./deadlines.ts";
import type { Peer, Transport, TransportHandler } from "./transport.ts";

/** Where a socket keeps its transport, so that all sockets share the same listener functions. */
const TRANSPORT: unique symbol = Symbol("transport");

interface CarryingSocket extends Socket {
  [TRANSPORT]?: SocketTransport;
}

/** How long `end` waits for the peer to take what was sent and to close its side. */
const END_DEADLINE_MS = 1_000;

/** Hears when a transport is gone, after its handler did. */
export interface TransportOwner {
  transportClosed(transport: Transport): void;
}

/** How the bytes of a socket reach its transport. */
export type Reading = "data-events" | "static-buffer";

/**
 * A transport over a Node socket, plain or TLS. Ten thousand may be idle at once: no timer, no closure and no buffer
 * of its own until the first `send`, and listener functions that all sockets share.
 *
 * open --end()/FIN--> ending --flushed and FIN, or 1 s--> closed
 * open|ending --destroy()/error--> closed
 */
export class SocketTransport implements Transport, DeadlineTarget {
  readonly peer: Peer;
  readonly #socket: CarryingSocket;
  readonly #deadlines: Deadlines;
  #handler: TransportHandler | undefined;
  #owner: TransportOwner | undefined;
  #ending = false;
  #blocked = false;
  #reason: string | undefined;
  #endDeadline: Deadline | undefined;
  /** `done` of each write in flight, oldest first; with `#onWritten` made at the first `send`. */
  #dones: (undefined | (() => void))[] | undefined;
  #onWritten: (() => void) | undefined;

  constructor(socket: Socket, peer: Peer, deadlines: Deadlines) {
    this.#socket = socket;
    this.peer = peer;
    this.#deadlines = deadlines;
  }

  /** Gives the protocol side its bytes from now on. Called once, in the same turn as the constructor. */
  start(handler: TransportHandler, owner: TransportOwner, reading: Reading): void {
    this.#handler = handler;
    this.#owner = owner;
    const socket = this.#socket;
    socket[TRANSPORT] = this;
    socket.on("error", onError);
    socket.on("end", onEnd);
    socket.on("close", onClose);
    if (reading === "data-events") socket.on("data", onData);
  }

  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  send(bytes: Buffer, done?: () => void): void {
    const socket = this.#socket;
    if (this.#ending || socket.destroyed) {
      // The bytes go nowhere, but a pooled buffer must come back; not in this call, whose caller is not done with it.
      if (done !== undefined) process.nextTick(done);
      return;
    }
    this.#dones ??= [];
    this.#onWritten ??= (): void => this.#written();
    this.#dones.push(done);
    socket.write(bytes, this.#onWritten);
    // What the kernel took at once has left `writableLength` by now.
    if (socket.writableLength > 0) this.#blocked = true;
  }

  pause(): void {
    // Once ending, reading goes on (and is thrown away): only so is the peer's FIN seen.
    if (!this.#ending) this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  end(): void {
    this.#beginEnd("ended by the broker");
  }

  destroy(reason: string): void {
    this.#reason ??= reason;
    this.#socket.destroy();
  }

  deadlineReached(): void {
    this.#endDeadline = undefined;
    this.#socket.destroy();
  }

  /** Bytes from the socket; `buffer` is valid during the call only. */
  take(buffer: Buffer, end: number): void {
    if (this.#ending) return;
    this.#handler?.bytes(buffer, 0, end);
  }

  /** @internal For the shared listeners. */
  failed(error: Error & { code?: string }): void {
    this.#reason ??= error.code ?? error.message;
    // A plain socket is gone by now; a TLS socket may report an error and stay.
    this.#socket.destroy();
  }

  /** @internal The peer closed its side: MQTT knows no half-open connection, so ours follows. */
  peerEnded(): void {
    this.#beginEnd("closed by the peer");
  }

  /** @internal */
  closed(): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handler = undefined;
    if (this.#endDeadline !== undefined) this.#deadlines.cancel(this.#endDeadline);
    // Node answers writes it dropped with an error, but not in every state: what is left is given back here.
    for (const done of this.#dones ?? []) done?.();
    this.#dones = [];
    handler.closed(this.#reason ?? "closed");
    this.#owner?.transportClosed(this);
  }

  #beginEnd(reason: string): void {
    if (this.#ending || this.#socket.destroyed) return;
    this.#ending = true;
    this.#reason ??= reason;
    this.#endDeadline = this.#deadlines.start(END_DEADLINE_MS, this);
    // Not destroy: closing a socket with unread bytes resets it, and the peer would lose our last packet.
    this.#socket.end();
    this.#socket.resume();
  }

  #written(): void {
    this.#dones?.shift()?.();
    // Node ends several writes together; not before the last of them is everything gone and every buffer back.
    if (!this.#blocked || this.#dones?.length !== 0 || this.#handler === undefined) return;
    this.#blocked = this.#socket.writableLength > 0;
    if (!this.#blocked && !this.#ending && !this.#socket.destroyed) this.#handler.drained();
  }
}

/** The transport of a socket, for readers that get the socket as `this`. */
export function transportOf(socket: Socket): SocketTransport | undefined {
  return (socket as CarryingSocket)[TRANSPORT];
}

function onData(this: Socket, chunk: Buffer): void {
  transportOf(this)?.take(chunk, chunk.length);
}

function onError(this: Socket, error: Error): void {
  transportOf(this)?.failed(error);
}

function onEnd(this: Socket): void {
  transportOf(this)?.peerEnded();
}

function onClose(this: Socket): void {
  transportOf(this)?.closed();
}
