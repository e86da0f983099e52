/** Passwords: folds over the journal, and what a change of them does to those who are connected by the one before. */
import { type PasswordRecord, passwordKeyId } from "../model/password.ts";
import { jsonBytes, type PasswordRemoved, type PasswordSet, RecordKind } from "../model/record.ts";
import type { Attaching } from "./attaching.ts";
import type { Audit } from "./audit.ts";
import type { QueueConsuming } from "./queue-consuming.ts";
import type { State } from "./state.ts";

export interface PasswordsParts {
  readonly state: State;
  readonly audit: Audit;
  readonly attaching: Attaching;
  readonly consuming: QueueConsuming;
}

export class Passwords {
  readonly #parts: PasswordsParts;
  readonly #state: State;

  constructor(parts: PasswordsParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  set(password: PasswordRecord, by: string): void {
    const { principal, iterations } = password;
    const isNew = !this.#state.passwords.has(principal);
    const record: PasswordSet = { ...passwordRecord(password), by };
    this.#record(RecordKind.passwordSet, record);
    this.applySet(record);
    this.#parts.audit.act("password.set", { principal, by, iterations });
    if (!isNew) this.#endLinks(principal, "the password was changed");
  }

  remove(removed: PasswordRemoved): void {
    this.#record(RecordKind.passwordRemoved, removed);
    this.applyRemoved(removed);
    this.#parts.audit.act("password.removed", { principal: removed.principal, by: removed.by });
    this.#endLinks(removed.principal, "the password was removed");
  }

  applySet({ principal, iterations, setAt, salt, storedKey, serverKey }: PasswordSet): void {
    this.#voidWills(principal);
    this.#state.passwords.set(principal, {
      principal,
      iterations,
      setAt,
      salt: Buffer.from(salt, "base64"),
      storedKey: Buffer.from(storedKey, "base64"),
      serverKey: Buffer.from(serverKey, "base64"),
    });
  }

  applyRemoved({ principal }: PasswordRemoved): void {
    this.#voidWills(principal);
    this.#state.passwords.delete(principal);
  }

  /** As of a key that was taken back: whoever knew the old one may have said it (THREATS A15). */
  #voidWills(principal: string): void {
    const keyId = passwordKeyId(principal);
    for (const session of this.#state.sessionsByNumber.values()) {
      if (session.keyId === keyId) this.#parts.attaching.voidWill(session);
    }
  }

  #endLinks(principal: string, text: string): void {
    const keyId = passwordKeyId(principal);
    for (const session of [...this.#state.sessionsByNumber.values()]) {
      if (session.keyId === keyId) this.#parts.attaching.kick(session, "not-authorized", text);
    }
    this.#parts.consuming.keyEnded(keyId, text);
  }

  #record(kind: number, value: unknown): void {
    const body = jsonBytes(value);
    const at = this.#state.journal.reserve(kind, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commit();
  }
}

/** As the journal says it. */
export function passwordRecord(password: PasswordRecord): Omit<PasswordSet, "by"> {
  const { principal, iterations, setAt, salt, storedKey, serverKey } = password;
  const base64 = (bytes: Uint8Array): string => Buffer.from(bytes).toString("base64");
  return {
    principal,
    iterations,
    setAt,
    salt: base64(salt),
    storedKey: base64(storedKey),
    serverKey: base64(serverKey),
  };
}
