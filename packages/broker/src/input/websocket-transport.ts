import type { Socket } from "node:net";
import type { WebSocket } from "ws";
import type { Deadline, Deadlines, DeadlineTarget } from "./deadlines.ts";
import type { TransportOwner } from "./socket-transport.ts";
import type { Peer, Transport, TransportHandler } from "./transport.ts";

/** Where a WebSocket and its socket keep their transport, so that all share the same listener functions. */
const TRANSPORT: unique symbol = Symbol("transport");

interface Carrying {
  [TRANSPORT]?: WebSocketTransport;
}

export interface WebSocketTransportOptions {
  readonly peer: Peer;
  readonly deadlines: Deadlines;
  /** Bytes a frame in progress may hold before the client was let in. */
  readonly heldBytesMax: number;
}

/** How long `end` waits for the closing handshake. */
const END_DEADLINE_MS = 1_000;
/** RFC 6455, 7.4.1. */
const CLOSE_NORMAL = 1_000;
const CLOSE_UNSUPPORTED_DATA = 1_003;

/**
 * A transport over a WebSocket: the payloads of its binary frames are one byte stream, whatever the frames are
 * [MQTT-6.0.0-2]. A text frame closes the connection [MQTT-6.0.0-1].
 */
export class WebSocketTransport implements Transport, DeadlineTarget {
  readonly peer: Peer;
  readonly #webSocket: WebSocket;
  readonly #socket: Socket;
  readonly #deadlines: Deadlines;
  readonly #heldBytesMax: number;
  #handler: TransportHandler | undefined;
  #owner: TransportOwner | undefined;
  #ending = false;
  #blocked = false;
  #reason: string | undefined;
  #endDeadline: Deadline | undefined;
  readonly #dones: (undefined | (() => void))[] = [];
  readonly #onWritten = (): void => this.#written();
  /** Until the client is let in: bytes of the frame in progress, and whether reading stopped because of them. */
  #held = 0;
  #holding = false;
  #paused = false;

  constructor(webSocket: WebSocket, socket: Socket, options: WebSocketTransportOptions) {
    this.#webSocket = webSocket;
    this.#socket = socket;
    this.peer = options.peer;
    this.#deadlines = options.deadlines;
    this.#heldBytesMax = options.heldBytesMax;
  }

  /** Gives the protocol side its bytes from now on. Called once, in the same turn as the constructor. */
  start(handler: TransportHandler, owner: TransportOwner): void {
    this.#handler = handler;
    this.#owner = owner;
    (this.#webSocket as Carrying)[TRANSPORT] = this;
    (this.#socket as Carrying)[TRANSPORT] = this;
    this.#webSocket.on("message", onMessage).on("error", onError).on("close", onClose);
    // Before the library's own listener: what arrives is counted, then a whole frame ends the count.
    this.#socket.prependListener("data", onSocketData);
  }

  get pendingBytes(): number {
    return this.#webSocket.bufferedAmount;
  }

  send(bytes: Buffer, done?: () => void): void {
    if (this.#ending || this.#webSocket.readyState !== this.#webSocket.OPEN) {
      if (done !== undefined) process.nextTick(done);
      return;
    }
    this.#dones.push(done);
    // A server does not mask: the buffer goes to the socket as it is, and is ours again when the write is done.
    this.#webSocket.send(bytes, { binary: true }, this.#onWritten);
    if (this.#webSocket.bufferedAmount > 0) this.#blocked = true;
  }

  pause(): void {
    if (this.#ending) return;
    this.#paused = true;
    this.#webSocket.pause();
  }

  resume(): void {
    this.#paused = false;
    if (!this.#holding) this.#webSocket.resume();
  }

  /** Its CONNECT was whole; from here on the protocol side does the budget. */
  letIn(): void {
    this.#socket.removeListener("data", onSocketData);
    this.#releaseHold();
  }

  end(): void {
    this.#close(CLOSE_NORMAL, "ended by the broker");
  }

  destroy(reason: string): void {
    this.#reason ??= reason;
    this.#webSocket.terminate();
  }

  deadlineReached(): void {
    this.#endDeadline = undefined;
    this.#webSocket.terminate();
  }

  /** @internal For the shared listeners. */
  took(data: Buffer, isBinary: boolean): void {
    this.#held = 0;
    if (this.#ending) return;
    this.#releaseHold();
    if (isBinary) this.#handler?.bytes(data, 0, data.length);
    else this.#close(CLOSE_UNSUPPORTED_DATA, "text frame");
  }

  /**
   * @internal Raw bytes of the socket. The library gathers a frame before it gives it to us, so a client that has
   * shown no credential could make us hold a whole packet: it is read no further (THREATS A1). One that has not sent a whole CONNECT by then meets the CONNECT deadline.
   */
  arrived(length: number): void {
    this.#held += length;
    if (this.#held <= this.#heldBytesMax || this.#holding) return;
    this.#holding = true;
    this.#webSocket.pause();
  }

  /** @internal */
  failed(error: Error & { code?: string }): void {
    this.#reason ??= error.code ?? error.message;
  }

  /** @internal */
  closed(code: number): void {
    const handler = this.#handler;
    if (handler === undefined) return;
    this.#handler = undefined;
    if (this.#endDeadline !== undefined) this.#deadlines.cancel(this.#endDeadline);
    for (const done of this.#dones.splice(0)) done?.();
    handler.closed(this.#reason ?? `closed by the peer (${code})`);
    this.#owner?.transportClosed(this);
  }

  #releaseHold(): void {
    if (!this.#holding) return;
    this.#holding = false;
    if (!this.#paused) this.#webSocket.resume();
  }

  #close(code: number, reason: string): void {
    if (this.#ending || this.#handler === undefined) return;
    this.#ending = true;
    this.#reason ??= reason;
    this.#endDeadline = this.#deadlines.start(END_DEADLINE_MS, this);
    this.#webSocket.close(code);
    // The peer's close frame is seen only by reading.
    this.#webSocket.resume();
  }

  #written(): void {
    this.#dones.shift()?.();
    if (!this.#blocked || this.#dones.length > 0 || this.#handler === undefined) return;
    this.#blocked = this.#webSocket.bufferedAmount > 0;
    if (!this.#blocked && !this.#ending) this.#handler.drained();
  }
}

function onMessage(this: WebSocket, data: unknown, isBinary: boolean): void {
  (this as Carrying)[TRANSPORT]?.took(data as Buffer, isBinary);
}

function onSocketData(this: Socket, chunk: Buffer): void {
  (this as Carrying)[TRANSPORT]?.arrived(chunk.length);
}

function onError(this: WebSocket, error: Error): void {
  (this as Carrying)[TRANSPORT]?.failed(error);
}

function onClose(this: WebSocket, code: number): void {
  (this as Carrying)[TRANSPORT]?.closed(code);
}
