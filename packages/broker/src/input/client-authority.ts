import type {
  CertificateWish,
  ClientAuthority,
  IssuedClient,
  RevokedSerial,
} from "../model/certificate-administration.ts";
import { readCertificateRequest } from "./certificate-request.ts";
import { issueClient } from "./issue-client-certificate.ts";
import { issueRevocationList } from "./issue-revocation-list.ts";
import type { IssuedCertificate } from "./x509-tools.ts";

/** Signs with the authority of a data directory. Its private key is unsealed for each act and kept nowhere. */
export class FileClientAuthority implements ClientAuthority {
  readonly #read: () => Promise<IssuedCertificate>;

  constructor(read: () => Promise<IssuedCertificate>) {
    this.#read = read;
  }

  async issue(wish: CertificateWish, now: number): Promise<IssuedClient | { readonly problem: string }> {
    const { principal, request, days } = wish;
    const publicKey = await readCertificateRequest(request);
    if ("problem" in publicKey) return publicKey;
    const authority = await this.#read();
    const issued = await issueClient({ authority, principal, publicKey, now, days });
    return { ...issued, authority: authority.certificate };
  }

  async revocationList(revoked: readonly RevokedSerial[], now: number, nextUpdate: number): Promise<string> {
    // The time makes a number that grows from list to list.
    return issueRevocationList({ authority: await this.#read(), revoked, number: now, now, nextUpdate });
  }
}
