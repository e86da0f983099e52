/** What the administrative side of the broker offers its doors (HTTP now, others later). Every verb that changes something is audited and durable before it resolves. */
import type { AuditPage, AuditRequest } from "./audit.ts";
import type { Backup } from "./backup.ts";
import type { SignedLog } from "./log-proofs.ts";
import type { PasswordAdministration } from "./password.ts";
import type { Action, PolicyDocument } from "./policy.ts";
import type { StorageAdministration } from "./storage-administration.ts";

export interface KeyView {
  readonly id: string;
  readonly principal: string;
  readonly name: string;
  readonly createdAt: number;
  /** Wall-clock milliseconds; absent: it counts until it is revoked. */
  readonly expiresAt?: number;
  /** The key that took its place. */
  readonly replacedBy?: string;
}

export interface NewKey {
  readonly id: string;
  /** Shown once; only its hash is stored. */
  readonly secret: string;
  readonly principal: string;
  /** Wall-clock milliseconds; absent: it counts until it is revoked. */
  readonly expiresAt?: number;
}

export interface Explanation {
  readonly allowed: boolean;
  /** One sentence for a person: the deciding grant, or the nearest one and why it does not apply. */
  readonly because: string;
  /** The role the deciding grant belongs to. */
  readonly role?: string;
}

/** Somebody who may do what was asked. */
export interface Holder {
  readonly principal: string;
  readonly because: string;
  readonly role?: string;
}

/** What a policy would answer to questions that were really asked. */
export interface DecisionReview {
  /** Different questions that were tried: the newest of them. */
  readonly tried: number;
  /** One line for each whose answer changes, for people: `- shop publish "orders/1"`; bounded. */
  readonly changed: readonly string[];
  /** Changed ones that `changed` leaves out. */
  readonly more: number;
}

export interface PolicyChange {
  /** One line a difference, for people: `+ role auditor (2 grants)`. */
  readonly lines: readonly string[];
  readonly applied: boolean;
  /** Of a dry run. */
  readonly decisions?: DecisionReview;
}

export interface Health {
  /** False once the journal has failed or the broker drains. */
  readonly ready: boolean;
  readonly detail: Readonly<Record<string, string>>;
}

/** Plain numbers, named as Prometheus wants them (`mess_publish_received_total`), with help text and labels of bounded sets. */
export interface MetricSample {
  readonly name: string;
  readonly help: string;
  readonly type: "counter" | "gauge";
  readonly value: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** An expected "no" from the administrative side. */
export class AdministrationError extends Error {
  readonly code: "not-found" | "conflict" | "invalid" | "forbidden" | "unavailable";

  constructor(code: AdministrationError["code"], message: string) {
    super(message);
    this.code = code;
  }
}

export interface Administration {
  readonly storage: StorageAdministration;
  /** The journal as a transparency log. */
  readonly log: SignedLog;
  readonly passwords: PasswordAdministration;
  /** The one `authorize()`; `topic` is a topic name for topic actions and left out for admin actions. */
  authorize(principal: string, action: Action, topic?: string): boolean;
  /**
   * The key's principal is `name`, created with these roles if it is new. Refused where its rights exceed those of `by`.
   * Without `lifetimeMs` it counts until it is revoked.
   */
  createKey(by: string, name: string, roles: readonly string[], lifetimeMs?: number): Promise<NewKey>;
  /** Tokens are not among them. */
  listKeys(): readonly KeyView[];
  revokeKey(by: string, id: string): Promise<void>;
  policy(): PolicyDocument;
  applyPolicy(by: string, policy: PolicyDocument, dryRun: boolean): Promise<PolicyChange>;
  why(principal: string, action: Action, topic: string): Explanation;
  /** Everybody who may do it, sorted by name; of a very large policy the first 10,000. */
  whoCan(action: Action, topic: string): readonly Holder[];
  /** The audit trail, a page of it: records in the order they were written. */
  auditTrail(request: AuditRequest): Promise<AuditPage>;
  /** A copy of the data directory, taken while it serves. Refused (conflict) while another one is under way. */
  backup(by: string): Promise<Backup>;
  health(): Health;
  metrics(): readonly MetricSample[];
  /** Writes an audit record (and one log line) for something a door refused, for example `auth.fail`. */
  audit(event: string, detail: Readonly<Record<string, string | number>>): void;
}
