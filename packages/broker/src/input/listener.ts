import type { Socket } from "node:net";
import { createServer } from "node:tls";
import type { Limits } from "../config/limits.ts";
import { type Acceptor, releaseOnClose, startAcceptor } from "./acceptor.ts";
import type { Admission } from "./admission.ts";
import type { Deadlines } from "./deadlines.ts";
import { Handshakes } from "./handshakes.ts";
import { SocketTransport, type TransportOwner } from "./socket-transport.ts";
import { openTcp } from "./tcp-transport.ts";
import type { ServerTls } from "./tls.ts";
import { TlsPeer } from "./tls-peer.ts";
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
  readonly limits: Limits;
  readonly admission: Admission;
  readonly deadlines: Deadlines;
  /** Makes the protocol side of each connection. */
  readonly accept: AcceptTransport;
}

/** Listens for plain TCP connections. Only loopback should be given here (`--insecure-dev`). Rejects with `ListenError`. */
export async function listenTcp(options: ListenOptions): Promise<Listening> {
  const { admission, deadlines } = options;
  // Not by a listener on the socket: a second one for `close` would cost each idle connection an array.
  const connections = new TransportSet((transport) => admission.release(transport.peer.address));
  const acceptor = await startAcceptor({
    host: options.host,
    port: options.port,
    admission,
    paused: true,
    accepted(socket: Socket, address: string): void {
      const { transport, reading } = openTcp(socket, { address, kind: "tcp" }, deadlines);
      connections.add(transport);
      transport.start(options.accept(transport), connections, reading);
      transport.resume();
    },
  });
  return connections.listening(acceptor, () => {});
}

/** Listens for TLS connections. Rejects with `ListenError`. */
export async function listenTls(options: ListenOptions & { readonly tls: ServerTls }): Promise<Listening> {
  const { admission, deadlines, limits, tls } = options;
  const connections = new TransportSet(() => {});
  const server = createServer(tls.serverOptions);
  const handshakes = new Handshakes({ server, admission, deadlines, limits });
  server.on("secureConnection", (socket) => {
    const address = socket.remoteAddress;
    if (address === undefined) return void socket.destroy();
    const certificate = tls.presented(socket);
    const peer = new TlsPeer(socket, { address, kind: "tls", ...(certificate !== undefined && { certificate }) });
    const transport = new SocketTransport(socket, peer, deadlines);
    connections.add(transport);
    transport.start(options.accept(transport), connections, "data-events");
  });
  const acceptor = await startAcceptor({
    host: options.host,
    port: options.port,
    admission,
    paused: false,
    accepted(socket: Socket, address: string): void {
      releaseOnClose(admission, socket, address);
      handshakes.begin(socket, address);
    },
  });
  tls.attach(server);
  return connections.listening(acceptor, () => {
    tls.detach(server);
    handshakes.destroyAll();
  });
}

/** The open transports of one listener. */
export class TransportSet implements TransportOwner {
  readonly #transports = new Set<Transport>();
  readonly #onClosed: (transport: Transport) => void;
  #emptied: (() => void) | undefined;

  constructor(onClosed: (transport: Transport) => void) {
    this.#onClosed = onClosed;
  }

  add(transport: Transport): void {
    this.#transports.add(transport);
  }

  transportClosed(transport: Transport): void {
    this.#transports.delete(transport);
    this.#onClosed(transport);
    if (this.#transports.size === 0) this.#emptied?.();
  }

  listening(acceptor: Acceptor, onClose: () => void): Listening {
    const transports = this.#transports;
    return {
      port: acceptor.port,
      get connections(): number {
        return transports.size;
      },
      stopAccepting: () => acceptor.stop(),
      close: async () => {
        acceptor.stop();
        onClose();
        for (const transport of transports) transport.destroy("the broker stops");
        if (transports.size > 0) await new Promise<void>((resolve) => (this.#emptied = resolve));
      },
    };
  }
}
