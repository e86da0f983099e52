/** `[[jwt]]` of the configuration: whose tokens are taken, and what must be in them. Every key is checked; none is guessed. */
import { type JwtAlgorithm, jwtAlgorithms } from "../model/jwt.ts";
import { nearestName } from "../model/nearest-name.ts";
import { parseDuration } from "../model/quantity.ts";

export interface JwtConfig {
  /** For the log and the audit trail. */
  readonly name: string;
  readonly issuer: string;
  readonly audience: readonly string[];
  /** One of the two. */
  readonly jwksFile?: string;
  readonly jwksUrl?: string;
  /** PEM file: the authority that the server of `jwksUrl` must show a certificate of; what Node trusts without it. */
  readonly jwksCa?: string;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly principalClaim: string;
  readonly principalPrefix: string;
  readonly clockToleranceMs: number;
  readonly maxLifetimeMs: number;
}

export interface JwtSetting {
  readonly name: string;
  readonly default: string;
  readonly meaning: string;
}

/** For the documentation, in its order. */
export const jwtSettings: readonly JwtSetting[] = [
  { name: "name", default: "needed", meaning: "Short name for log and audit: a-z, 0-9 and `-`, 32 at most." },
  { name: "issuer", default: "needed", meaning: "`iss` of its tokens, compared byte by byte." },
  { name: "audience", default: "needed", meaning: "Text or array of texts; one of them must be in `aud`." },
  { name: "jwksFile", default: "none", meaning: "File with its public keys (JWK Set); read at start and on SIGHUP." },
  {
    name: "jwksUrl",
    default: "none",
    meaning: "https address of its public keys, asked at the first token and at most each 30 s. It or `jwksFile`.",
  },
  {
    name: "jwksCa",
    default: "Node's",
    meaning: "PEM file with the authority that `jwksUrl` must show a certificate of.",
  },
  { name: "algorithms", default: "all three", meaning: "Of `EdDSA`, `ES256`, `RS256`, those that are taken." },
  { name: "principalClaim", default: "`sub`", meaning: "Claim that names the principal, which the policy must know." },
  {
    name: "principalPrefix",
    default: "empty",
    meaning: "Put before it, so that two issuers cannot name the same one.",
  },
  { name: "clockTolerance", default: "30s", meaning: "How far its clock may be off; 5m at most." },
  { name: "maxLifetime", default: "24h", meaning: "Tokens that are to live longer are refused; 7d at most." },
];

