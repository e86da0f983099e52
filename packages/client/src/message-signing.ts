import type { Properties } from "@mess/wire";

/** What a signature is about: a message as it is published. */
export interface SignedContent {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Of them content type, response topic, correlation data and user properties are signed. */
  readonly properties: Properties;
}

/**
 * Signs messages; `messageSigner` of `@mess/client/signing` makes one. Resolves with the properties and the signature among
 * them, in the order of the calls. `now`: wall-clock milliseconds. Rejects with MessError INVALID_ARGUMENT.
 */
export type MessageSigner = (content: SignedContent, now: number) => Promise<Properties>;

/**
 * Verifies signatures; `messageVerifier` of `@mess/client/signing` makes one. Rejects with MessError BAD_SIGNATURE, also
 * when there is none and one is wanted.
 */
export type MessageVerifier = (message: SignedContent) => Promise<void>;
