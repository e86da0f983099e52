import type { Socket } from "node:net";
import { type Acceptor, startAcceptor } from "./acceptor.ts";
import type { Admission } from "./admission.ts";
import type { Deadlines } from "./deadlines.ts";
import type { TransportOwner } from "./socket-transport.ts";
import { openTcp } from "./tcp-transport.ts";
import type { AcceptTransport, Transport } from "./transport.ts";

export interface Listening {
  /** The port that was bound. */
  readonly port: number;
  /** Connections open now. */
  readonly connections: number;
  /** Refuses new connections; those that exist stay. */
  stopAccepting(): void;
  /** Stops accepting and closes what is still open; resolves when the last connection has ended. */
  close(): Promise<void>;
}

export interface ListenOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly admission: Admission;
  readonly deadlines: Deadlines;
  /** Makes the protocol side of each connection. */
  readonly accept: AcceptTransport;
}

/** Listens for plain TCP connections. Only loopback should be given here (`--insecure-dev`). Rejects with `ListenError`. */
export async function listenTcp(options: ListenOptions): Promise<Listening> {
  const connections = new TransportSet(options.admission);
  const acceptor = await startAcceptor({
    host: options.host,
    port: options.port,
    admission: options.admission,
    accepted(socket: Socket, address: string): void {
      const { transport, reading } = openTcp(socket, { address, kind: "tcp" }, options.deadlines);
      connections.add(transport);
      transport.start(options.accept(transport), connections, reading);
      transport.resume();
    },
  });
  return connections.listening(acceptor);
}

/** The open transports of one listener. */
export class TransportSet implements TransportOwner {
  readonly #admission: Admission;
  readonly #transports = new Set<Transport>();
  #emptied: (() => void) | undefined;

  constructor(admission: Admission) {
    this.#admission = admission;
  }

  add(transport: Transport): void {
    this.#transports.add(transport);
  }

  transportClosed(transport: Transport): void {
    this.#transports.delete(transport);
    this.#admission.release(transport.peer.address);
    if (this.#transports.size === 0) this.#emptied?.();
  }

  listening(acceptor: Acceptor): Listening {
    const transports = this.#transports;
    return {
      port: acceptor.port,
      get connections(): number {
        return transports.size;
      },
      stopAccepting: () => acceptor.stop(),
      close: async () => {
        acceptor.stop();
        for (const transport of transports) transport.destroy("the broker stops");
        if (transports.size > 0) await new Promise<void>((resolve) => (this.#emptied = resolve));
      },
    };
  }
}
