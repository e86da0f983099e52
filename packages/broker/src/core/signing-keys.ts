/** Keys that verify signed messages: a fold over the journal, like API keys. */
import { jsonBytes, RecordKind, readJson } from "../model/record.ts";
import type { SigningKeyAdded, SigningKeyRemoved } from "../model/signing.ts";
import type { Audit } from "./audit.ts";
import { addNonces, restoreNonces } from "./nonce-records.ts";
import type { State } from "./state.ts";

export class SigningKeys {
  readonly #state: State;
  readonly #audit: Audit;

  constructor(state: State, audit: Audit) {
    this.#state = state;
    this.#audit = audit;
  }

  add(key: SigningKeyAdded): void {
    const { id, principal, algorithm, by } = key;
    this.#record(RecordKind.signingKeyAdded, key);
    applyAdded(this.#state, key);
    this.#audit.act("signing-key.added", { id, principal, algorithm, by });
    this.#state.journal.commit();
  }

  remove(removed: SigningKeyRemoved): void {
    this.#record(RecordKind.signingKeyRemoved, removed);
    applyRemoved(this.#state, removed);
    this.#audit.act("signing-key.removed", { id: removed.id, by: removed.by });
    this.#state.journal.commit();
  }

  /** How many keys the principal has. */
  countOf(principal: string): number {
    let count = 0;
    for (const key of this.#state.signingKeys.values()) if (key.principal === principal) count++;
    return count;
  }

  #record(kind: number, value: unknown): void {
    const body = jsonBytes(value);
    const at = this.#state.journal.reserve(kind, body.length);
    body.copy(this.#state.journal.openBytes, at);
  }
}

function applyAdded(state: State, added: SigningKeyAdded): void {
  const { id, principal, name, algorithm, createdAt } = added;
  state.signingKeys.set(id, {
    id,
    principal,
    name,
    algorithm,
    key: Buffer.from(added.key, "base64"),
    createdAt,
  });
}

function applyRemoved(state: State, { id }: SigningKeyRemoved): void {
  state.signingKeys.delete(id);
}

/** Keys and numbers used once, in snapshots. */
export function addSigning(state: State, add: (kind: number, body: Buffer | (() => Buffer)) => void): void {
  for (const key of state.signingKeys.values()) {
    const body = { ...key, key: Buffer.from(key.key).toString("base64"), by: "snapshot" } satisfies SigningKeyAdded;
    add(RecordKind.signingKeyAdded, jsonBytes(body));
  }
  addNonces(state.nonces, (body) => add(RecordKind.nonceState, body));
}

/** False when the record is of another kind. */
export function restoreSigning(state: State, kind: number, bytes: Buffer, start: number, end: number): boolean {
  if (kind === RecordKind.signingKeyAdded) applyAdded(state, readJson<SigningKeyAdded>(bytes, start, end));
  else if (kind === RecordKind.signingKeyRemoved) applyRemoved(state, readJson<SigningKeyRemoved>(bytes, start, end));
  else if (kind === RecordKind.nonceState) restoreNonces(state.nonces, bytes, start, end);
  else return false;
  return true;
}
