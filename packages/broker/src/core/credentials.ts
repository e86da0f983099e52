/** Keys and policy: folds over the journal like the rest, and what a change of them does to those who are connected. */
import type { KeyCreated, KeyRevoked, PolicyApplied } from "../model/record.ts";
import { jsonBytes, RecordKind } from "../model/record.ts";
import type { Attaching } from "./attaching.ts";
import type { Audit } from "./audit.ts";
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

  constructor(parts: CredentialsParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  createKey(key: KeyCreated): void {
    this.#record(RecordKind.keyCreated, key);
    this.applyKeyCreated(key);
    this.#parts.audit.act("key.created", { id: key.id, principal: key.principal, by: key.by });
  }

  revokeKey(revoked: KeyRevoked): void {
    this.#record(RecordKind.keyRevoked, revoked);
    this.applyKeyRevoked(revoked);
    this.#parts.audit.act("key.revoked", { id: revoked.id, by: revoked.by });
    for (const session of [...this.#state.sessionsByNumber.values()]) {
      if (session.keyId === revoked.id) this.#parts.attaching.kick(session, "not-authorized", "the key was revoked");
    }
    this.#parts.consuming.keyRevoked(revoked.id);
  }

  applyPolicy(applied: PolicyApplied): void {
    this.#record(RecordKind.policyApplied, applied);
    this.applyPolicyApplied(applied);
    this.#parts.audit.act("policy.applied", { by: applied.by, roles: Object.keys(applied.policy.roles).length });
    this.#state.journal.commit();
    this.#parts.consuming.rightsChanged();
  }

  applyKeyCreated(key: KeyCreated): void {
    this.#state.keys.set(key.id, {
      id: key.id,
      principal: key.principal,
      name: key.name,
      secretHash: Buffer.from(key.secretHash, "base64"),
      createdAt: key.createdAt,
    });
  }

  /** What was said with the key is void: its wills must not go out, not even later (THREATS A15). */
  applyKeyRevoked(revoked: KeyRevoked): void {
    this.#state.keys.delete(revoked.id);
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
