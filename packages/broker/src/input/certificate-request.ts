import { createPublicKey, type KeyObject } from "node:crypto";
import { newKeys, P256, pemFile, privateKeyBytes, x509Library } from "./x509-tools.ts";

/** A certificate request (PKCS #10) and the private key it is for, both PEM. */
export interface CertificateRequest {
  readonly request: string;
  /** Secret. */
  readonly key: string;
}

const REQUEST = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([^-]*)-----END (?:NEW )?CERTIFICATE REQUEST-----/;
const REQUEST_LENGTH_MAX = 16 * 1_024;
const RSA_BITS_MIN = 2_048;
const RSA_BITS_MAX = 4_096;
const CURVES: readonly (string | undefined)[] = ["prime256v1", "secp384r1", "secp521r1"];

/** A request for a new P-256 key. Who is meant is not said in it: that is asked for beside it. */
export async function newCertificateRequest(): Promise<CertificateRequest> {
  const x509 = await x509Library();
  const keys = await newKeys();
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name: "CN=mess client",
    keys,
    signingAlgorithm: P256,
  });
  const lines = Buffer.from(await privateKeyBytes(keys))
    .toString("base64")
    .match(/.{1,64}/g);
  return {
    request: pemFile(request.toString("pem")),
    key: `-----BEGIN PRIVATE KEY-----\n${(lines ?? []).join("\n")}\n-----END PRIVATE KEY-----\n`,
  };
}

/**
 * The public key of a request (PEM), as subject public key information in DER, or why it is not taken. The signature
 * shows that whoever asks has the private key. Nothing else of the request counts.
 */
export async function readCertificateRequest(pem: string): Promise<Uint8Array | { readonly problem: string }> {
  const [, body] = (pem.length <= REQUEST_LENGTH_MAX ? REQUEST.exec(pem) : null) ?? [];
  if (body === undefined)
    return { problem: `is a certificate request (PKCS #10) in PEM form of at most ${REQUEST_LENGTH_MAX} characters` };
  const x509 = await x509Library();
  try {
    const request = new x509.Pkcs10CertificateRequest(new Uint8Array(Buffer.from(body, "base64")));
    const key = new Uint8Array(request.publicKey.rawData);
    const problem = keyProblem(createPublicKey({ key: Buffer.from(key), format: "der", type: "spki" }));
    if (problem !== undefined) return { problem };
    return (await request.verify()) ? key : { problem: "is not signed by the key that it is for" };
  } catch {
    return { problem: "cannot be read as a certificate request (PKCS #10)" };
  }
}

function keyProblem({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | undefined {
  const { modulusLength = 0, namedCurve } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === "ed25519") return undefined;
  if (asymmetricKeyType === "ec" && CURVES.includes(namedCurve)) return undefined;
  if (asymmetricKeyType === "rsa" && modulusLength >= RSA_BITS_MIN && modulusLength <= RSA_BITS_MAX) return undefined;
  return "is for a key that is not taken: use P-256, P-384, P-521, Ed25519, or RSA of 2048 to 4096 bits";
}
