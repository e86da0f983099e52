/** The administrative side of the engine: keys, policy, explanations, health, numbers. Acts resolve when they are durable. */
import { AdministratorActs } from "./administrator-acts.ts";
import { coreMetrics } from "./administrator-metrics.ts";
import { AdministratorRights } from "./administrator-rights.ts";
import { reviewDecisions } from "./core/review-decisions.ts";
import type { BrokerEngine } from "./engine.ts";
import type { Host } from "./host/host.ts";
import { hashSecret, newApiKey, verifySecret } from "./identity/api-key.ts";
import type {
  Administration,
  AdministrationError,
  Explanation,
  Health,
  Holder,
  KeyView,
  MetricSample,
  NewKey,
  PolicyChange,
} from "./model/administration.ts";
import type { Backup, BeginBackup } from "./model/backup.ts";
import { type Action, type AdminAction, hasEnded, type PolicyDocument, principalOfKey } from "./model/policy.ts";
import type { KeysAtRest } from "./model/storage-administration.ts";
import { PolicyAdministrator, type PolicyRefusal } from "./policy-administrator.ts";
import { QueueAdministrator } from "./queue-administrator.ts";
import { authorize, authorizeAdmin, type CompiledPolicy, compilePolicy, isAdminAction } from "./security/authorize.ts";
import { ADMIN_PRINCIPAL } from "./security/built-in-roles.ts";
import { explain } from "./security/explain.ts";
import { mayHandOut } from "./security/may-hand-out.ts";
import { diffPolicies } from "./security/policy-diff.ts";
import { principalNameProblem } from "./security/principal-name.ts";
import { whoCan } from "./security/who-can.ts";
import { StorageAdministrator } from "./storage-administrator.ts";

/** Rights that at least one key keeps: else only `mess key reset --offline` would lead back in. */
const keptActions: readonly AdminAction[] = ["admin.keys", "admin.policy"];

export interface AdministratorParts {
  readonly engine: BrokerEngine;
  readonly host: Host;
  readonly beginBackup: BeginBackup;
  readonly keys: KeysAtRest;
  /** `--insecure-dev`: everybody is this principal and may everything. */
  readonly devPrincipal: string | undefined;
  /** Numbers that doors and listeners count. */
  readonly doorMetrics: () => readonly MetricSample[];
}

export class Administrator implements Administration {
  readonly #parts: AdministratorParts;
  readonly #engine: BrokerEngine;
  readonly #acts: AdministratorActs;
  readonly #declared: PolicyAdministrator;
  #isApplying = false;
  readonly queues: QueueAdministrator;
  readonly storage: StorageAdministrator;
  /** True from the first signal on: not ready any more. */
  draining = false;

  constructor(parts: AdministratorParts) {
    this.#parts = parts;
    this.#engine = parts.engine;
    const { machine } = parts.engine;
    const acts = new AdministratorActs(parts.engine);
    this.#acts = acts;
    const rights = new AdministratorRights(machine.state, parts.devPrincipal !== undefined);
    this.queues = new QueueAdministrator({ machine, rights, acts });
    this.storage = new StorageAdministrator({ engine: parts.engine, acts, keys: parts.keys });
    this.#declared = new PolicyAdministrator({ machine, acts });
  }

