/** Client certificates that this broker issued, until they expire. A fold over the journal: it reads no clock. */
import type { CertificateIssued } from "../model/record.ts";

export class CertificateTable {
  /** By serial number, in the order they were issued. */
  readonly #bySerial: Map<string, CertificateIssued> = new Map();

  get size(): number {
    return this.#bySerial.size;
  }

  get(serial: string): CertificateIssued | undefined {
    return this.#bySerial.get(serial);
  }

  values(): IterableIterator<CertificateIssued> {
    return this.#bySerial.values();
  }

  /** Whose it is; `undefined` for one that was revoked, has left, or never was. */
  principalOf(serial: string): string | undefined {
    const certificate = this.#bySerial.get(serial);
    return certificate === undefined || certificate.revokedAt !== undefined ? undefined : certificate.principal;
  }

  /** Takes the place of what expired by then, so that the table holds no more than certificates that could be shown. */
  add(certificate: CertificateIssued): void {
    for (const [serial, { expiresAt }] of this.#bySerial) {
      if (expiresAt < certificate.issuedAt) this.#bySerial.delete(serial);
    }
    this.#bySerial.set(certificate.serial, certificate);
  }

  revoke(serial: string, revokedAt: number): void {
    const certificate = this.#bySerial.get(serial);
    if (certificate !== undefined) this.#bySerial.set(serial, { ...certificate, revokedAt });
  }

  /** Certificates that could still be shown at `now`. */
  current(now: number): CertificateIssued[] {
    return [...this.#bySerial.values()].filter(({ expiresAt }) => expiresAt >= now);
  }
}
