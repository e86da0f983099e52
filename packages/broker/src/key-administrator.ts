/** Keys and tokens: made, rotated, revoked. What `Administrator` is for the rest. */
import type { AdministratorActs } from "./administrator-acts.ts";
import type { Machine } from "./core/machine.ts";
import type { Clock, RandomSource } from "./host/host.ts";
import { hashSecret, newApiKey, verifySecret } from "./identity/api-key.ts";
import type { AdministrationError, KeyView, NewKey } from "./model/administration.ts";
import type { Identity } from "./model/authentication.ts";
import { derivedPrincipal, isDerived } from "./model/derived-principal.ts";
import type {
  CredentialHolder,
  KeyAdministration,
  NewToken,
  RotatedKey,
  Rotation,
  TokenView,
  TokenWish,
} from "./model/key-administration.ts";
import { type AdminAction, hasEnded, type KeyRecord, principalOfKey } from "./model/policy.ts";
import type { KeyCreated } from "./model/record.ts";
import { authorizeAdmin, type CompiledPolicy } from "./security/authorize.ts";
import { ADMIN_PRINCIPAL } from "./security/built-in-roles.ts";
import { mayHandOut } from "./security/may-hand-out.ts";
import { principalNameProblem } from "./security/principal-name.ts";

/** Rights that at least one key keeps: else only `mess key reset --offline` would lead back in. */
const keptActions: readonly AdminAction[] = ["admin.keys", "admin.policy"];

export interface KeyAdministratorParts {
  readonly machine: Machine;
  readonly acts: AdministratorActs;
  readonly clock: Clock;
  readonly random: RandomSource;
  /** `--insecure-dev`: everybody may everything. */
  readonly isOpen: boolean;
}

type NewRecord = Omit<KeyCreated, "id" | "secretHash" | "createdAt">;

export class KeyAdministrator implements KeyAdministration {
  readonly #parts: KeyAdministratorParts;
  readonly #machine: Machine;
  readonly #acts: AdministratorActs;

  constructor(parts: KeyAdministratorParts) {
    this.#parts = parts;
    this.#machine = parts.machine;
    this.#acts = parts.acts;
  }

