import type { Address } from "../mqtt/address.ts";

/** What a transport tells its owner. Each is called on a fresh stack, never from inside `write`. */
export interface TransportEvents {
  /** The bytes are valid only during the call. */
  data(bytes: Uint8Array, start: number, end: number): void;
  /** The transport takes bytes again after `write` returned false. */
  drain(): void;
  /** Once, last. `error` is absent after an orderly end. */
  closed(error?: Error): void;
}

/** An ordered stream of bytes to the server. TCP and TLS in Node now; a WebSocket fits the same six verbs. */
export interface Transport {
  /** Takes the bytes over: the caller must not change them. False asks to wait for `drain`. */
  write(bytes: Uint8Array): boolean;
  /** Stops `data` (the peer is slowed by the network's own flow control). */
  pause(): void;
  resume(): void;
  /** Sends what is queued, then ends. */
  end(): void;
  /** Ends at once and forgets what is queued. */
  destroy(): void;
  /** Keying material of the channel (RFC 9266 `tls-exporter`), 32 bytes; undefined without TLS 1.3. Absent where it cannot be had. */
  channelBinding?(): Uint8Array | undefined;
}

/** PEM, or who is asked for it before each connection: certificates are renewed while programs run. */
export type Pem = string | Uint8Array | (() => string | Uint8Array | Promise<string | Uint8Array>);

export interface TransportOptions {
  readonly address: Address;
  /** PEM of the only certificates to trust; the system's when absent. */
  readonly ca: string | Uint8Array | undefined;
  /** Name to ask for and to expect in the certificate, when it is not the address's host. */
  readonly serverName: string | undefined;
  /** Certificate to show, and its private key. */
  readonly cert?: Pem | undefined;
  readonly key?: Pem | undefined;
  readonly signal: AbortSignal;
}

/** Resolves once bytes can be written; rejects with a MessError. The events begin after that. */
export type OpenTransport = (options: TransportOptions, events: TransportEvents) => Promise<Transport>;
