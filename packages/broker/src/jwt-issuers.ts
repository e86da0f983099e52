/** The issuers of the configuration with their keys, as one verifier of tokens. */
import type { JwtConfig } from "./config/jwt-config.ts";
import { fetchJwks } from "./identity/fetch-jwks.ts";
import { JwksAddress, JwksFile, type JwksReport, type JwksSource } from "./identity/jwks-source.ts";
import { JwtVerifier } from "./identity/jwt.ts";
import { readPlainFile } from "./input/read-plain-file.ts";
import type { Identity, Refused } from "./model/authentication.ts";
import type { Policy } from "./model/policy.ts";
import { ADMIN_PRINCIPAL } from "./security/built-in-roles.ts";
import { principalNameProblem } from "./security/principal-name.ts";
import { StartError } from "./start-error.ts";

export interface JwtIssuersParts {
  readonly issuers: readonly JwtConfig[];
  /** The policy in force, asked anew for each token. */
  readonly policy: () => Policy;
  readonly monotonic: () => number;
  readonly report: JwksReport;
}

const configurationExitCode = 78;

export class JwtIssuers {
  readonly #files: readonly JwksFile[];
  readonly #verifier: JwtVerifier;

  private constructor(files: readonly JwksFile[], verifier: JwtVerifier) {
    this.#files = files;
    this.#verifier = verifier;
  }

  /** Reads files of keys; asks no address. Rejects with `StartError` when a file cannot be used. */
  static async open(parts: JwtIssuersParts): Promise<JwtIssuers> {
    const files: JwksFile[] = [];
    const issuers = [];
    for (const config of parts.issuers) {
      const keys = await openKeys(parts, config).catch((error: Error) => {
        throw new StartError(configurationExitCode, `the keys of [[jwt]] "${config.name}": ${error.message}`);
      });
      if (keys instanceof JwksFile) files.push(keys);
      issuers.push({ ...config, keys });
    }
    return new JwtIssuers(files, new JwtVerifier({ issuers, knows: (name) => isKnown(parts.policy(), name) }));
  }

  /** @param now wall-clock milliseconds. Never rejects. */
  verify(token: string, now: number): Promise<Identity | Refused> {
    return this.#verifier.verify(token, now);
  }

  /** Reads the files of keys again; rejects when one cannot be used, and keeps its old keys. */
  async reload(): Promise<void> {
    const outcomes = await Promise.allSettled(this.#files.map((file) => file.reload()));
    for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
  }
}

async function openKeys({ monotonic, report }: JwtIssuersParts, config: JwtConfig): Promise<JwksSource> {
  const { name, algorithms, jwksFile, jwksUrl, jwksCa } = config;
  const common = { name, algorithms, report };
  if (jwksFile !== undefined) return JwksFile.open(jwksFile, common);
  const ca = jwksCa === undefined ? undefined : (await readPlainFile(jwksCa)).toString("utf8");
  return new JwksAddress({ ...common, monotonic, fetchText: () => fetchJwks(jwksUrl ?? "", ca) });
}

/**
 * A principal that the policy has. The built-in `admin` is no name for others to give: the one who runs the issuer, or may
 * choose a name there, would own the broker. Who is to be an administrator gets the role under a name of its own.
 */
function isKnown({ principals }: Policy, name: string): boolean {
  return name !== ADMIN_PRINCIPAL && principalNameProblem(name) === undefined && Object.hasOwn(principals, name);
}
