/** Passwords, as administrators set them: for whom one may is asked here, the machine does it. */
import type { AdministratorActs, Asked } from "./administrator-acts.ts";
import type { BrokerEngine } from "./engine.ts";
import type { Host } from "./host/host.ts";
import {
  iterationsMax,
  iterationsMin,
  type PasswordAdministration,
  type PasswordVerifier,
  type PasswordView,
  passwordKeyId,
  saltBytes,
  scramKeyBytes,
} from "./model/password.ts";
import { ADMIN_PRINCIPAL } from "./security/built-in-roles.ts";
import { mayHandOut } from "./security/may-hand-out.ts";

export interface PasswordAdministratorParts {
  readonly engine: BrokerEngine;
  readonly host: Host;
  readonly acts: AdministratorActs;
  /** `--insecure-dev`: the one principal is in no policy and may everything. */
  readonly isFree: boolean;
}

/** Passwords in all. Principals that have left the policy may have one still. */
const passwordsMax = 100_000;

export class PasswordAdministrator implements PasswordAdministration {
  readonly #parts: PasswordAdministratorParts;

  constructor(parts: PasswordAdministratorParts) {
    this.#parts = parts;
  }

  async set(by: string, principal: string, verifier: PasswordVerifier): Promise<void> {
    const { engine, host, acts, isFree } = this.#parts;
    const { state, credentials } = engine.machine;
    const asked: Asked = { act: "password.set", by, target: principal };
    const problem = verifierProblem(verifier);
    if (problem !== undefined) throw acts.refusal(asked, "invalid", problem);
    const roles = this.#rolesOf(principal);
    if (roles === undefined) {
      const message = `there is no principal "${principal}" in the policy; make it there first, or with a key (mess key create)`;
      throw acts.refusal(asked, "not-found", message);
    }
    if (!isFree && !mayHandOut(state.compiled, { by, holder: principal, roles })) {
      const message = `"${principal}" holds rights that you do not; only who has them, or admin.policy, may set its password`;
      throw acts.refusal(asked, "forbidden", message);
    }
    if (!state.passwords.has(principal) && state.passwords.size >= passwordsMax) {
      throw acts.refusal(asked, "conflict", `there are ${passwordsMax} passwords; remove one that is not used`);
    }
    credentials.passwords.set({ ...verifier, principal, setAt: host.clock.now() }, by);
    credentials.revokeTokensOf(passwordKeyId(principal), by);
    await acts.durable();
  }

  async remove(by: string, principal: string): Promise<void> {
    const { engine, acts } = this.#parts;
    const { state, credentials } = engine.machine;
    if (!state.passwords.has(principal)) {
      throw acts.refusal({ act: "password.remove", by, target: principal }, "not-found", "it has no password");
    }
    credentials.passwords.remove({ principal, by });
    credentials.revokeTokensOf(passwordKeyId(principal), by);
    await acts.durable();
  }

  list(): readonly PasswordView[] {
    const views = [...this.#parts.engine.machine.state.passwords.values()];
    return views.map(({ principal, iterations, setAt }) => ({ principal, iterations, setAt }));
  }

  #rolesOf(principal: string): readonly string[] | undefined {
    if (principal === ADMIN_PRINCIPAL) return [ADMIN_PRINCIPAL];
    const { principals } = this.#parts.engine.machine.state.policy;
    // Own keys alone count: `constructor` is in every object.
    return Object.hasOwn(principals, principal) ? principals[principal]?.roles : undefined;
  }
}

function verifierProblem({ salt, iterations, storedKey, serverKey }: PasswordVerifier): string | undefined {
  if (salt.length !== saltBytes) return `"salt": must be ${saltBytes} bytes`;
  if (storedKey.length !== scramKeyBytes) return `"storedKey": must be ${scramKeyBytes} bytes`;
  if (serverKey.length !== scramKeyBytes) return `"serverKey": must be ${scramKeyBytes} bytes`;
  if (Number.isInteger(iterations) && iterations >= iterationsMin && iterations <= iterationsMax) return undefined;
  return `"iterations": must be from ${iterationsMin} to ${iterationsMax}`;
}
