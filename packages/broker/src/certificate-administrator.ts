/** Client certificates: issued, revoked, and whom one stands for now. What `Administrator` is for the rest. */
import type { AdministratorActs, Asked } from "./administrator-acts.ts";
import type { Machine } from "./core/machine.ts";
import type { Clock } from "./host/host.ts";
import {
  certificateId,
  certificateIdentity,
  certificateRefusal,
  type KnownCertificates,
} from "./identity/certificate-identity.ts";
import type { AdministrationError } from "./model/administration.ts";
import type { PresentedCertificate, Refused, Verdict } from "./model/authentication.ts";
import { isRefused } from "./model/authentication.ts";
import type {
  CertificateAdministration,
  CertificateView,
  CertificateWish,
  ClientAuthority,
  NewCertificate,
} from "./model/certificate-administration.ts";
import { isDerived } from "./model/derived-principal.ts";
import { ADMIN_PRINCIPAL } from "./security/built-in-roles.ts";
import { mayHandOut } from "./security/may-hand-out.ts";

export interface CertificateAdministratorParts {
  readonly machine: Machine;
  readonly acts: AdministratorActs;
  readonly clock: Clock;
  /** `undefined` where there is no TLS. */
  readonly authority: ClientAuthority | undefined;
}

/** What a reload brought. */
export interface ChangedTrust {
  /** By the hash of the issuer's name and the serial number. */
  isRevoked(issuer: string, serial: string): boolean;
  /** An authority that was trusted is not any more. */
  readonly hasLostAuthority: boolean;
}

const DAY_MS = 86_400_000;
/** Who reads a revocation list should fetch the next one by then. */
const LIST_VALID_MS = 7 * DAY_MS;

export class CertificateAdministrator implements CertificateAdministration {
  readonly #parts: CertificateAdministratorParts;
  readonly #known: KnownCertificates;
  /** Foreign certificates that let somebody in: whether they still do is asked again when the policy or a list changes. */
  readonly #letIn: Map<string, LetIn> = new Map();

