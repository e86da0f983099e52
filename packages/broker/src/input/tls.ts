import { constants } from "node:crypto";
import type { Socket } from "node:net";
import { createSecureContext, type Server, type TLSSocket, type TlsOptions } from "node:tls";
import type { Timer, Timers } from "../host/host.ts";
import type { PresentedCertificate } from "../model/authentication.ts";
import { CertificateError } from "./certificate-error.ts";
import type { ServerCertificate } from "./certificates.ts";
import type { ClientTrust } from "./client-trust.ts";
import type { LoadedClientTrust } from "./load-client-trust.ts";
import { TlsOutputWatch, type TlsOutputWatchOptions } from "./tls-output-watch.ts";

export interface ServerTlsOptions {
  /** Reads (and where it must, renews) the certificate; called at start, at each reload and twice a day. */
  readonly load: () => Promise<ServerCertificate>;
  /** Reads which client certificates are good, as often as `load`. Without it none is asked for. */
  readonly loadClients?: () => Promise<LoadedClientTrust>;
  /** A reload brought another trust, which the listeners have by now. */
  readonly clientsReloaded?: (trust: ClientTrust, before: ClientTrust) => void;
  /** What one connection may make the TLS library hold, and who hears when it did. */
  readonly held?: Omit<TlsOutputWatchOptions, "timers">;
  /** Wall-clock milliseconds. */
  readonly now: () => number;
  readonly timers: Timers;
  /** What was done or went wrong later on, for the log. */
  readonly report: (level: "info" | "warn" | "error", message: string) => void;
}

/** AEAD with forward secrecy only; the first three are of TLS 1.3, where clients that can will be. */
const CIPHERS = [
  "TLS_AES_128_GCM_SHA256",
  "TLS_AES_256_GCM_SHA384",
  "TLS_CHACHA20_POLY1305_SHA256",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-CHACHA20-POLY1305",
].join(":");

const CHECK_EVERY_MS = 12 * 3_600_000;

/** The TLS side of all listeners: one policy and one certificate, which can be exchanged while they serve. */
export class ServerTls {
  readonly #options: ServerTlsOptions;
  readonly #servers = new Set<Server>();
  readonly #watch: TlsOutputWatch | undefined;
  readonly #watched = (socket: TLSSocket): void => this.#watch?.add(socket);
  #certificate: ServerCertificate;
  #clients: ClientTrust | undefined;
  #timer: Timer | undefined;
  /** The last reload: one at a time, since two would write the same files. */
  #reloading: Promise<void> = Promise.resolve();

  private constructor(options: ServerTlsOptions, certificate: ServerCertificate, clients: ClientTrust | undefined) {
    this.#options = options;
    this.#certificate = certificate;
    this.#clients = clients;
    const { held, timers } = options;
    this.#watch = held && new TlsOutputWatch({ ...held, timers });
  }

  /** Rejects as `load` and `loadClients` do. */
  static async open(options: ServerTlsOptions): Promise<ServerTls> {
    const certificate = await options.load();
    const clients = await options.loadClients?.();
    const tls = new ServerTls(options, certificate, clients?.trust);
    tryOut(tls.serverOptions);
    for (const note of [...certificate.notes, ...(clients?.notes ?? [])]) options.report("info", note);
    tls.#checkLater();
    return tls;
  }

  /** Wall-clock milliseconds. */
  get expiresAt(): number {
    return this.#certificate.expiresAt;
  }

  /** Options for `tls.createServer` and `https.createServer`. */
  get serverOptions(): TlsOptions {
    return serverOptions(this.#certificate, this.#clients);
  }

  /** The client certificate that came with a connection, judged now; `undefined` when there was none. */
  presented(socket: Socket): PresentedCertificate | undefined {
    return this.#clients?.presented(socket, this.#options.now());
  }

  /** `server` gets each later certificate. */
  attach(server: Server): void {
    this.#servers.add(server);
    server.on("secureConnection", this.#watched);
  }

  detach(server: Server): void {
    this.#servers.delete(server);
    server.off("secureConnection", this.#watched);
  }

  /** Reads the certificate anew. Open connections stay. When it cannot be used, the old one stays and this rejects. */
  reload(): Promise<void> {
    const reloaded = this.#reloading.then(() => this.#reload());
    this.#reloading = reloaded.catch(() => {});
    return reloaded;
  }

  async #reload(): Promise<void> {
    const next = await this.#options.load();
    const clients = await this.#options.loadClients?.();
    const options = serverOptions(next, clients?.trust);
    // Tried once before any server has it, so that no listener is left behind with another certificate.
    tryOut(options);
    // With the context go the keys of its session tickets: sessions of before are not resumed, and judged anew.
    for (const server of this.#servers) server.setSecureContext(options);
    this.#certificate = next;
    const before = this.#clients;
    this.#clients = clients?.trust;
    for (const note of [...next.notes, ...(clients?.notes ?? [])]) this.#options.report("info", note);
    if (clients !== undefined && before !== undefined) this.#options.clientsReloaded?.(clients.trust, before);
  }

  /** Stops the renewal. */
  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#watch?.close();
    this.#servers.clear();
  }

  #checkLater(): void {
    this.#timer = this.#options.timers.after(CHECK_EVERY_MS, () => {
      this.#checkLater();
      this.reload().catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error);
        this.#options.report("error", `the certificate was not renewed, the old one stays: ${reason}`);
      });
    });
  }
}

/** Throws `CertificateError` for what OpenSSL cannot read, although we could. */
function tryOut(options: TlsOptions): void {
  try {
    createSecureContext(options);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CertificateError(`the certificates or revocation lists cannot be used for TLS: ${reason}`);
  }
}

function serverOptions(certificate: ServerCertificate, clients: ClientTrust | undefined): TlsOptions {
  return {
    ...clients?.tlsOptions,
    cert: certificate.certificate,
    key: certificate.key,
    minVersion: "TLSv1.2",
    maxVersion: "TLSv1.3",
    ciphers: CIPHERS,
    honorCipherOrder: true,
    // Renegotiation is of TLS 1.2 only, costs us more than the client, and nobody needs it (THREATS A2). Not by
    // `disableRenegotiation`, after which Node reports an error and goes on.
    secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
  };
}
