/** Keys of signed messages: who may give whom one is asked here, the machine keeps them. */
import type { AdministratorActs, Asked } from "./administrator-acts.ts";
import type { Machine } from "./core/machine.ts";
import type { Host } from "./host/host.ts";
import { newSigningKeyId, newSigningSecret, publicKeyPem, readPublicKey } from "./identity/signing-key.ts";
import type {
  AddedSigningKey,
  NewSigningKey,
  SigningKeyAdministration,
  SigningKeyView,
} from "./model/signing-key-administration.ts";
import { ADMIN_PRINCIPAL } from "./security/built-in-roles.ts";
import { mayHandOut } from "./security/may-hand-out.ts";

export interface SigningKeyAdministratorParts {
  readonly machine: Machine;
  readonly acts: AdministratorActs;
  readonly host: Host;
  /** `--insecure-dev`: everybody may everything, and no principal is in a policy. */
  readonly isOpen: boolean;
}

export class SigningKeyAdministrator implements SigningKeyAdministration {
  readonly #parts: SigningKeyAdministratorParts;

  constructor(parts: SigningKeyAdministratorParts) {
    this.#parts = parts;
  }

  signingKeys(): readonly SigningKeyView[] {
    return [...this.#parts.machine.state.signingKeys.values()].map(({ key, ...others }) => ({
      ...others,
      ...(others.algorithm === "EdDSA" && { publicKey: publicKeyPem(key) }),
    }));
  }

  async addSigningKey(by: string, wanted: NewSigningKey): Promise<AddedSigningKey> {
    const { machine, acts, host } = this.#parts;
    const { principal, name, algorithm } = wanted;
    const asked: Asked = { act: "signing-key.add", by, target: principal };
    this.#demand(asked, principal);
    const random = (length: number): Uint8Array => host.random.bytes(length);
    const key = algorithm === "EdDSA" ? readPublicKey(wanted.publicKey) : newSigningSecret(random);
    if ("problem" in key) throw acts.refusal(asked, "invalid", `"publicKey": ${key.problem}`);
    const id = newSigningKeyId(random);
    machine.signingKeys.add({
      id,
      principal,
      name,
      algorithm,
      key: Buffer.from(key).toString("base64"),
      createdAt: host.clock.now(),
      by,
    });
    await acts.durable();
    const secret = algorithm === "HS256" ? { secret: Buffer.from(key).toString("base64url") } : {};
    return { id, principal, algorithm, ...secret };
  }

  async removeSigningKey(by: string, id: string): Promise<void> {
    const { machine, acts } = this.#parts;
    if (!machine.state.signingKeys.has(id)) {
      const asked = { act: "signing-key.remove", by, target: id };
      throw acts.refusal(asked, "not-found", "there is no such signing key");
    }
    machine.signingKeys.remove({ id, by });
    await acts.durable();
  }

  /** The rule of API keys: who could not make one for the principal cannot say what its messages are either. */
  #demand(asked: Asked, principal: string): void {
    const { machine, acts, isOpen } = this.#parts;
    const { policy, compiled, limits, signingKeys } = machine.state;
    const { signingKeysMax, signingKeysPerPrincipalMax } = limits;
    const roles =
      principal === ADMIN_PRINCIPAL
        ? ["admin"]
        : Object.hasOwn(policy.principals, principal)
          ? policy.principals[principal]?.roles
          : undefined;
    if (!isOpen && roles === undefined) {
      const message = `"principal": there is no principal "${principal}"; mess key create makes one`;
      throw acts.refusal(asked, "invalid", message);
    }
    if (!isOpen && !mayHandOut(compiled, { by: asked.by, holder: principal, roles: roles ?? [] })) {
      const message = `"${principal}" has rights that you do not; only who has them, or admin.policy, may give it a key`;
      throw acts.refusal(asked, "forbidden", message);
    }
    if (signingKeys.size >= signingKeysMax || machine.signingKeys.countOf(principal) >= signingKeysPerPrincipalMax) {
      const message = `a principal may have ${signingKeysPerPrincipalMax} signing keys, and all together ${signingKeysMax}; remove one first`;
      throw acts.refusal(asked, "conflict", message);
    }
  }
}
