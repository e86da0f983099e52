/** The administrative side of the engine: keys, policy, explanations, health, numbers. Acts resolve when they are durable. */
import { AdministratorActs, storageFailed } from "./administrator-acts.ts";
import { coreMetrics, logMetrics } from "./administrator-metrics.ts";
import { AdministratorRights } from "./administrator-rights.ts";
import { CertificateAdministrator } from "./certificate-administrator.ts";
import { reviewDecisions } from "./core/review-decisions.ts";
import type { BrokerEngine } from "./engine.ts";
import type { Host } from "./host/host.ts";
import { KeyAdministrator } from "./key-administrator.ts";
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
import type { AuditPage, AuditRequest } from "./model/audit.ts";
import type { Backup, BeginBackup } from "./model/backup.ts";
import type { ClientAuthority } from "./model/certificate-administration.ts";
import type { SignedLog } from "./model/log-proofs.ts";
import type { Action, PolicyDocument } from "./model/policy.ts";
import type { StorageParts } from "./model/storage-administration.ts";
import { PasswordAdministrator } from "./password-administrator.ts";
import { PolicyAdministrator, type PolicyRefusal } from "./policy-administrator.ts";
import { QueueAdministrator } from "./queue-administrator.ts";
import { authorize, authorizeAdmin, compilePolicy, isAdminAction } from "./security/authorize.ts";
import { explain } from "./security/explain.ts";
import { diffPolicies } from "./security/policy-diff.ts";
import { whoCan } from "./security/who-can.ts";
import { SigningKeyAdministrator } from "./signing-key-administrator.ts";
import { StorageAdministrator } from "./storage-administrator.ts";

export interface AdministratorParts {
  readonly engine: BrokerEngine;
  readonly host: Host;
  readonly beginBackup: BeginBackup;
  readonly storage: StorageParts;
  readonly log: SignedLog;
  /** `--insecure-dev`: everybody is this principal and may everything. */
  readonly devPrincipal: string | undefined;
  /** Signs client certificates; absent where there is no TLS. */
  readonly clientAuthority?: ClientAuthority | undefined;
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
  readonly signingKeys: SigningKeyAdministrator;
  readonly certificates: CertificateAdministrator;
  readonly keys: KeyAdministrator;
  readonly storage: StorageAdministrator;
  readonly log: SignedLog;
  readonly passwords: PasswordAdministrator;
  /** True from the first signal on: not ready any more. */
  draining = false;

  constructor(parts: AdministratorParts) {
    this.#parts = parts;
    this.#engine = parts.engine;
    const { machine } = parts.engine;
    const acts = new AdministratorActs(parts.engine);
    this.#acts = acts;
    const rights = new AdministratorRights(machine.state, parts.devPrincipal !== undefined);
    const isOpen = parts.devPrincipal !== undefined;
    this.signingKeys = new SigningKeyAdministrator({ machine, acts, host: parts.host, isOpen });
    this.queues = new QueueAdministrator({ machine, rights, acts });
    const { clock, random } = parts.host;
    this.keys = new KeyAdministrator({ machine, acts, clock, random, isOpen: parts.devPrincipal !== undefined });
    this.certificates = new CertificateAdministrator({ machine, acts, clock, authority: parts.clientAuthority });
    this.storage = new StorageAdministrator({ engine: parts.engine, acts, storage: parts.storage });
    this.log = parts.log;
    const isFree = parts.devPrincipal !== undefined;
    this.passwords = new PasswordAdministrator({ engine: parts.engine, host: parts.host, acts, isFree });
    this.#declared = new PolicyAdministrator({ machine, acts });
  }

  authorize(principal: string, action: Action, topic?: string): boolean {
    if (this.#parts.devPrincipal !== undefined) return true;
    const { compiled } = this.#engine.machine.state;
    if (isAdminAction(action)) return authorizeAdmin(compiled, principal, action);
    return topic !== undefined && authorize(compiled, principal, action, topic);
  }

  createKey(by: string, name: string, roles: readonly string[], lifetimeMs?: number): Promise<NewKey> {
    return this.keys.create(by, name, roles, lifetimeMs);
  }

  /** A key of the principal `admin`, made by the broker itself: at the first start, and where the last one was lost. */
  createAdminKey(): Promise<NewKey> {
    return this.keys.createAdminKey();
  }

  listKeys(): readonly KeyView[] {
    return this.keys.list();
  }

  revokeKey(by: string, id: string): Promise<void> {
    return this.keys.revoke(by, id);
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
    this.certificates.checkAgain(by);
    await this.#declared.write(by, plan, starts);
    await this.#acts.durable();
  }

  #policyRefusal(policy: PolicyDocument): PolicyRefusal | undefined {
    const lost = this.keys.lostRight(compilePolicy(policy));
    if (lost !== undefined) {
      const message = `no key that exists would hold ${lost} any more; make one for admin first (mess key create admin)`;
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

  auditTrail(request: AuditRequest): Promise<AuditPage> {
    return new Promise((resolve, reject) => {
      if (this.#engine.journal.hasFailed) reject(storageFailed());
      else this.#engine.machine.auditReading.page(request, resolve);
    });
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
      detail: { journal, disk, stored: this.storage.health(), state: this.draining ? "draining" : "serving" },
    };
  }

  metrics(): readonly MetricSample[] {
    const own = [...coreMetrics(this.#engine), ...logMetrics(this.log), ...this.storage.metrics()];
    return [...own, ...this.#parts.doorMetrics()];
  }

  audit(event: string, detail: Readonly<Record<string, string | number>>): void {
    this.#engine.machine.audit.write(event, detail);
  }
}
