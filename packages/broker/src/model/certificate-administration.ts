/** Client certificates for the doors: issued, listed, revoked. */

export interface CertificateView {
  /** Upper-case hexadecimal. */
  readonly serial: string;
  readonly principal: string;
  /** Wall-clock milliseconds. */
  readonly issuedAt: number;
  readonly expiresAt: number;
  /** Who asked for it. */
  readonly by: string;
  readonly revokedAt?: number;
}

export interface CertificateWish {
  readonly principal: string;
  /** A certificate request, PEM (PKCS #10). Only its public key counts. */
  readonly request: string;
  readonly days: number;
}

export interface NewCertificate {
  readonly serial: string;
  readonly principal: string;
  /** PEM. */
  readonly certificate: string;
  /** PEM of the authority that signed it, for those who are to check it elsewhere. */
  readonly authority: string;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

/** An authority of this broker that signs client certificates. Rejects with an error that tells the fix when its files cannot be used. */
export interface ClientAuthority {
  /** `problem` is about the request. */
  issue(wish: CertificateWish, now: number): Promise<IssuedClient | { readonly problem: string }>;
  /** PEM. */
  revocationList(revoked: readonly RevokedSerial[], now: number, nextUpdate: number): Promise<string>;
}

export interface IssuedClient {
  /** PEM, of the certificate and of the authority that signed it. */
  readonly certificate: string;
  readonly authority: string;
  /** Upper-case hexadecimal. */
  readonly serial: string;
  /** Wall-clock milliseconds. */
  readonly expiresAt: number;
}

export interface RevokedSerial {
  readonly serial: string;
  /** Wall-clock milliseconds. */
  readonly revokedAt: number;
}

/** Rejects with `AdministrationError`. */
export interface CertificateAdministration {
  issueCertificate(by: string, wish: CertificateWish): Promise<NewCertificate>;
  /** Those that have not expired, revoked ones among them. */
  listCertificates(): readonly CertificateView[];
  /** Its connections end at once. */
  revokeCertificate(by: string, serial: string): Promise<void>;
  /** What was revoked, as a list signed by the authority (PEM, RFC 5280), for programs that trust it too. */
  revocationList(): Promise<string>;
}
