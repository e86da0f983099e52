/** Keys and tokens as the door sees them: it notes what it was asked. */
import type { AdministrationError } from "../../../model/administration.ts";
import type {
  CredentialHolder,
  KeyAdministration,
  NewToken,
  RotatedKey,
  Rotation,
  TokenView,
  TokenWish,
} from "../../../model/key-administration.ts";

export class TestKeyAdministration implements KeyAdministration {
  readonly asked: unknown[] = [];
  /** Ids that are tokens. */
  readonly tokens: Set<string> = new Set();
  listed: readonly TokenView[] = [];
  /** What every verb rejects with, if it is set. */
  error: AdministrationError | undefined;

  rotateKey(by: string, id: string, rotation: Rotation): Promise<RotatedKey> {
    this.asked.push({ verb: "rotateKey", by, id, rotation });
    if (this.error !== undefined) return Promise.reject(this.error);
    return Promise.resolve({ id: "k_new", secret: "mess_new", principal: "shop", replaces: id, replacedEndsAt: 7 });
  }

  createToken(caller: CredentialHolder, wish: TokenWish): Promise<NewToken> {
    this.asked.push({ verb: "createToken", caller, wish });
    if (this.error !== undefined) return Promise.reject(this.error);
    return Promise.resolve({
      id: "k_token",
      secret: "mess_token",
      principal: `${caller.principal}~k_token`,
      expiresAt: 9,
    });
  }

  listTokens(caller: CredentialHolder): readonly TokenView[] {
    this.asked.push({ verb: "listTokens", caller });
    return this.listed;
  }

  revokeToken(caller: CredentialHolder, id: string): Promise<void> {
    this.asked.push({ verb: "revokeToken", caller, id });
    if (this.error !== undefined) return Promise.reject(this.error);
    return Promise.resolve();
  }

  isToken(keyId: string): boolean {
    return this.tokens.has(keyId);
  }
}
