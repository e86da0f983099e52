import { MessError } from "../mess-error.ts";
import type { MessageVerifier, SignedContent } from "../message-signing.ts";
import { asPublished, bytesOf, headerText, propertiesHash, signatureOf, signedBytes } from "./canonical.ts";
import { type ImportedKey, importKey, type SigningJwk } from "./signing-key.ts";

export interface VerifierOptions {
  /** Of those whose messages are taken: a JSON Web Key Set, as `mess signing-key list --jwks` prints it, has them so. */
  readonly keys: readonly SigningJwk[];
  /** What becomes of a message without a signature: `reject` (default) or `accept`. */
  readonly unsigned?: "reject" | "accept";
}

const lengthMax = 2_048;
const nonceBytes = 16;

/**
 * Verifies what is received, for `verify` of `connect`: a message that does not bear the signature of one of the keys is
 * treated as one whose payload is invalid. Whether it is new is for the broker to say, and not asked here: what is kept
 * for long is as good as on the first day.
 *
 * @throws MessError INVALID_ARGUMENT
 */
export async function messageVerifier({ keys, unsigned = "reject" }: VerifierOptions): Promise<MessageVerifier> {
  const known = new Map<string, ImportedKey>();
  for (const jwk of keys) {
    const key = await importKey(jwk, "verify");
    known.set(key.kid, key);
  }
  if (known.size === 0) throw new MessError("INVALID_ARGUMENT", "there is no key to verify messages with");
  return async (message) => {
    const signature = signatureOf(message.properties.userProperties);
    if (signature !== undefined) return await verifySignature(asPublished(message), signature, known);
    if (unsigned === "reject") throw bad("the message is not signed");
  };
}

async function verifySignature(
  { topic, payload, properties }: SignedContent,
  text: string,
  known: ReadonlyMap<string, ImportedKey>,
): Promise<void> {
  const [protectedText = "", between, signatureText = "", ...more] = text.split(".");
  const header = bytesOf(protectedText);
  const signature = bytesOf(signatureText);
  const isForm = text.length <= lengthMax && between === "" && more.length === 0;
  if (!isForm || header === undefined || signature === undefined) throw bad("the signature is not of the form it has");
  const told = new TextDecoder().decode(header);
  const read = parsed(told);
  const key = known.get(read.kid);
  if (key === undefined) throw bad(`the key "${read.kid.slice(0, 64)}" is not one of those that are trusted`);
  // The key says which algorithm it is for, never the signature.
  const wanted = headerText({ ...read, alg: key.alg, topic, props: await propertiesHash(properties) });
  if (wanted !== told) throw bad("the signature is of another topic, of other properties, or of another form");
  if (!(await crypto.subtle.verify(key.algorithm, key.key, signature, signedBytes(protectedText, payload)))) {
    throw bad("the signature does not hold");
  }
}

/** Nothing of it is believed yet. */
function parsed(text: string): { readonly kid: string; readonly iat: number; readonly jti: string } {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = undefined;
  }
  const { kid, iat, jti } = (typeof value === "object" && value !== null ? value : {}) as Record<string, unknown>;
  const isNonce = typeof jti === "string" && bytesOf(jti)?.length === nonceBytes;
  const isTime = typeof iat === "number" && Number.isSafeInteger(iat) && iat >= 0;
  if (typeof kid === "string" && isTime && isNonce) return { kid, iat, jti };
  throw bad("the signature is not of the form it has");
}

function bad(message: string): MessError {
  return new MessError("BAD_SIGNATURE", message);
}
