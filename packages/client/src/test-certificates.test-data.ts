/** A certificate authority and a server certificate, made anew for each test. */
import "reflect-metadata";
import { webcrypto } from "node:crypto";
import * as x509 from "@peculiar/x509";

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export interface TestCertificates {
  readonly ca: string;
  readonly key: string;
  /** The server's, followed by the CA's. */
  readonly cert: string;
}

export async function testCertificates(names: readonly string[]): Promise<TestCertificates> {
  const caKeys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
  const times = { notBefore: new Date(Date.now() - 60_000), notAfter: new Date(Date.now() + 86_400_000) };
  const unique = webcrypto.getRandomValues(new Uint8Array(4)).join("");
  const ca = await x509.X509CertificateGenerator.createSelfSigned({
    name: `CN=test authority ${unique}`,
    ...times,
    signingAlgorithm: algorithm,
    keys: caKeys,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  const cert = await x509.X509CertificateGenerator.create({
    subject: "CN=test server",
    issuer: ca.subject,
    ...times,
    publicKey: keys.publicKey,
    signingKey: caKeys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false),
      new x509.SubjectAlternativeNameExtension(
        names.map((value) => ({ type: /^[\d.]+$/u.test(value) ? "ip" : "dns", value })),
      ),
    ],
  });
  const key = x509.PemConverter.encode(await webcrypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY");
  return { ca: ca.toString("pem"), key, cert: `${cert.toString("pem")}\n${ca.toString("pem")}\n` };
}
