import { isIP } from "node:net";
import { hostname, networkInterfaces } from "node:os";
import { CertificateError } from "./certificate-error.ts";

const DNS_NAME = /^(\*\.)?[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_][a-z0-9_-]{0,62})*$/;

/**
 * The names a server certificate is made for: localhost, the loopback addresses, this machine's name and addresses,
 * and `hostNames`. In lower case, without repetition. Throws `CertificateError` for a host name that is none.
 */
export function certificateNames(hostNames: readonly string[]): string[] {
  const names = new Set(["localhost", "127.0.0.1", "::1"]);
  const own = hostname().toLowerCase();
  // A machine may call itself what DNS does not allow; then clients cannot use that name either.
  if (DNS_NAME.test(own) && own.length <= 253) names.add(own);
  for (const addresses of Object.values(networkInterfaces())) {
    for (const { address } of addresses ?? []) {
      // Link-local addresses need a zone, which a certificate cannot name.
      if (!/^fe[89ab]/i.test(address) && !address.includes("%")) names.add(address.toLowerCase());
    }
  }
  for (const given of hostNames) {
    const name = given.toLowerCase().replace(/^\[(.*)\]$/, "$1");
    if (isIP(name) === 0 && (!DNS_NAME.test(name) || name.length > 253)) {
      throw new CertificateError(`--host-name ${JSON.stringify(given)} is neither a DNS name nor an IP address`);
    }
    names.add(name);
  }
  return [...names];
}
