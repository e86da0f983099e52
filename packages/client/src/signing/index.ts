/** `@mess/client/signing`: signatures of messages, made and verified with WebCrypto. Apart, so that who needs none loads none. */
export type { MessageSigner, MessageVerifier, SignedContent } from "../message-signing.ts";
export { messageSigner } from "./message-signer.ts";
export { messageVerifier, type VerifierOptions } from "./message-verifier.ts";
export type { SigningJwk } from "./signing-key.ts";
