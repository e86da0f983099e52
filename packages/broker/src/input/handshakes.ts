import type { Socket } from "node:net";
import type { Server } from "node:tls";
import type { Limits } from "../config/limits.ts";
import type { Admission } from "./admission.ts";
import type { Deadline, Deadlines, DeadlineTarget } from "./deadlines.ts";

export interface HandshakesOptions {
  /** Does the handshakes; it does not listen itself. */
  readonly server: Server;
  readonly admission: Admission;
  readonly deadlines: Deadlines;
  readonly limits: Limits;
}

/** A handshake that has had so long gives way when places are short. */
const givesWayMs = 1_000;

/**
 * Bounds the TLS handshakes of one listener in number and in time. Node's own handshake timeout starts anew with
 * each byte, so one byte every few seconds would hold a place for ever (THREATS A1); ours counts from accept.
 */
export class Handshakes {
  readonly #options: HandshakesOptions;
  /** By address and port of both ends: all that the accepted socket and its TLS socket have in common. */
  readonly #running = new Map<string, Handshake>();

  constructor(options: HandshakesOptions) {
    this.#options = options;
    options.server.prependListener("secureConnection", (socket) => this.#running.get(endsOf(socket))?.done());
    // Plain text on a TLS port, no common version, a client that does not trust us: closing is all there is to say.
    options.server.on("tlsClientError", (_error, socket) => void socket.destroy());
  }

  /** Starts the handshake on an accepted socket, or closes it when too many are under way. `address`: as it was admitted. */
  begin(socket: Socket, address: string): void {
    const { server, admission, deadlines, limits } = this.#options;
    if (admission.areHandshakesFull) this.#makeRoom();
    if (!admission.startHandshake(address)) {
      socket.destroy();
      return;
    }
    const key = endsOf(socket);
    const handshake = new Handshake(socket, { admission, address, forget: () => this.#running.delete(key) });
    this.#running.set(key, handshake);
    handshake.start(deadlines, limits.handshakeDeadlineMs);
    server.emit("connection", socket);
  }

  /**
   * A flood of handshakes that nobody finishes takes every place for as long as the deadline is. Whoever has had the time
   * of several round trips gives way then, so that one that will be finished has a chance.
   */
  #makeRoom(): void {
    const [oldest] = this.#running.values();
    if (oldest === undefined || this.#options.admission.now() - oldest.startedAt < givesWayMs) return;
    oldest.giveWay();
  }

  destroyAll(): void {
    for (const handshake of this.#running.values()) handshake.destroy();
  }
}

interface HandshakeParts {
  readonly admission: Admission;
  readonly address: string;
  forget(): void;
}

class Handshake implements DeadlineTarget {
  readonly #socket: Socket;
  readonly #admission: Admission;
  readonly #parts: HandshakeParts;
  /** Monotonic milliseconds. */
  readonly startedAt: number;
  readonly #onClose = (): void => this.#closed();
  #deadlines: Deadlines | undefined;
  #deadline: Deadline | undefined;

  constructor(socket: Socket, parts: HandshakeParts) {
    this.#socket = socket;
    this.#admission = parts.admission;
    this.#parts = parts;
    this.startedAt = parts.admission.now();
  }

  start(deadlines: Deadlines, milliseconds: number): void {
    this.#deadlines = deadlines;
    this.#deadline = deadlines.start(milliseconds, this);
    this.#socket.on("close", this.#onClose);
  }

  done(): void {
    if (this.#deadline !== undefined) this.#deadlines?.cancel(this.#deadline);
    this.#socket.removeListener("close", this.#onClose);
    this.#admission.endHandshake(this.#parts.address);
    this.#parts.forget();
  }

  /** Its place is free when this returns. */
  giveWay(): void {
    this.#admission.counters.limitHit("handshakes");
    this.done();
    this.#socket.destroy();
  }

  deadlineReached(): void {
    this.#deadline = undefined;
    this.#admission.counters.limitHit("handshake_deadline");
    this.#socket.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #closed(): void {
    // Without a deadline it was ours that fell due, and is counted as that.
    if (this.#deadline !== undefined) this.#admission.counters.handshakeFailed();
    this.done();
  }
}

function endsOf(socket: Socket): string {
  return `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress}`;
}
