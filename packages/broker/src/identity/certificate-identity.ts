/** Who a client certificate stands for. The chain was verified by the transport; this decides about the person. */
import type { Identity, PresentedCertificate, Refused } from "../model/authentication.ts";

/** The name that an issued certificate carries for its principal. Believed of our own authority alone. */
export const PRINCIPAL_URI_PREFIX = "uri:urn:mess:principal:";

/** What is known of certificates here and now. */
export interface KnownCertificates {
  /** Of one that this broker issued and has not revoked, by its serial number. */
  issuedTo(serial: string): string | undefined;
  /** The principal whose policy entry lists the name (`uri:…` or `dns:…`). */
  principalOf(name: string): string | undefined;
}

/** The name of a certificate issued for `principal`, as it is compared. */
export function principalUri(principal: string): string {
  return `${PRINCIPAL_URI_PREFIX}${encodeURIComponent(principal)}`;
}

/** Names the credential in sessions and in the audit trail: `cert:SERIAL`, and of other authorities `cert:SERIAL@ISSUER`. */
export function certificateId(certificate: Pick<PresentedCertificate, "serial" | "issuer" | "authority">): string {
  const { serial, issuer, authority } = certificate;
  return authority === "own" ? `cert:${serial}` : `cert:${serial}@${issuer.slice(0, ISSUER_DIGITS)}`;
}

const ISSUER_DIGITS = 16;

/**
 * Why a connection with this certificate is refused whatever else it shows, or `undefined`. Who has a key as well must
 * not get past a revocation by it.
 */
export function certificateRefusal(
  certificate: PresentedCertificate,
  known: KnownCertificates,
  now: number,
): Refused | undefined {
  if (!certificate.verified) return refused(certificate.problem);
  if (now >= certificate.expiresAt) return refused("it has expired");
  if (certificate.authority === "own") {
    const principal = known.issuedTo(certificate.serial);
    if (principal === undefined) return refused("it was revoked, or is not one that this broker issued");
    // The names are the ones we put there, so this cannot differ; a certificate is not taken on one of two truths.
    if (!certificate.names.includes(principalUri(principal))) return refused("it names another principal");
  }
  return undefined;
}

/** Who connects by this certificate alone. Refusals name nobody. */
export function certificateIdentity(
  certificate: PresentedCertificate,
  known: KnownCertificates,
  now: number,
): Identity | Refused {
  const refusal = certificateRefusal(certificate, known, now);
  if (refusal !== undefined) return refusal;
  const principals =
    certificate.authority === "own"
      ? [known.issuedTo(certificate.serial)]
      : certificate.names.map((name) => known.principalOf(name)).filter((principal) => principal !== undefined);
  const [principal] = principals;
  if (principal === undefined) return refused("none of its alternative names belongs to a principal of the policy");
  if (principals.some((other) => other !== principal))
    return refused("its alternative names belong to several principals");
  const { expiresAt } = certificate;
  return { principal, keyId: certificateId(certificate), method: "certificate", expiresAt };
}

function refused(problem: string): Refused {
  return { refused: `client certificate: ${problem}`, isCertificate: true };
}