  /** Whose key or token it is. Takes the same time whether the id exists or not. */
  identify(keyId: string, secret: string): Identity | undefined {
    const key = this.#machine.state.keys.get(keyId);
    const isRight = verifySecret(secret, key?.secretHash);
    if (!isRight || key === undefined || hasEnded(key, this.#parts.clock.now())) return undefined;
    const { isToken, expiresAt } = key;
    const method = isToken === true ? "token" : "key";
    return { principal: principalOfKey(key), keyId, method, ...(expiresAt !== undefined && { expiresAt }) };
  }

  async create(by: string, name: string, roles: readonly string[], lifetimeMs: number | undefined): Promise<NewKey> {
    const problem = principalNameProblem(name);
    if (problem !== undefined) throw this.#acts.refusal({ act: "key.create", by }, "invalid", `"name": ${problem}`);
    const { policy, compiled } = this.#machine.state;
    const asked = { act: "key.create", by, target: name };
    // Own keys alone count: `constructor` is in every object.
    const unknown = roles.find((role) => !compiled.roles.has(role));
    if (unknown !== undefined) {
      const message = `"roles": there is no role "${unknown}"; \`mess policy show\` lists them`;
      throw this.#acts.refusal(asked, "invalid", message);
    }
    const known = this.#rolesOf(name);
    if (known !== undefined && roles.length > 0 && !sameSet(known, roles)) {
      const has = known.join(", ") || "(none)";
      const message = `the principal "${name}" exists with the roles ${has}; change them in the policy, or leave the roles out`;
      throw this.#acts.refusal(asked, "conflict", message);
    }
    this.#checkHandOut(asked, known ?? roles);
    if (known === undefined) {
      const principals = { ...policy.principals, [name]: { roles: [...roles] } };
      this.#machine.credentials.applyPolicy({ policy: { ...policy, principals }, by });
    }
    const expiresAt = lifetimeMs === undefined ? undefined : this.#parts.clock.now() + lifetimeMs;
    return await this.#make({ principal: name, name, by, expiresAt });
  }

  /** A key of the principal `admin`, made by the broker itself: at the first start, and where the last one was lost. */
  createAdminKey(): Promise<NewKey> {
    return this.#make({ principal: ADMIN_PRINCIPAL, name: ADMIN_PRINCIPAL, by: "mess" });
  }

  list(): readonly KeyView[] {
    const keys = [...this.#machine.state.keys.values()].filter(({ isToken }) => isToken !== true);
    return keys.map(({ id, principal, name, createdAt, expiresAt, replacedBy }) => ({
      id,
      principal,
      name,
      createdAt,
      ...(expiresAt !== undefined && { expiresAt }),
      ...(replacedBy !== undefined && { replacedBy }),
    }));
  }

  async revoke(by: string, id: string): Promise<void> {
    const asked = { act: "key.revoke", by, target: id };
    if (!this.#machine.state.keys.has(id)) throw this.#acts.refusal(asked, "not-found", "there is no such key");
    const last = this.#lastHolderOf(id);
    if (last !== undefined) {
      const message = `this is the last key with ${last} that does not end by itself; make another one first (mess key create admin)`;
      throw this.#acts.refusal(asked, "conflict", message);
    }
    this.#machine.credentials.revokeKey(id, by);
    await this.#acts.durable();
  }

  async rotateKey(by: string, id: string, { overlapMs, lifetimeMs }: Rotation): Promise<RotatedKey> {
    const asked = { act: "key.rotate", by, target: id };
    const { keys } = this.#machine.state;
    const now = this.#parts.clock.now();
    const key = keys.get(id);
    if (key === undefined || key.isToken === true || hasEnded(key, now))
      throw this.#acts.refusal(asked, "not-found", "there is no such key");
    if (key.replacedBy !== undefined && keys.has(key.replacedBy))
      throw this.#acts.refusal(asked, "conflict", `it was replaced by ${key.replacedBy} already; rotate that one`);
    this.#checkHandOut({ ...asked, target: key.principal }, this.#rolesOf(key.principal) ?? []);
    const life = lifetimeMs ?? (key.expiresAt === undefined ? undefined : key.expiresAt - key.createdAt);
    const last = life === undefined ? undefined : this.#lastHolderOf(id);
    if (last !== undefined) {
      const message = `this is the last key with ${last} that does not end by itself: its successor must not either`;
      throw this.#acts.refusal(asked, "conflict", message);
    }
    const { principal, name } = key;
    const expiresAt = life === undefined ? undefined : now + life;
    const { record, made } = this.#newRecord({ principal, name, by, expiresAt });
    const endsAt = Math.min(now + overlapMs, key.expiresAt ?? Number.POSITIVE_INFINITY);
    this.#machine.credentials.rotateKey(key, record, endsAt);
    await this.#acts.durable();
    return { ...made, replaces: id, replacedEndsAt: endsAt };
  }

  async createToken(caller: CredentialHolder, { scope, lifetimeMs }: TokenWish): Promise<NewToken> {
    const { keyId, principal } = caller;
    const refused = (code: AdministrationError["code"], message: string): AdministrationError =>
      this.#acts.refusal({ act: "token.create", by: principal, target: keyId }, code, message);
    if (this.#isOfToken(caller))
      throw refused("forbidden", "a token makes no tokens; use the key that it was made with");
    const { keys, limits } = this.#machine.state;
    const { tokensMax, tokensPerPrincipalMax, tokenMsMax } = limits;
    if (lifetimeMs > tokenMsMax) throw refused("invalid", `a token may live ${tokenMsMax / 1000} s at most`);
    if (keys.tokensOf(principal) >= tokensPerPrincipalMax || keys.tokens >= tokensMax) {
      const limit = keys.tokens >= tokensMax ? "tokensMax" : "tokensPerPrincipalMax";
      this.#machine.audit.write("limit.hit", { limit, principal });
      throw refused("conflict", `there are ${limits[limit]} tokens already; revoke one, or wait until one ends`);
    }
    const end = Math.min(
      this.#parts.clock.now() + lifetimeMs,
      caller.expiresAt ?? Number.POSITIVE_INFINITY,
      keys.get(keyId)?.expiresAt ?? Number.POSITIVE_INFINITY,
    );
    const made = await this.#make({
      principal,
      name: "token",
      by: principal,
      expiresAt: end,
      isToken: true,
      ...(scope !== undefined && { scope }),
      ...(keyId !== "" && { madeWith: keyId }),
    });
    return { ...made, expiresAt: end };
  }

  listTokens(caller: CredentialHolder): readonly TokenView[] {
    const tokens: TokenView[] = [];
    const isToken = this.#isOfToken(caller);
    for (const key of this.#machine.state.keys.values()) {
      if (key.isToken !== true || (isToken ? key.id !== caller.keyId : key.principal !== caller.principal)) continue;
      const { id, principal, createdAt, expiresAt = 0, scope } = key;
      tokens.push({ id, principal, createdAt, expiresAt, ...(scope !== undefined && { scope }) });
    }
    return tokens;
  }

  async revokeToken(caller: CredentialHolder, id: string): Promise<void> {
    const { principal } = caller;
    const key = this.#machine.state.keys.get(id);
    if (key?.isToken !== true || !this.#mayRevoke(caller, key)) {
      const message = "you have no such token";
      throw this.#acts.refusal({ act: "token.revoke", by: principal, target: id }, "not-found", message);
    }
    this.#machine.credentials.revokeKey(id, principal);
    await this.#acts.durable();
  }

  isToken(keyId: string): boolean {
    return this.#machine.state.keys.get(keyId)?.isToken === true;
  }

  /** The first right that a policy would leave without a key for good, while there is one now. */
  lostRight(next: CompiledPolicy): AdminAction | undefined {
    const { compiled } = this.#machine.state;
    return keptActions.find(
      (action) => this.#holders(compiled, action).length > 0 && this.#holders(next, action).length === 0,
    );
  }

  #mayRevoke(caller: CredentialHolder, key: KeyRecord): boolean {
    if (this.#isOfToken(caller)) return key.id === caller.keyId;
    if (this.#parts.isOpen || key.principal === caller.principal) return true;
    return authorizeAdmin(this.#machine.state.compiled, caller.principal, "admin.keys");
  }

  /** A token that has just ended has the name left. */
  #isOfToken({ principal, keyId }: CredentialHolder): boolean {
    return isDerived(principal) || this.isToken(keyId);
  }

  /** The right that no key holds for good but this one. */
  #lastHolderOf(id: string): AdminAction | undefined {
    const { compiled } = this.#machine.state;
    return keptActions.find((action) => {
      const holders = this.#holders(compiled, action);
      return holders.length === 1 && holders[0] === id;
    });
  }

  /** Ids of the keys whose principals hold `action`, for good: what ends by itself leads nobody back in. */
  #holders(compiled: CompiledPolicy, action: AdminAction): readonly string[] {
    const keys = [...this.#machine.state.keys.values()];
    return keys
      .filter((key) => key.expiresAt === undefined && authorizeAdmin(compiled, key.principal, action))
      .map(({ id }) => id);
  }

  /** What the policy says under the name, and not what every object has. */
  #rolesOf(name: string): readonly string[] | undefined {
    if (name === ADMIN_PRINCIPAL) return ["admin"];
    const { principals } = this.#machine.state.policy;
    return Object.hasOwn(principals, name) ? principals[name]?.roles : undefined;
  }

  #checkHandOut(asked: { act: string; by: string; target: string }, roles: readonly string[]): void {
    const { by, target } = asked;
    // In insecure development mode the one principal is in no policy and may everything.
    if (this.#parts.isOpen || mayHandOut(this.#machine.state.compiled, { by, holder: target, roles })) return;
    const message = `a key for "${target}" would hold rights that yours does not; only who has them, or admin.policy, may make it`;
    throw this.#acts.refusal(asked, "forbidden", message);
  }

  async #make(wish: NewRecord): Promise<NewKey> {
    const { record, made } = this.#newRecord(wish);
    this.#machine.credentials.createKey(record);
    await this.#acts.durable();
    return made;
  }

  #newRecord(wish: NewRecord): { record: KeyCreated; made: NewKey } {
    const { id, secret } = newApiKey((length) => this.#parts.random.bytes(length));
    const secretHash = Buffer.from(hashSecret(secret)).toString("base64");
    const createdAt = this.#parts.clock.now();
    const record = { ...wish, id, secretHash, createdAt };
    const { expiresAt } = wish;
    const principal = wish.scope === undefined ? wish.principal : derivedPrincipal(wish.principal, id);
    return { record, made: { id, secret, principal, ...(expiresAt !== undefined && { expiresAt }) } };
  }
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}