  authenticate(keyId: string, secret: string): string | undefined {
    if (this.#parts.devPrincipal !== undefined) return this.#parts.devPrincipal;
    const key = this.#engine.machine.state.keys.get(keyId);
    if (!verifySecret(secret, key?.secretHash) || key === undefined) return undefined;
    return hasEnded(key, this.#parts.host.clock.now()) ? undefined : principalOfKey(key);
  }

  authorize(principal: string, action: Action, topic?: string): boolean {
    if (this.#parts.devPrincipal !== undefined) return true;
    const { compiled } = this.#engine.machine.state;
    if (isAdminAction(action)) return authorizeAdmin(compiled, principal, action);
    return topic !== undefined && authorize(compiled, principal, action, topic);
  }

  async createKey(by: string, name: string, roles: readonly string[]): Promise<NewKey> {
    const problem = principalNameProblem(name);
    if (problem !== undefined) throw this.#acts.refusal({ act: "key.create", by }, "invalid", `"name": ${problem}`);
    const { policy, compiled } = this.#engine.machine.state;
    // Own keys alone count: `constructor` is in every object.
    const unknown = roles.find((role) => !compiled.roles.has(role));
    if (unknown !== undefined) {
      const message = `"roles": there is no role "${unknown}"; \`mess policy show\` lists them`;
      throw this.#acts.refusal({ act: "key.create", by, target: name }, "invalid", message);
    }
    const known = name === ADMIN_PRINCIPAL ? { roles: ["admin"] } : ownEntry(policy.principals, name);
    if (known !== undefined && roles.length > 0 && !sameSet(known.roles, roles)) {
      const has = known.roles.join(", ") || "(none)";
      const message = `the principal "${name}" exists with the roles ${has}; change them in the policy, or leave the roles out`;
      throw this.#acts.refusal({ act: "key.create", by, target: name }, "conflict", message);
    }
    const holderRoles = known?.roles ?? roles;
    // In insecure development mode the one principal is in no policy and may everything.
    const isFree = this.#parts.devPrincipal !== undefined;
    if (!isFree && !mayHandOut(compiled, { by, holder: name, roles: holderRoles })) {
      const message = `a key for "${name}" would hold rights that yours does not; only who has them, or admin.policy, may make it`;
      throw this.#acts.refusal({ act: "key.create", by, target: name }, "forbidden", message);
    }
    return await this.#makeKey({ by, name, newRoles: known === undefined ? roles : undefined });
  }

  /** A key of the principal `admin`, made by the broker itself: at the first start, and where the last one was lost. */
  createAdminKey(): Promise<NewKey> {
    return this.#makeKey({ by: "mess", name: ADMIN_PRINCIPAL, newRoles: undefined });
  }

  /** @param key with `newRoles` where the principal is made too */
  async #makeKey(key: { by: string; name: string; newRoles: readonly string[] | undefined }): Promise<NewKey> {
    const { by, name, newRoles } = key;
    const { state, credentials } = this.#engine.machine;
    const { id, secret } = newApiKey((length) => this.#parts.host.random.bytes(length));
    if (newRoles !== undefined) {
      const principals = { ...state.policy.principals, [name]: { roles: [...newRoles] } };
      credentials.applyPolicy({ policy: { ...state.policy, principals }, by });
    }
    credentials.createKey({
      id,
      principal: name,
      name,
      secretHash: Buffer.from(hashSecret(secret)).toString("base64"),
      createdAt: this.#parts.host.clock.now(),
      by,
    });
    await this.#acts.durable();
    return { id, secret, principal: name };
  }

  listKeys(): readonly KeyView[] {
    return [...this.#engine.machine.state.keys.values()].map(({ id, principal, name, createdAt }) => ({
      id,
      principal,
      name,
      createdAt,
    }));
  }

  async revokeKey(by: string, id: string): Promise<void> {
    const { state, credentials } = this.#engine.machine;
    if (!state.keys.has(id))
      throw this.#acts.refusal({ act: "key.revoke", by, target: id }, "not-found", "there is no such key");
    for (const action of keptActions) {
      const holders = this.#keysWith(state.compiled, action);
      if (holders.length !== 1 || holders[0] !== id) continue;
      const message = `this is the last key with ${action}; make another one first (mess key create admin)`;
      throw this.#acts.refusal({ act: "key.revoke", by, target: id }, "conflict", message);
    }
    credentials.revokeKey({ id, by });
    await this.#acts.durable();
  }

  policy(): PolicyDocument {
    return this.#declared.document();
  }

  /** Applies a policy that a start or a reload brings; returns the subscriptions it leaves out, kept for what waits in them. */
  async applyPolicyKeeping(by: string, policy: PolicyDocument): Promise<readonly string[]> {
    const { document, kept } = this.#declared.keeping(policy);
    await this.applyPolicy(by, document, false);
    return kept;
  }

  async applyPolicy(by: string, policy: PolicyDocument, dryRun: boolean): Promise<PolicyChange> {
    const refused = ({ code, message }: PolicyRefusal): AdministrationError =>
      this.#acts.refusal({ act: "policy.apply", by }, code, message);
    if (this.#isApplying) throw refused({ code: "conflict", message: "another policy is being applied; try again" });
    const lines = diffPolicies(this.policy(), policy);
    if (lines.length === 0) return { lines, applied: false };
    this.#isApplying = true;
    try {
      await this.#applyPolicy(by, policy, { dryRun, refused });
    } finally {
      this.#isApplying = false;
    }
    if (!dryRun) return { lines, applied: true };
    return { lines, applied: false, decisions: reviewDecisions(this.#engine.machine.state, policy) };
  }

  async #applyPolicy(
    by: string,
    policy: PolicyDocument,
    how: { readonly dryRun: boolean; readonly refused: (refusal: PolicyRefusal) => AdministrationError },
  ): Promise<void> {
    const early = this.#policyRefusal(policy);
    if (early !== undefined) throw how.refused(early);
    const starts = await this.#declared.starts(this.#declared.plan(policy), how.refused);
    if (how.dryRun) return;
    // Messages may have come, or a key may have gone, while the journal was read.
    const late = this.#policyRefusal(policy);
    if (late !== undefined) throw how.refused(late);
    const plan = this.#declared.plan(policy);
    const { roles, principals } = policy;
    this.#engine.machine.credentials.applyPolicy({ policy: { roles, principals }, by });
    await this.#declared.write(by, plan, starts);
    await this.#acts.durable();
  }

  #policyRefusal(policy: PolicyDocument): PolicyRefusal | undefined {
    const { compiled } = this.#engine.machine.state;
    const next = compilePolicy(policy);
    for (const action of keptActions) {
      if (this.#keysWith(compiled, action).length === 0 || this.#keysWith(next, action).length > 0) continue;
      const message = `no key that exists would hold ${action} any more; make one for admin first (mess key create admin)`;
      return { code: "conflict", message };
    }
    return this.#declared.refusal(this.#declared.plan(policy));
  }

  why(principal: string, action: Action, topic: string): Explanation {
    if (this.#parts.devPrincipal !== undefined) {
      return { allowed: true, because: "the broker runs with --insecure-dev: everything is allowed to everybody" };
    }
    return explain(this.#engine.machine.state.compiled, principal, action, topic);
  }

  whoCan(action: Action, topic: string): readonly Holder[] {
    const { devPrincipal } = this.#parts;
    if (devPrincipal !== undefined)
      return [{ principal: devPrincipal, because: "the broker runs with --insecure-dev" }];
    return whoCan(this.#engine.machine.state.compiled, action, topic);
  }

  async backup(by: string): Promise<Backup> {
    try {
      const backup = await this.#parts.beginBackup();
      this.audit("backup.begin", { by, bytes: backup.bytes, lastSeq: backup.lastSeq });
      return backup;
    } catch (error) {
      if (!(error instanceof Error) || !("exitCode" in error)) throw error;
      const inUse = "code" in error && error.code === "in-use";
      throw this.#acts.refusal({ act: "backup", by }, inUse ? "conflict" : "unavailable", error.message);
    }
  }

  health(): Health {
    const journal = this.#engine.journal.hasFailed ? "failed" : "ok";
    const disk = this.#engine.machine.publishing.diskFull ? "publishers are refused: the disk budget is used up" : "ok";
    return {
      ready: journal === "ok" && !this.draining,
      detail: { journal, disk, state: this.draining ? "draining" : "serving" },
    };
  }

  metrics(): readonly MetricSample[] {
    return [...coreMetrics(this.#engine), ...this.#parts.doorMetrics()];
  }

  audit(event: string, detail: Readonly<Record<string, string | number>>): void {
    this.#engine.machine.audit.write(event, detail);
  }

  /** Ids of the keys whose principals hold `action`, for good: what ends by itself leads nobody back in. */
  #keysWith(compiled: CompiledPolicy, action: AdminAction): readonly string[] {
    const keys = [...this.#engine.machine.state.keys.values()];
    return keys
      .filter((key) => key.expiresAt === undefined && authorizeAdmin(compiled, key.principal, action))
      .map(({ id }) => id);
  }
}

/** What a policy says under a name, and not what every object has. */
function ownEntry<T>(entries: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(entries, name) ? entries[name] : undefined;
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((item) => b.includes(item));
}