const tablesMax = 16;
const audiencesMax = 16;
const textLengthMax = 1_024;
const namePattern = /^[a-z0-9][a-z0-9-]{0,31}$/;
/** What no name of a principal holds (security/principal-name.ts), nor begins with. */
const prefixPattern = /^(?![$ ])[^+#/{}~\p{Cc}]{0,64}$/u;
const day = 86_400_000;

/** The tables, or one line for each thing that is wrong. */
export function readJwtTables(
  value: unknown,
): { readonly jwt: readonly JwtConfig[] } | { readonly problems: readonly string[] } {
  if (!Array.isArray(value)) return { problems: ["is an array of tables; begin each with a line [[jwt]]"] };
  if (value.length > tablesMax) return { problems: [`has more than ${tablesMax} tables`] };
  const problems: string[] = [];
  const jwt = value.map((table: unknown, index) => new JwtTable(table, index, problems).read());
  for (const key of ["name", "issuer"] as const) {
    const seen = new Set<string>();
    for (const [index, table] of jwt.entries()) {
      if (table[key] !== "" && seen.has(table[key])) problems.push(`[${index}].${key} is that of an earlier table`);
      seen.add(table[key]);
    }
  }
  return problems.length > 0 ? { problems } : { jwt };
}

/** One table; what is wrong goes into `problems`, and something harmless into the result, which is not used then. */
class JwtTable {
  readonly #entries: ReadonlyMap<string, unknown>;
  readonly #index: number;
  readonly #problems: string[];

  constructor(table: unknown, index: number, problems: string[]) {
    this.#index = index;
    this.#problems = problems;
    const isTable = typeof table === "object" && table !== null && !Array.isArray(table);
    if (!isTable) problems.push(`[${index}] is a table`);
    this.#entries = new Map(isTable ? Object.entries(table) : []);
  }

  read(): JwtConfig {
    const known = jwtSettings.map(({ name }) => name);
    for (const key of this.#entries.keys()) {
      if (known.includes(key)) continue;
      const near = nearestName(key, known);
      this.#wrong(key.slice(0, 64), `is no key of [[jwt]]${near === undefined ? "" : `; did you mean ${near}?`}`);
    }
    return {
      name: this.#name(),
      issuer: this.#text("issuer"),
      audience: this.#audience(),
      ...this.#source(),
      algorithms: this.#algorithms(),
      principalClaim: this.#text("principalClaim", "sub"),
      principalPrefix: this.#prefix(),
      clockToleranceMs: this.#duration("clockTolerance", { standard: 30_000, least: 0, most: 300_000 }),
      maxLifetimeMs: this.#duration("maxLifetime", { standard: day, least: 60_000, most: 7 * day }),
    };
  }

  #name(): string {
    const name = this.#text("name");
    if (name !== "" && !namePattern.test(name)) this.#wrong("name", "holds a-z, 0-9 and -, 32 at most");
    return name;
  }

  #audience(): readonly string[] {
    const value = this.#entries.get("audience");
    if (!Array.isArray(value)) return [this.#text("audience")];
    const isRight = value.length > 0 && value.length <= audiencesMax && value.every((one) => isText(one));
    if (!isRight) this.#wrong("audience", `is a text, or an array of 1 to ${audiencesMax} texts`);
    return isRight ? (value as string[]) : [];
  }

  #source(): Pick<JwtConfig, "jwksFile" | "jwksUrl" | "jwksCa"> {
    const [file, url, ca] = ["jwksFile", "jwksUrl", "jwksCa"].map((key) =>
      this.#entries.has(key) ? this.#text(key) : undefined,
    );
    if ((file === undefined) === (url === undefined)) {
      this.#wrong("jwksFile", "or jwksUrl is needed, and not both: the public keys of the issuer");
    }
    if (url !== undefined && url !== "" && !isAddress(url)) {
      this.#wrong("jwksUrl", "is an address that begins with https:// and holds no user name and no #");
    }
    if (ca !== undefined && url === undefined) this.#wrong("jwksCa", "is for jwksUrl alone");
    return {
      ...(file !== undefined && { jwksFile: file }),
      ...(url !== undefined && { jwksUrl: url }),
      ...(ca !== undefined && { jwksCa: ca }),
    };
  }

  #algorithms(): readonly JwtAlgorithm[] {
    const value = this.#entries.get("algorithms");
    if (value === undefined) return jwtAlgorithms;
    const isKnown = (one: unknown): one is JwtAlgorithm => jwtAlgorithms.some((known) => known === one);
    if (Array.isArray(value) && value.length > 0 && value.every(isKnown)) return value;
    this.#wrong("algorithms", `is an array of ${jwtAlgorithms.join(", ")}`);
    return [];
  }

  #prefix(): string {
    const prefix = this.#entries.get("principalPrefix") ?? "";
    if (typeof prefix === "string" && prefixPattern.test(prefix)) return prefix;
    this.#wrong(
      "principalPrefix",
      "is a text that a name of a principal may begin with: 64 characters, none of + # / { } ~",
    );
    return "";
  }

  #duration(key: string, bounds: { readonly standard: number; readonly least: number; readonly most: number }): number {
    const value = this.#entries.get(key);
    if (value === undefined) return bounds.standard;
    const milliseconds = typeof value === "string" ? parseDuration(value) : undefined;
    if (milliseconds !== undefined && milliseconds >= bounds.least && milliseconds <= bounds.most) return milliseconds;
    this.#wrong(
      key,
      `is a time with its unit, such as "30s", from ${bounds.least / 1_000} s to ${bounds.most / 1_000} s`,
    );
    return bounds.standard;
  }

  #text(key: string, standard?: string): string {
    const value = this.#entries.get(key);
    if (value === undefined && standard !== undefined) return standard;
    if (isText(value)) return value;
    this.#wrong(key, value === undefined ? "is missing" : `is text of 1 to ${textLengthMax} characters`);
    return "";
  }

  #wrong(key: string, message: string): void {
    this.#problems.push(`[${this.#index}].${key} ${message}`);
  }
}

function isText(value: unknown): value is string {
  return typeof value === "string" && value !== "" && value.length <= textLengthMax && !value.includes("\u0000");
}

function isAddress(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, hash } = new URL(text);
  return protocol === "https:" && username === "" && password === "" && hash === "";
}
