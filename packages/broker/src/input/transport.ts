import type { Presented } from "../model/authentication.ts";

/**
 * One byte stream to a client, whatever carries it (TCP, TLS, WebSocket, a simulated pipe). A door owns the
 * protocol on top; the transport owns the socket. Both are told of each other once, by `TransportHandler`.
 */

export interface Peer extends Presented {
  /** Textual address without port, for limits and audit. */
  readonly address: string;
  /** `tcp` is plain and exists only on loopback in `--insecure-dev`; `memory` is a client in the broker's own process. */
  readonly kind: "tcp" | "tls" | "websocket" | "websocket-tls" | "memory" | "simulated";
  /** Of `memory`: who the client is. The process that embeds the broker vouches for it, so it shows no credential. */
  readonly principal?: string;
}

export interface TransportHandler {
  /** Bytes arrived. `buffer` is shared by all connections: it is valid only during the call. */
  bytes(buffer: Buffer, start: number, end: number): void;
  /** `pendingBytes` fell to zero after a write that the kernel did not take at once. */
  drained(): void;
  /** The stream is gone; called exactly once, after which nothing else is. `reason` is for logs. */
  closed(reason: string): void;
}

export interface Transport {
  readonly peer: Peer;
  /** Bytes handed to `send` that the kernel has not taken yet. */
  readonly pendingBytes: number;
  /** Sends `bytes`; the transport reads the buffer until it calls `done`, so a pooled buffer may be reused then. */
  send(bytes: Buffer, done?: () => void): void;
  /** Stops and resumes reading. Idempotent. */
  pause(): void;
  resume(): void;
  /** The client was let in: it may send more at a time than a CONNECT. Not all transports ask. */
  letIn?(): void;
  /** Closes after what was sent has been delivered, or after a short deadline. */
  end(): void;
  /** Closes at once. */
  destroy(reason: string): void;
}

/** Makes the protocol side of a new connection. */
export type AcceptTransport = (transport: Transport) => TransportHandler;
