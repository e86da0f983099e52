/** The policy that a start brings: a file, or what a program gives. It replaces the one in the journal. */
import type { Log } from "./admin/log.ts";
import type { Administrator } from "./administrator.ts";
import type { ServeConfig } from "./config/serve-config.ts";
import { policyFromToml } from "./identity/policy-document.ts";
import { readPlainFile } from "./input/read-plain-file.ts";
import { AdministrationError } from "./model/administration.ts";
import { checkPolicy } from "./security/policy-check.ts";
import { StartError } from "./start-error.ts";

export interface PolicyParts {
  readonly administrator: Administrator;
  readonly config: ServeConfig;
  readonly log: Log;
}

/** Who the audit trail says it was. */
const policyFilePrincipal = "policy-file";

/** Rejects with `StartError`. */
export async function applyPolicyFile(parts: PolicyParts, path: string): Promise<void> {
  const bytes = await readPlainFile(path).catch((error: unknown) => {
    const reason = error instanceof Error ? error.message : String(error);
    throw new StartError(78, `the policy file ${path} cannot be read: ${reason}`);
  });
  await apply(parts, `the policy file ${path}`, bytes.toString("utf8"));
}

/** TOML, or what TOML or JSON is read to. Rejects with `StartError`. */
export async function applyPolicyGiven(
  parts: PolicyParts,
  policy: string | Readonly<Record<string, unknown>>,
): Promise<void> {
  await apply(parts, "the policy", policy);
}

async function apply(
  { administrator, config, log }: PolicyParts,
  what: string,
  policy: string | Readonly<Record<string, unknown>>,
): Promise<void> {
  const { limits } = config;
  const checked = typeof policy === "string" ? policyFromToml(policy, limits) : checkPolicy(policy, limits);
  if ("problems" in checked) {
    const lines = checked.problems.map(({ path, message, hint }) => {
      return `${path}: ${message}${hint === undefined ? "" : `; ${hint}`}`;
    });
    throw new StartError(78, `${what} is refused:\n  ${lines.join("\n  ")}`);
  }
  try {
    const kept = await administrator.applyPolicyKeeping(policyFilePrincipal, checked.policy);
    for (const name of kept) {
      const note = `${what} leaves it out; it is kept, since messages wait in it (mess subscription delete)`;
      log.warn("policy.subscription-kept", { subscription: name, note });
    }
  } catch (error) {
    if (error instanceof AdministrationError) throw new StartError(78, `${what} is refused: ${error.message}`);
    throw error;
  }
}