  constructor(parts: CertificateAdministratorParts) {
    this.#parts = parts;
    const { state } = parts.machine;
    this.#known = {
      issuedTo: (serial) => state.certificates.principalOf(serial),
      principalOf: (name) => state.compiled.certificates.get(name),
    };
  }

  async issueCertificate(by: string, wish: CertificateWish): Promise<NewCertificate> {
    const { principal } = wish;
    const asked: Asked = { act: "certificate.issue", by, target: principal };
    const { machine, acts, clock } = this.#parts;
    const signer = this.#authority(asked);
    this.#checkHandOut(asked, principal);
    const issuedAt = clock.now();
    const issued = await this.#signed(asked, signer.issue(wish, issuedAt));
    if ("problem" in issued) throw acts.refusal(asked, "invalid", `"request" ${issued.problem}`);
    const { certificate, authority, serial, expiresAt } = issued;
    // Rights may have changed, and others may have been issued, while this one was signed.
    this.#checkHandOut(asked, principal);
    machine.credentials.certificates.issue({ serial, principal, issuedAt, expiresAt, by });
    await acts.durable();
    return { serial, principal, certificate, authority, expiresAt };
  }

  listCertificates(): readonly CertificateView[] {
    const { machine, clock } = this.#parts;
    return machine.state.certificates.current(clock.now());
  }

  async revokeCertificate(by: string, serial: string): Promise<void> {
    const { machine, acts, clock } = this.#parts;
    const asked: Asked = { act: "certificate.revoke", by, target: serial };
    const known = machine.state.certificates.get(serial);
    if (known === undefined) throw acts.refusal(asked, "not-found", "there is no such certificate");
    if (known.revokedAt === undefined) {
      machine.credentials.certificates.revoke({ id: `cert:${serial}`, serial, at: clock.now(), by });
      machine.credentials.revokeTokensOf(`cert:${serial}`, by);
    }
    await acts.durable();
  }

  async revocationList(): Promise<string> {
    const { machine, clock } = this.#parts;
    const asked: Asked = { act: "certificate.crl", by: "mess" };
    const now = clock.now();
    const revoked = machine.state.certificates
      .current(now)
      .flatMap(({ serial, revokedAt }) => (revokedAt === undefined ? [] : [{ serial, revokedAt }]));
    return this.#signed(asked, this.#authority(asked).revocationList(revoked, now, now + LIST_VALID_MS));
  }

  /** Why a connection with this certificate is refused, whatever else it shows. */
  refusal(certificate: PresentedCertificate): Refused | undefined {
    return certificateRefusal(certificate, this.#known, this.#parts.clock.now());
  }

  /** Who connects by this certificate alone. */
  identify(certificate: PresentedCertificate): Verdict {
    const verdict = certificateIdentity(certificate, this.#known, this.#parts.clock.now());
    if (!isRefused(verdict) && certificate.authority === "foreign") this.#remember(certificate, verdict.principal);
    return verdict;
  }

  /** The policy has changed, or the lists and authorities: whoever a foreign certificate would not let in now goes. */
  checkAgain(by: string, trust?: ChangedTrust): void {
    const { machine, clock } = this.#parts;
    for (const [id, { certificate, principal }] of this.#letIn) {
      const verdict = certificateIdentity(certificate, this.#known, clock.now());
      const isOther = isRefused(verdict) || verdict.principal !== principal;
      if (isOther || trust?.isRevoked(certificate.issuer, certificate.serial) === true) {
        machine.credentials.certificates.revoke({ id, at: clock.now(), by });
        machine.credentials.revokeTokensOf(id, by);
      } else if (trust?.hasLostAuthority === true) {
        machine.credentials.certificates.end(id, "the authorities of client certificates have changed; connect again");
      } else continue;
      this.#letIn.delete(id);
    }
  }

  #remember(certificate: PresentedCertificate, principal: string): void {
    const { sessionsByNumber, limits } = this.#parts.machine.state;
    const id = certificateId(certificate);
    this.#letIn.delete(id);
    this.#letIn.set(id, { certificate, principal });
    if (this.#letIn.size <= 2 * limits.connectionsMax) return;
    const inUse = new Set([...sessionsByNumber.values()].map(({ keyId }) => keyId)).add(id);
    for (const other of this.#letIn.keys()) if (!inUse.has(other)) this.#letIn.delete(other);
  }

  #authority(asked: Asked): ClientAuthority {
    const { authority, acts } = this.#parts;
    if (authority !== undefined) return authority;
    throw acts.refusal(asked, "conflict", "this broker has no TLS listener, and so no client certificates");
  }

  /** The files of the authority may be gone or damaged: that is for people to mend, and no fault of the request. */
  async #signed<T>(asked: Asked, signing: Promise<T>): Promise<T> {
    try {
      return await signing;
    } catch (error) {
      if (!(error instanceof Error) || !("exitCode" in error)) throw error;
      throw this.#parts.acts.refusal(asked, "unavailable", error.message);
    }
  }

  /** As for a key: whoever makes a credential for somebody gives away no right that it lacks itself. */
  #checkHandOut(asked: Asked, principal: string): void {
    const { machine, acts } = this.#parts;
    const refused = (code: AdministrationError["code"], message: string): AdministrationError =>
      acts.refusal(asked, code, message);
    const { policy, compiled, certificates, limits } = machine.state;
    if (isDerived(asked.by)) throw refused("forbidden", "a token makes no certificates");
    const roles = principal === ADMIN_PRINCIPAL ? ["admin"] : rolesOf(policy.principals, principal);
    if (roles === undefined) {
      const message = `"principal": there is no principal ${JSON.stringify(principal)}; add it to the policy first`;
      throw refused("invalid", message);
    }
    if (!mayHandOut(compiled, { by: asked.by, holder: principal, roles })) {
      const message = `a certificate for "${principal}" would hold rights that you do not have; only who has them, or admin.policy, may issue it`;
      throw refused("forbidden", message);
    }
    if (certificates.current(this.#parts.clock.now()).length >= limits.certificatesMax) {
      machine.audit.write("limit.hit", { limit: "certificatesMax", principal: asked.by });
      throw refused(
        "conflict",
        `there are ${limits.certificatesMax} certificates that have not expired (certificatesMax)`,
      );
    }
  }
}

interface LetIn {
  readonly certificate: PresentedCertificate;
  readonly principal: string;
}

/** Own entries alone count: `constructor` is in every object. */
function rolesOf(
  principals: Readonly<Record<string, { readonly roles: readonly string[] }>>,
  name: string,
): readonly string[] | undefined {
  return Object.hasOwn(principals, name) ? principals[name]?.roles : undefined;
}
