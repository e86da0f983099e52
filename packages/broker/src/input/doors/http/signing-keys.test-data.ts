/** Keys of signed messages in memory, for the tests of the HTTP door. */
import { AdministrationError } from "../../../model/administration.ts";
import {
  type SignatureVerdict,
  type SignatureVerifier,
  type SignedMessage,
  signatureFault,
  signatureProblems,
} from "../../../model/signing.ts";
import type {
  AddedSigningKey,
  NewSigningKey,
  SigningKeyAdministration,
  SigningKeyView,
} from "../../../model/signing-key-administration.ts";

/** Takes each signature that does not name a problem: `sig.bad`, … */
export class TestSignatures implements SignatureVerifier {
  readonly asked: SignedMessage[] = [];

  async verify(message: SignedMessage): Promise<SignatureVerdict> {
    this.asked.push(message);
    const problem = signatureProblems.find((one) => message.signature.startsWith(one));
    if (problem !== undefined) return signatureFault(problem, "because");
    return { nonce: { keyId: "sk_a", nonce: Buffer.alloc(16, this.asked.length), issuedAt: 1 } };
  }
}

export class TestSigningKeys implements SigningKeyAdministration {
  readonly added: { by: string; key: NewSigningKey }[] = [];
  readonly removed: { by: string; id: string }[] = [];
  views: SigningKeyView[] = [];
  /** Answers everything that changes something. */
  error: AdministrationError | undefined;

  signingKeys(): readonly SigningKeyView[] {
    return this.views;
  }

  addSigningKey(by: string, key: NewSigningKey): Promise<AddedSigningKey> {
    if (this.error !== undefined) return Promise.reject(this.error);
    if (key.principal === "nobody") return Promise.reject(new AdministrationError("invalid", "there is no nobody"));
    this.added.push({ by, key });
    const { principal, algorithm } = key;
    const secret = algorithm === "HS256" ? { secret: "shown-once" } : {};
    return Promise.resolve({ id: `sk_${this.added.length}`, principal, algorithm, ...secret });
  }

  removeSigningKey(by: string, id: string): Promise<void> {
    if (this.error !== undefined) return Promise.reject(this.error);
    if (id === "sk_gone") return Promise.reject(new AdministrationError("not-found", "there is no such signing key"));
    this.removed.push({ by, id });
    return Promise.resolve();
  }
}
