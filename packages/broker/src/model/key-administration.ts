/** Keys in their later life, and tokens. Every verb that changes something is audited and durable before it resolves. */
import type { NewKey } from "./administration.ts";
import type { Grant } from "./policy.ts";

/** Who asks, and with what. */
export interface CredentialHolder {
  /** Of a scoped token the derived name. */
  readonly principal: string;
  readonly keyId: string;
  /** Wall-clock milliseconds at which the credential ends, if it does. */
  readonly expiresAt?: number;
}

export interface Rotation {
  /** How long the old key goes on to count, beside the new one. */
  readonly overlapMs: number;
  /** Of the new key; absent: as long as the old one was to live. */
  readonly lifetimeMs?: number;
}

export interface RotatedKey extends NewKey {
  readonly replaces: string;
  /** Wall-clock milliseconds at which the old key ends. */
  readonly replacedEndsAt: number;
}

export interface TokenWish {
  /** Grants that narrow what its owner may; absent: all of it. */
  readonly scope?: readonly Grant[];
  readonly lifetimeMs: number;
}

export interface NewToken extends NewKey {
  readonly expiresAt: number;
}

export interface TokenView {
  readonly id: string;
  /** Whose it is. */
  readonly principal: string;
  readonly createdAt: number;
  readonly expiresAt: number;
  readonly scope?: readonly Grant[];
}

export interface KeyAdministration {
  /** A new key for the principal of `id`, which goes on to count for a while. Refused as `createKey` is. */
  rotateKey(by: string, id: string, rotation: Rotation): Promise<RotatedKey>;
  /** A token of the caller for itself. It ends when the caller's credential does, at the latest, and is revoked with it. */
  createToken(caller: CredentialHolder, wish: TokenWish): Promise<NewToken>;
  /** The caller's, without secrets; of a token that token. */
  listTokens(caller: CredentialHolder): readonly TokenView[];
  /** One of the caller's, or anybody's with `admin.keys`. A token may end itself alone. */
  revokeToken(caller: CredentialHolder, id: string): Promise<void>;
  /** Is this the id of a token? Tokens make no credentials, whatever their rights are. */
  isToken(keyId: string): boolean;
}
