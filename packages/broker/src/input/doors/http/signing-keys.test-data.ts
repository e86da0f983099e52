/** Keys of signed messages in memory, for the tests of the HTTP door. */
import { AdministrationError } from "../../../model/administration.ts";
import type {
  AddedSigningKey,
  NewSigningKey,
  SigningKeyAdministration,
  SigningKeyView,
} from "../../../model/signing-key-administration.ts";

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
