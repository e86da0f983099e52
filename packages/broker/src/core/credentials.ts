/** Keys and policy: folds over the journal like the rest, and what a change of them does to those who are connected. */
import type { KeyRecord } from "../model/policy.ts";
import type { KeyCreated, KeyRevoked, PolicyApplied } from "../model/record.ts";
import { jsonBytes, RecordKind } from "../model/record.ts";
import type { Attaching } from "./attaching.ts";
import type { Audit } from "./audit.ts";
import { KeyExpiry } from "./key-expiry.ts";
import type { QueueConsuming } from "./queue-consuming.ts";
import type { RetainedKeeper } from "./retained-keeper.ts";
import type { State } from "./state.ts";

export interface CredentialsParts {
  readonly state: State;
  readonly audit: Audit;
  readonly retained: RetainedKeeper;
  readonly attaching: Attaching;
  readonly consuming: QueueConsuming;
}

export class Credentials {
  readonly #parts: CredentialsParts;
  readonly #state: State;
  readonly #expiry: KeyExpiry;

  constructor(parts: CredentialsParts) {
    this.#parts = parts;
    this.#state = parts.state;
    this.#expiry = new KeyExpiry({ ...parts, end: (ended) => this.#endKey(ended) });
  }

  /** Recovery is done: what ended meanwhile goes. */
  begin(): void {
    this.#expiry.schedule();
  }

  createKey(key: KeyCreated): void {
    this.#record(RecordKind.keyCreated, key);
    this.applyKeyCreated(key);
    this.#expiry.schedule();
    const { id, principal, by, expiresAt, isToken } = key;
    const event = isToken === true ? "token.created" : "key.created";
    this.#parts.audit.act(event, { id, principal, by, ...(expiresAt !== undefined && { expiresAt }) });
  }

  /** A key that is there gets an end, or another one. */
  endKeyAt(key: KeyRecord, expiresAt: number, by: string): void {
    const changed: KeyCreated = { ...key, secretHash: Buffer.from(key.secretHash).toString("base64"), expiresAt, by };
    this.#record(RecordKind.keyCreated, changed);
    this.applyKeyCreated(changed);
    this.#expiry.schedule();
    this.#parts.audit.act("key.endSet", { id: key.id, principal: key.principal, by, expiresAt });
  }

  revokeKey(revoked: KeyRevoked): void {
    this.#endKey(revoked);
    this.#parts.audit.act("key.revoked", { id: revoked.id, by: revoked.by });
    for (const session of [...this.#state.sessionsByNumber.values()]) {
      if (session.keyId === revoked.id) this.#parts.attaching.kick(session, "not-authorized", "the key was revoked");
    }
    this.#parts.consuming.keyEnded(revoked.id, "the key was revoked");
    this.#expiry.schedule();
  }

  #endKey(ended: KeyRevoked): void {
    this.#record(RecordKind.keyRevoked, ended);
    this.applyKeyRevoked(ended);
  }

  applyPolicy(applied: PolicyApplied): void {
    this.#record(RecordKind.policyApplied, applied);
    this.applyPolicyApplied(applied);
    this.#parts.audit.act("policy.applied", { by: applied.by, roles: Object.keys(applied.policy.roles).length });
    this.#state.journal.commit();
    this.#parts.consuming.rightsChanged();
  }

  applyKeyCreated(key: KeyCreated): void {
    const { expiresAt, scope, isToken } = key;
    this.#state.keys.set({
      id: key.id,
      principal: key.principal,
      name: key.name,
      secretHash: Buffer.from(key.secretHash, "base64"),
      createdAt: key.createdAt,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(scope !== undefined && { scope }),
      ...(isToken !== undefined && { isToken }),
    });
  }

  /** What was said with a key that was taken back is void: its wills must not go out, not even later (THREATS A15). */
  applyKeyRevoked(revoked: KeyRevoked): void {
    this.#state.keys.delete(revoked.id);
    if (revoked.expired === true) return;
    for (const session of this.#state.sessionsByNumber.values()) {
      if (session.keyId === revoked.id) this.#parts.attaching.voidWill(session);
    }
  }

  applyPolicyApplied(applied: PolicyApplied): void {
    this.#state.setPolicy(applied.policy);
    this.#parts.retained.dropUnauthorised();
  }

  #record(kind: number, value: unknown): void {
    const body = jsonBytes(value);
    const at = this.#state.journal.reserve(kind, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commit();
  }
}
