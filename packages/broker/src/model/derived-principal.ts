/**
 * A scoped token acts under a name of its own, `PRINCIPAL~KEYID`: its rights are those of the principal that fall into
 * its scope. No principal of a policy can have such a name.
 */

/** Between the owner's name and the id of the key. */
export const derivedMark = "~";
/** What every key id begins with. A name with the mark from before it was reserved stands for itself. */
const keyIdPrefix = "k_";

export function derivedPrincipal(owner: string, keyId: string): string {
  return `${owner}${derivedMark}${keyId}`;
}

/** Whose quotas count, who owns what it declares, and what `{principal}` stands for: the name itself unless it is a derived one. */
export function ownerOf(principal: string): string {
  const at = principal.lastIndexOf(derivedMark);
  return at > 0 && principal.startsWith(keyIdPrefix, at + 1) ? principal.slice(0, at) : principal;
}

export function isDerived(principal: string): boolean {
  return ownerOf(principal) !== principal;
}
