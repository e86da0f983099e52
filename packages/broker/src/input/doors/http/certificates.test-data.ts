/** Client certificates in memory, for the tests of the door. */
import { AdministrationError } from "../../../model/administration.ts";
import type {
  CertificateAdministration,
  CertificateView,
  CertificateWish,
  NewCertificate,
} from "../../../model/certificate-administration.ts";

export class TestCertificateAdministration implements CertificateAdministration {
  readonly issued: (CertificateView & CertificateWish)[] = [];
  readonly revoked: string[] = [];
  /** What everything is refused with. */
  error: AdministrationError | undefined;

  issueCertificate(by: string, wish: CertificateWish): Promise<NewCertificate> {
    if (this.error !== undefined) return Promise.reject(this.error);
    if (wish.principal === "nobody") return Promise.reject(new AdministrationError("invalid", "there is no nobody"));
    const serial = `0${this.issued.length + 1}AB`;
    this.issued.push({ ...wish, serial, issuedAt: 1, expiresAt: 2, by });
    const { principal } = wish;
    return Promise.resolve({ serial, principal, certificate: "PEM 1", authority: "PEM 2", expiresAt: 2 });
  }

  listCertificates(): readonly CertificateView[] {
    return this.issued.map(({ serial, principal, issuedAt, expiresAt, by }) => ({
      serial,
      principal,
      issuedAt,
      expiresAt,
      by,
      ...(this.revoked.includes(serial) && { revokedAt: 3 }),
    }));
  }

  revokeCertificate(_by: string, serial: string): Promise<void> {
    if (this.error !== undefined) return Promise.reject(this.error);
    if (!this.issued.some((certificate) => certificate.serial === serial)) {
      return Promise.reject(new AdministrationError("not-found", "there is no such certificate"));
    }
    this.revoked.push(serial);
    return Promise.resolve();
  }

  revocationList(): Promise<string> {
    if (this.error !== undefined) return Promise.reject(this.error);
    return Promise.resolve("-----BEGIN X509 CRL-----\n");
  }
}
