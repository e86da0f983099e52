import { Reason } from "../model/engine.ts";
import type { Audit } from "./audit.ts";
import type { PublishChecks } from "./publish-checks.ts";

/** The audit event of a publish that was just decided, if it was refused for want of a right, or for its signature. */
export function auditRefusal(
  audit: Audit,
  checks: Pick<PublishChecks, "signature">,
  refused: { readonly reason: number; readonly principal: string; readonly topic: string },
): void {
  const { reason, principal, topic } = refused;
  if (reason === Reason.success) return;
  if (checks.signature !== undefined) audit.signature(checks.signature, principal, topic);
  else if (reason === Reason.notAuthorized) audit.denied("publish", principal, topic);
}
