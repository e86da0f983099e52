import type { TLSSocket } from "node:tls";
import type { Timer, Timers } from "../host/host.ts";

export interface TlsOutputWatchOptions {
  readonly timers: Timers;
  /** Bytes the TLS library may hold for one connection beyond what was written to it. */
  readonly heldBytesMax: number;
  /** A connection was ended because it held more. */
  readonly exceeded: (address: string) => void;
}

/** What `tls` hides: the library's side of a socket. */
interface HiddenSocket {
  readonly _handle?: { readonly writeQueueSize?: unknown } | null;
}

const LOOK_MS = 1_000;

/**
 * Ends TLS connections that make the library hold answers of its own. It answers each KeyUpdate that asks for one (RFC
 * 8446, 4.6.3) at once; for a client that sends them and does not read, the answers pile up where neither we nor the
 * back-pressure of the socket see them, and keep-alive is an hour (THREATS D1, LESSONS 39).
 */
export class TlsOutputWatch {
  readonly #options: TlsOutputWatchOptions;
  /** Those that have closed leave at the next look: a listener for each would cost ten thousand idle ones an array. */
  readonly #sockets = new Set<TLSSocket>();
  #timer: Timer | undefined;

  constructor(options: TlsOutputWatchOptions) {
    this.#options = options;
  }

  add(socket: TLSSocket): void {
    this.#sockets.add(socket);
    this.#timer ??= this.#options.timers.after(LOOK_MS, () => this.#look());
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sockets.clear();
  }

  #look(): void {
    for (const socket of this.#sockets) {
      if (socket.destroyed) this.#sockets.delete(socket);
      else if (heldBytes(socket) - socket.writableLength > this.#options.heldBytesMax) this.#end(socket);
    }
    this.#timer = undefined;
    if (this.#sockets.size > 0) this.#timer = this.#options.timers.after(LOOK_MS, () => this.#look());
  }

  #end(socket: TLSSocket): void {
    this.#sockets.delete(socket);
    this.#options.exceeded(socket.remoteAddress ?? "");
    socket.destroy();
  }
}

/** Encrypted bytes that wait for the kernel; 0 where Node does not tell. */
function heldBytes(socket: TLSSocket): number {
  const size = (socket as unknown as HiddenSocket)._handle?.writeQueueSize;
  return typeof size === "number" ? size : 0;
}
