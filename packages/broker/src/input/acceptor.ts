import { createServer, type Server, type Socket } from "node:net";
import type { Admission } from "./admission.ts";

export interface AcceptorOptions {
  readonly host: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly admission: Admission;
  /** Accepted sockets do not read until they are resumed. */
  readonly paused: boolean;
  /** An admitted socket. Whoever takes it calls `admission.release(address)` once it is closed. */
  readonly accepted: (socket: Socket, address: string) => void;
}

export interface Acceptor {
  /** The port that was bound. */
  readonly port: number;
  /** Refuses new connections from now on; those that exist stay. Idempotent. */
  stop(): void;
}

/** The operating system would not let us listen. The message names address, cause and what to do. */
class ListenError extends Error {
  /** Name of the errno. */
  readonly code: string;
  /** 77 is not permitted, 78 configuration, 74 any other failure (DESIGN section 8). */
  readonly exitCode: number;

  constructor(code: string, message: string) {
    super(message);
    this.name = "ListenError";
    this.code = code;
    this.exitCode = exitCodes[code] ?? 74;
  }
}

const exitCodes: Readonly<Record<string, number>> = { EACCES: 77, EADDRNOTAVAIL: 78, ENOTFOUND: 78 };

/** Connections the kernel may queue for us; it caps the figure itself (`net.core.somaxconn`). */
const BACKLOG = 4_096;
/** Idle time after which the kernel asks whether the peer still lives; for clients without MQTT keep alive. */
const TCP_KEEP_ALIVE_MS = 60_000;

/** Accepts sockets and closes at once those that admission refuses: a full broker never stops accepting (THREATS A1). */
export function startAcceptor(options: AcceptorOptions): Promise<Acceptor> {
  const { host, port, admission } = options;
  const server = createServer({
    pauseOnConnect: options.paused,
    noDelay: true,
    keepAlive: true,
    keepAliveInitialDelay: TCP_KEEP_ALIVE_MS,
  });
  server.on("connection", (socket) => {
    // Without an address the peer has gone already. IPv4 stays IPv4 also where the listener is of IPv6.
    const address = socket.remoteAddress?.replace(/^::ffff:(?=\d+\.)/i, "");
    if (address === undefined || !admission.admit(address)) {
      socket.on("error", ignore);
      socket.destroy();
      return;
    }
    options.accepted(socket, address);
  });
  return new Promise((resolve, reject) => {
    server.once("error", (error: Error & { code?: string }) => reject(listenError(error, host, port)));
    server.listen({ host, port, backlog: BACKLOG }, () => {
      server.removeAllListeners("error");
      // A failed accept (no descriptors left) costs that connection only.
      server.on("error", () => admission.counters.limitHit("connections"));
      resolve({ port: boundPort(server), stop: () => void server.close() });
    });
  });
}

/** Gives the place of a connection back when its socket closes, whatever layers were put on it. */
export function releaseOnClose(admission: Admission, socket: Socket, address: string): void {
  // Errors are the business of the layer above; one that comes while there is none must not end the process.
  socket.on("error", ignore);
  socket.on("close", () => admission.release(address));
}

function ignore(): void {}

function boundPort(server: Server): number {
  const address = server.address();
  return typeof address === "object" && address !== null ? address.port : 0;
}

function listenError(error: Error & { code?: string }, host: string, port: number): ListenError {
  const code = error.code ?? "UNKNOWN";
  const where = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  const advice: Record<string, string> = {
    EADDRINUSE: "another process listens there; stop it or choose another port (0 picks a free one)",
    EACCES: "ports below 1024 need a privilege; choose a higher one",
    EADDRNOTAVAIL: "this machine has no such address; use one of its own, or 0.0.0.0 for all",
    ENOTFOUND: "the name does not resolve; use an address",
  };
  return new ListenError(code, `cannot listen on ${where}: ${advice[code] ?? error.message} (${code})`);
}
