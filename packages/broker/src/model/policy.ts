/** The policy as data: what the TOML file, `PUT /v1/policy` and the journal carry. Names are checked, grants are not compiled. */

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
}
