/** Keys and policy: folds over the journal like the rest, and what a change of them does to those who are connected. */
import type { KeyRecord } from "../model/policy.ts";
import type { KeyCreated, KeyRevoked, PolicyApplied } from "../model/record.ts";
import { jsonBytes, RecordKind } from "../model/record.ts";
import type { Attaching } from "./attaching.ts";
import type { Audit } from "./audit.ts";
import { Certificates } from "./certificates.ts";
import { KeyExpiry } from "./key-expiry.ts";
import { Passwords } from "./passwords.ts";
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
  readonly passwords: Passwords;
  readonly #parts: CredentialsParts;
  readonly #state: State;
  readonly #expiry: KeyExpiry;
  readonly certificates: Certificates;

  constructor(parts: CredentialsParts) {
    this.#parts = parts;
    this.#state = parts.state;
    this.certificates = new Certificates(parts);
    this.passwords = new Passwords(parts);
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

  /** `next` takes the place of `key`, which counts until `endsAt`. */
  rotateKey(key: KeyRecord, next: KeyCreated, endsAt: number): void {
    const { id, principal } = key;
    const secretHash = Buffer.from(key.secretHash).toString("base64");
    const old: KeyCreated = { ...key, secretHash, expiresAt: endsAt, replacedBy: next.id, by: next.by };
    for (const one of [next, old]) {
      this.#record(RecordKind.keyCreated, one);
      this.applyKeyCreated(one);
    }
    this.#expiry.schedule();
    this.#parts.audit.act("key.rotated", { id, principal, by: next.by, replacedBy: next.id, endsAt });
  }

  /** With it go the tokens made with it: who has stolen the one may have made the others. */
  revokeKey(id: string, by: string): void {
    this.#revoke(id, by, this.#madeWith(id));
  }

  /** Of a credential that is no key and is taken back: `password:…`, `cert:…`. */
  revokeTokensOf(credential: string, by: string): void {
    const [first, ...others] = this.#madeWith(credential);
    if (first !== undefined) this.#revoke(first, by, others);
  }

  #madeWith(credential: string): string[] {
    // Tokens make none, and there may be very many.
    if (this.#state.keys.get(credential)?.isToken === true) return [];
    return [...this.#state.keys.values()].filter(({ madeWith }) => madeWith === credential).map(({ id }) => id);
  }

  /** All in one record, and in one walk over the sessions. */
  #revoke(id: string, by: string, tokens: readonly string[]): void {
    const { audit, attaching, consuming } = this.#parts;
    const some = tokens.length > 0;
    this.#endKey({ id, by, ...(some && { tokens }) });
    audit.act("key.revoked", { id, by, ...(some && { tokens: tokens.length }) });
    const ids = new Set([id, ...tokens]);
    for (const session of [...this.#state.sessionsByNumber.values()]) {
      if (ids.has(session.keyId)) attaching.kick(session, "not-authorized", "the key was revoked");
    }
    consuming.keysEnded(ids, "the key was revoked");
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
    const { expiresAt, scope, isToken, madeWith, replacedBy } = key;
    this.#state.keys.set({
      id: key.id,
      principal: key.principal,
      name: key.name,
      secretHash: Buffer.from(key.secretHash, "base64"),
      createdAt: key.createdAt,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(scope !== undefined && { scope }),
      ...(isToken !== undefined && { isToken }),
      ...(madeWith !== undefined && { madeWith }),
      ...(replacedBy !== undefined && { replacedBy }),
    });
  }

  /** What was said with a key that was taken back is void: its wills must not go out, not even later (THREATS A15). */
  applyKeyRevoked(revoked: KeyRevoked): void {
    const ids = new Set([revoked.id, ...(revoked.tokens ?? [])]);
    for (const id of ids) this.#state.keys.delete(id);
    if (revoked.expired === true) return;
    for (const session of this.#state.sessionsByNumber.values()) {
      if (ids.has(session.keyId)) this.#parts.attaching.voidWill(session);
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
