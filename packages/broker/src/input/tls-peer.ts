import type { TLSSocket } from "node:tls";
import type { PresentedCertificate } from "../model/authentication.ts";
import type { Peer } from "./transport.ts";

/** RFC 9266 section 4.1. */
const LABEL = "EXPORTER-Channel-Binding";
const LENGTH = 32;
const NO_CONTEXT = Buffer.alloc(0);

/** The other side of a TLS connection. A class, so that ten thousand idle ones have no closures. */
export class TlsPeer implements Peer {
  readonly address: string;
  readonly kind: "tls" | "websocket-tls";
  readonly certificate?: PresentedCertificate;
  readonly #socket: TLSSocket;

  constructor(socket: TLSSocket, peer: Pick<TlsPeer, "address" | "kind" | "certificate">) {
    this.#socket = socket;
    this.address = peer.address;
    this.kind = peer.kind;
    if (peer.certificate !== undefined) this.certificate = peer.certificate;
  }

  /** Before TLS 1.3 this value does not name the channel unless both sides say so, which Node does not tell. */
  channelBinding(): Uint8Array | undefined {
    const socket = this.#socket;
    if (socket.destroyed || socket.getProtocol() !== "TLSv1.3") return undefined;
    return socket.exportKeyingMaterial(LENGTH, LABEL, NO_CONTEXT);
  }
}
