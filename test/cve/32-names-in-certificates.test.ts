// LESSONS 32, NATS CVE-2026-33248. Elsewhere a distinguished name with several values, or in another order, was taken
// for the name of somebody else. Here such names in a certificate that nobody vouched for are nobody's, on each
// transport.
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";
import { expect } from "vitest";
import type { IssuedCertificate } from "../../packages/broker/src/input/x509-tools.ts";
import { isLetIn } from "./certificates.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();
const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

async function selfSigned(name: string, alternative: string): Promise<IssuedCertificate> {
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name,
    keys,
    signingAlgorithm: algorithm,
    notBefore: new Date(Date.now() - 60_000),
    notAfter: new Date(Date.now() + 3_600_000),
    extensions: [new x509.SubjectAlternativeNameExtension([{ type: "dns", value: alternative }])],
  });
  const key = new Uint8Array(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey));
  return { certificate: certificate.toString("pem"), key };
}

atEachDoor(field, "odd names in a certificate let nobody in", async (arena, { endpoint }) => {
  const { name, id } = await arena.principal();
  const seen = await arena.observe();
  const names: readonly (readonly [string, string])[] = [
    [`CN=${name}+CN=x`, name],
    [`CN=x+CN=${name}`, "x"],
    [`CN=x\\, CN\\=${name}`, "x"],
    [`O=x, CN=${name}, CN=admin`, "*"],
    [`CN=${name}\\00x`, `${name}.x`],
    ["CN=*", "*.com"],
    ["CN=admin", "admin"],
  ];
  for (const [subject, alternative] of names) {
    const shown = await selfSigned(subject, alternative);
    for (const username of [undefined, name, id, "admin"]) {
      expect(await isLetIn(endpoint, shown, username), `${subject}, user ${username}`).toBe(false);
    }
  }
  // it was the certificate that was looked at
  expect(seen.events("auth.fail").some(({ method }) => method === "certificate")).toBe(true);
});
