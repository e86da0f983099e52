import { type KeyObject, X509Certificate } from "node:crypto";
import type { Socket } from "node:net";
import { TLSSocket, type TlsOptions } from "node:tls";
import { type ParsedCertificate, readCertificate } from "../identity/read-certificate.ts";
import type { RevocationList } from "../identity/read-revocation-list.ts";
import type { PresentedCertificate } from "../model/authentication.ts";

export interface ClientTrustParts {
  /** PEM of this broker's client authority. */
  readonly authority: string;
  /** PEM certificates of other authorities. */
  readonly foreign: readonly string[];
  /** For the TLS library: PEM, one list each. Where there is one, every authority needs one, our own too. */
  readonly lists: readonly string[];
  /** The same lists, read. */
  readonly revoked: readonly RevocationList[];
}

/** Which client certificates are good, at one moment: another trust takes the place of this one at a reload. */
export class ClientTrust {
  readonly #parts: ClientTrustParts;
  readonly #ownKey: KeyObject;
  /** Of each issuer with a list. */
  readonly #revoked: ReadonlyMap<string, RevocationList>;
  /** Asked for each request of HTTP; `undefined` of a connection without a certificate. */
  readonly #read = new WeakMap<TLSSocket, ReadSocket | undefined>();

  constructor(parts: ClientTrustParts) {
    this.#parts = parts;
    this.#ownKey = new X509Certificate(parts.authority).publicKey;
    this.#revoked = byIssuer(parts.revoked);
  }

  /**
   * A certificate is asked for and not demanded. One that does not verify is not refused by the handshake, which could
   * not say why; `presented` tells, and whoever speaks the protocol refuses. The authorities are always named: without a list
   * Node would take those of the public Web.
   */
  get tlsOptions(): TlsOptions {
    const { authority, foreign, lists } = this.#parts;
    return {
      requestCert: true,
      rejectUnauthorized: false,
      ca: [authority, ...foreign],
      ...(lists.length > 0 && { crl: [...lists] }),
      sessionTimeout: SESSION_SECONDS_MAX,
    };
  }

  /**
   * The certificate that came with the connection, judged now. The handshake judges once, and not at all in a resumed
   * session: dates and revocation are looked at again each time.
   */
  presented(socket: Socket, now: number): PresentedCertificate | undefined {
    if (!(socket instanceof TLSSocket)) return undefined;
    if (!this.#read.has(socket)) {
      const certificate = socket.getPeerX509Certificate();
      // Not `authorized`: it is true of a resumed session without any certificate.
      this.#read.set(socket, certificate && this.#readSocket(socket, certificate));
    }
    const read = this.#read.get(socket);
    if (read === undefined) return undefined;
    const { parsed, authority } = read;
    if (parsed === undefined) {
      return { verified: false, problem: read.problem, names: [], serial: "", issuer: "", authority, expiresAt: 0 };
    }
    const problem = read.problem === "" ? this.#problemNow(parsed, authority, now) : read.problem;
    const { names, serial, issuer, notAfter } = parsed;
    return { verified: problem === "", problem, names, serial, issuer, authority, expiresAt: notAfter };
  }

  /** True when an authority that `before` trusted is not trusted any more. */
  hasLostAuthorityOf(before: ClientTrust): boolean {
    const { foreign } = this.#parts;
    return before.#parts.foreign.some((authority) => !foreign.includes(authority));
  }

  /** True when a list names it, whatever else holds. */
  isRevoked(issuer: string, serial: string): boolean {
    return this.#revoked.get(issuer)?.serials.has(serial) === true;
  }

  #readSocket(socket: TLSSocket, certificate: X509Certificate): ReadSocket {
    const parsed = readCertificate(certificate.raw);
    if ("problem" in parsed) return { parsed: undefined, problem: parsed.problem, authority: "foreign" };
    const problem = socket.authorized ? "" : handshakeProblem(socket.authorizationError, certificate);
    // Never by the name of the issuer, which another authority can bear as well.
    const authority = problem === "" && certificate.verify(this.#ownKey) ? "own" : "foreign";
    return { parsed, problem, authority };
  }

  #problemNow(parsed: ParsedCertificate, authority: "own" | "foreign", now: number): string {
    if (now > parsed.notAfter) return problems.CERT_HAS_EXPIRED;
    if (now < parsed.notBefore) return problems.CERT_NOT_YET_VALID;
    if (authority === "own" || this.#revoked.size === 0) return "";
    if (this.isRevoked(parsed.issuer, parsed.serial)) return problems.CERT_REVOKED;
    const list = this.#revoked.get(parsed.issuer);
    if (list === undefined) return problems.UNABLE_TO_GET_CRL;
    return now > list.nextUpdate ? problems.CRL_HAS_EXPIRED : "";
  }
}

interface ReadSocket {
  readonly parsed: ParsedCertificate | undefined;
  /** What cannot change any more. */
  readonly problem: string;
  readonly authority: "own" | "foreign";
}

/** Of several lists of one issuer each revokes. */
function byIssuer(lists: readonly RevocationList[]): Map<string, RevocationList> {
  const all = new Map<string, RevocationList>();
  for (const list of lists) {
    const other = all.get(list.issuer);
    const serials = other === undefined ? list.serials : new Set([...other.serials, ...list.serials]);
    const nextUpdate = Math.max(list.nextUpdate, other?.nextUpdate ?? 0);
    all.set(list.issuer, { issuer: list.issuer, serials, nextUpdate });
  }
  return all;
}

/** A resumed session keeps the verdict on the chain above the certificate for so long at most. */
const SESSION_SECONDS_MAX = 3_600;

const problems = {
  CERT_HAS_EXPIRED: "it has expired",
  CERT_NOT_YET_VALID: "it is not valid yet",
  CERT_REVOKED: "it was revoked",
  CRL_HAS_EXPIRED: "the revocation list of its issuer is out of date",
  CRL_NOT_YET_VALID: "the revocation list of its issuer is not valid yet",
  UNABLE_TO_GET_CRL: "there is no revocation list of its issuer",
  DEPTH_ZERO_SELF_SIGNED_CERT: "it is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its authority is not one that is trusted here",
  UNABLE_TO_GET_ISSUER_CERT: "its authority is not one that is trusted here",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its authority is not one that is trusted here",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its authority is not one that is trusted here",
  INVALID_PURPOSE: "it is not made for clients",
  UNSUPPORTED_CERTIFICATE_PURPOSE: "it is not made for clients",
} as const;

/** By the name that the TLS library gives it; Node's types call it an error, and it is text. */
function handshakeProblem(error: unknown, certificate: X509Certificate): string {
  // The library tells the last of several problems, which may be that nobody has a list of such an issuer.
  if (certificate.checkIssued(certificate)) return problems.DEPTH_ZERO_SELF_SIGNED_CERT;
  const code = String(error instanceof Error ? ((error as { code?: string }).code ?? error.message) : error);
  const known: Readonly<Record<string, string>> = problems;
  return known[code] ?? `it does not verify (${code})`;
}
