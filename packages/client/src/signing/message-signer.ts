import type { Properties } from "@mess/wire";
import { MessError } from "../mess-error.ts";
import type { MessageSigner, SignedContent } from "../message-signing.ts";
import { base64url, headerText, propertiesHash, signedBytes } from "./canonical.ts";
import { importKey, type SigningJwk } from "./signing-key.ts";

const nonceBytes = 16;
/** The broker takes no longer ones. */
const signatureLengthMax = 2_048;

/**
 * Signs what is published, for `sign` of `connect`: `connect(url, { sign: await messageSigner(jwk) })`. The key stays in
 * WebCrypto, and is not given out again.
 *
 * @param jwk a private key or shared secret, as `mess signing-key add` writes it
 * @throws MessError INVALID_ARGUMENT
 */
export async function messageSigner(jwk: SigningJwk): Promise<MessageSigner> {
  const { kid, alg, algorithm, key } = await importKey(jwk, "sign");
  const signed = async ({ topic, payload, properties }: SignedContent, now: number): Promise<Properties> => {
    const jti = base64url(crypto.getRandomValues(new Uint8Array(nonceBytes)));
    const props = await propertiesHash(properties);
    const header = headerText({ alg, kid, iat: Math.floor(now / 1_000), jti, topic, props });
    const protectedText = base64url(new TextEncoder().encode(header));
    const signature = await crypto.subtle.sign(algorithm, key, signedBytes(protectedText, payload));
    const value = `${protectedText}..${base64url(new Uint8Array(signature))}`;
    if (value.length > signatureLengthMax)
      throw new MessError("INVALID_ARGUMENT", "the topic is too long to be signed");
    return { ...properties, userProperties: [...(properties.userProperties ?? []), ["mess-signature", value]] };
  };
  let before: Promise<unknown> = Promise.resolve();
  // Many at a time; what is published keeps its order all the same.
  return (content, now) => {
    const one = signed(content, now);
    one.catch(() => undefined);
    const after = before.then(() => one);
    before = after.catch(() => undefined);
    return after;
  };
}
