/** Keys of signed messages: what HTTP and the command line offer of them. Durable and audited before it resolves. */
import type { SignatureAlgorithm } from "./signing.ts";

export interface SigningKeyView {
  readonly id: string;
  readonly principal: string;
  readonly name: string;
  readonly algorithm: SignatureAlgorithm;
  /** SPKI in PEM, of EdDSA alone: the secret of HS256 is not shown again. */
  readonly publicKey?: string;
  /** Wall-clock milliseconds. */
  readonly createdAt: number;
}

/** An Ed25519 key whose private half stays where it is, or a shared secret that the broker makes. */
export type NewSigningKey = { readonly principal: string; readonly name: string } & (
  | { readonly algorithm: "EdDSA"; readonly publicKey: string }
  | { readonly algorithm: "HS256" }
);

export interface AddedSigningKey {
  readonly id: string;
  readonly principal: string;
  readonly algorithm: SignatureAlgorithm;
  /** base64url, of HS256 alone; shown this once. */
  readonly secret?: string;
}

export interface SigningKeyAdministration {
  signingKeys(): readonly SigningKeyView[];
  /** Refused where the principal is unknown, or has rights that exceed those of `by`. */
  addSigningKey(by: string, key: NewSigningKey): Promise<AddedSigningKey>;
  /** From then on nothing that it signed is taken. */
  removeSigningKey(by: string, id: string): Promise<void>;
}
