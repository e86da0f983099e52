/** Who is it: what doors present and what they hear. How a credential is checked is behind this interface; no door knows it. */

/** A client certificate that came with the connection. */
export interface PresentedCertificate {
  /** True when chain, dates, usage and revocation hold. A certificate that does not refuses the connection. */
  readonly verified: boolean;
  /** Why not, for the audit record and the client; empty when it is verified. */
  readonly problem: string;
  /** Names of the subject alternative name extension, as `uri:…` and `dns:…`, exact bytes. */
  readonly names: readonly string[];
  /** Upper-case hexadecimal. */
  readonly serial: string;
  /** SHA-256 of the issuer's name as it stands in the certificate (DER), upper-case hexadecimal; empty when it cannot be read. */
  readonly issuer: string;
  /** Whose signature it bears: that of this broker's client authority, or of one that `--client-ca` trusts. */
  readonly authority: "own" | "foreign";
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** What is known of a connection before anybody says who it is. */
export interface Presented {
  /** Remote address, for throttling and audit. */
  readonly address: string;
  /** How it came (`tls`, `websocket-tls`, `https`, …), for audit. */
  readonly kind?: string;
  readonly certificate?: PresentedCertificate;
  /** Keying material of the TLS channel (RFC 9266 `tls-exporter`), 32 bytes; `undefined` without TLS 1.3. */
  readonly channelBinding?: () => Uint8Array | undefined;
}

export type AuthenticationMethod = "key" | "token" | "certificate" | "scram" | "jwt" | "none";

/** Somebody who proved who they are. */
export interface Identity {
  /** Whose rights count; of a scoped token the derived name `PRINCIPAL~KEYID`. */
  readonly principal: string;
  /** Credential it came with: its revocation ends the link. `k_…`, or with a prefix: `cert:…`, `password:…`, `jwt:…`; empty without authentication. */
  readonly keyId: string;
  readonly method: AuthenticationMethod;
  /** Wall-clock milliseconds after which the credential does not count any more: its links end then. */
  readonly expiresAt?: number;
}

/** A "no". Nothing in it tells whether the name exists. */
export interface Refused {
  readonly refused: string;
  /** The address has failed too often; nothing was looked at. */
  readonly retryAfterMs?: number;
  /** It is the client certificate that is refused, whatever else was shown. */
  readonly isCertificate?: boolean;
  /** Too many checks are under way. */
  readonly busy?: boolean;
}

export type Verdict = Identity | Refused;

/** A step of a challenge-response method: more to say, or the end. */
export type ExchangeStep =
  | { readonly challenge: Uint8Array }
  /** `data` goes out with the success (the server's signature in SCRAM). */
  | { readonly identity: Identity; readonly data: Uint8Array }
  | Refused;

/** One run of a challenge-response method (MQTT 5.0 section 4.12). Bounded in steps by the method. */
export interface Exchange {
  next(data: Uint8Array): ExchangeStep | Promise<ExchangeStep>;
}

export interface Authenticator {
  /**
   * By user name and password as they came, or by the certificate when there are none. At once where that is possible;
   * a promise never rejects. Failures are counted against the address and audited here.
   */
  authenticate(
    username: string | undefined,
    password: Uint8Array | undefined,
    presented: Presented,
  ): Verdict | Promise<Verdict>;
  /** Names of the challenge-response methods for this connection. */
  readonly methods: readonly string[];
  /** Begins a challenge-response method; `Refused` for an unknown one and for an address that has failed too often. */
  begin(method: string, presented: Presented): Exchange | Refused;
}

export function isRefused(verdict: Verdict | Exchange | ExchangeStep): verdict is Refused {
  return "refused" in verdict;
}
