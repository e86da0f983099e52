/** Client certificates in the journal, and what becomes of connections when one is revoked. */
import type { CertificateIssued, CertificateRevoked } from "../model/record.ts";
import { jsonBytes, RecordKind } from "../model/record.ts";
import type { CredentialsParts } from "./credentials.ts";

export class Certificates {
  readonly #parts: CredentialsParts;

  constructor(parts: CredentialsParts) {
    this.#parts = parts;
  }

  issue(issued: CertificateIssued): void {
    this.#record(RecordKind.certificateIssued, issued);
    this.applyIssued(issued);
    const { serial, principal, expiresAt, by } = issued;
    this.#parts.audit.act("certificate.issued", { serial, principal, expiresAt, by });
  }

  /** One of ours, or one that the list of another authority names: its links end now, and its wills are void. */
  revoke(revoked: CertificateRevoked): void {
    const { id, by } = revoked;
    this.#record(RecordKind.certificateRevoked, revoked);
    this.applyRevoked(revoked);
    this.#parts.audit.act("certificate.revoked", { id, by });
    this.end(id, "the certificate was revoked");
  }

  /** Ends the links that came with it. */
  end(id: string, text: string): void {
    const { state, attaching, consuming } = this.#parts;
    for (const session of [...state.sessionsByNumber.values()]) {
      if (session.keyId === id) attaching.kick(session, "not-authorized", text);
    }
    consuming.keyEnded(id, text);
  }

  applyIssued(issued: CertificateIssued): void {
    this.#parts.state.certificates.add(issued);
  }

  /** As of a revoked key, what was said with it is void (THREATS A15). */
  applyRevoked({ id, serial, at }: CertificateRevoked): void {
    const { state, attaching } = this.#parts;
    if (serial !== undefined) state.certificates.revoke(serial, at);
    for (const session of state.sessionsByNumber.values()) if (session.keyId === id) attaching.voidWill(session);
  }

  #record(kind: number, value: unknown): void {
    const { journal } = this.#parts.state;
    const body = jsonBytes(value);
    const at = journal.reserve(kind, body.length);
    body.copy(journal.openBytes, at);
    journal.commit();
  }
}
