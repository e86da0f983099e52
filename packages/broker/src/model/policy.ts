/** The policy as data: what the TOML file, `PUT /v1/policy` and the journal carry. Names are checked, grants are not compiled. */

import { derivedPrincipal } from "./derived-principal.ts";
import type { SubscriptionSettings, TopicSettings } from "./settings.ts";

/** What a grant can allow or deny on a topic filter. */
export type TopicAction = "publish" | "subscribe" | "retain" | "will" | "share" | "consume" | "create" | "manage";

/** What a grant can allow on the broker itself; `admin.*` covers all that begin with `admin.`. */
export type AdminAction =
  | "admin.keys"
  | "admin.policy"
  | "admin.sessions"
  | "admin.metrics"
  | "admin.audit"
  | "admin.storage";

export type Action = TopicAction | AdminAction;

/** One grant: an action on a topic filter. `filter` may hold `{principal}` as a whole level. For admin actions it is "#". */
export interface Grant {
  readonly action: Action | "admin.*";
  readonly filter: string;
}

export interface RolePolicy {
  readonly allow: readonly Grant[];
  readonly deny: readonly Grant[];
}

export interface PrincipalPolicy {
  readonly roles: readonly string[];
  /** Alternative names of client certificates of other authorities that stand for it: `uri:…`, `dns:…`. Each stands in one place of the policy. */
  readonly certificates?: readonly string[];
}

export interface Policy {
  readonly roles: Readonly<Record<string, RolePolicy>>;
  readonly principals: Readonly<Record<string, PrincipalPolicy>>;
}

/** A policy file as a whole. A section that is absent leaves what is declared as it is. */
export interface PolicyDocument extends Policy {
  readonly topics?: Readonly<Record<string, TopicSettings>>;
  readonly subscriptions?: Readonly<Record<string, SubscriptionSettings>>;
}

/** A stored API key. The secret itself is never kept. */
export interface KeyRecord {
  readonly id: string;
  readonly principal: string;
  /** A name for people, from `mess key create NAME`. */
  readonly name: string;
  /** SHA-256 of the secret, 32 bytes. */
  readonly secretHash: Uint8Array;
  /** Wall-clock milliseconds. */
  readonly createdAt: number;
  /** Wall-clock milliseconds from which it does not count any more; absent: it counts until it is revoked. */
  readonly expiresAt?: number;
  /** Grants that narrow the rights of its principal; absent: all of them (model/derived-principal.ts). */
  readonly scope?: readonly Grant[];
  /** A short-lived token, made by its principal for itself. It makes no credentials. */
  readonly isToken?: boolean;
  /** Of a token: the credential it was made with, and is revoked with. */
  readonly madeWith?: string;
  /** The key that took its place, when it was rotated: its end is no surprise. */
  readonly replacedBy?: string;
}

/** Does the key not count any more at `now`, in wall-clock milliseconds? Its record may still be there. */
export function hasEnded({ expiresAt }: KeyRecord, now: number): boolean {
  return expiresAt !== undefined && expiresAt <= now;
}

/** Under which name the holder of the key acts. */
export function principalOfKey({ id, principal, scope }: KeyRecord): string {
  return scope === undefined ? principal : derivedPrincipal(principal, id);
}
