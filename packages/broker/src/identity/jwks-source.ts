/** Where the keys of an issuer come from: a file that is read at start and on reload, or an address with a cache before it. */
import { open } from "node:fs/promises";
import type { JwtAlgorithm } from "../model/jwt.ts";
import { type JwksKey, type JwksSet, jwksBytesMax, readJwks } from "./jwks.ts";

export interface JwksSource {
  /** The key of exactly this id; `undefined` when there is none, or it cannot be had. Never rejects. */
  find(kid: string): Promise<JwksKey | undefined>;
}

/** Told of keys that were read, left out, or could not be had; for the log. */
export type JwksReport = (
  level: "info" | "warn",
  event: string,
  detail: Readonly<Record<string, string | number>>,
) => void;

export interface JwksSourceParts {
  /** Name of the issuer in the configuration. */
  readonly name: string;
  readonly algorithms: readonly JwtAlgorithm[];
  readonly report: JwksReport;
}

export class JwksFile implements JwksSource {
  readonly #path: string;
  readonly #parts: JwksSourceParts;
  #keys: JwksSet["keys"] = new Map();

  private constructor(path: string, parts: JwksSourceParts) {
    this.#path = path;
    this.#parts = parts;
  }

  /** Rejects with an `Error` that says what is wrong with the file. */
  static async open(path: string, parts: JwksSourceParts): Promise<JwksFile> {
    const source = new JwksFile(path, parts);
    await source.reload();
    return source;
  }

  /** Reads the file again; rejects, and keeps the old keys, when it cannot be used. */
  async reload(): Promise<void> {
    const { keys, skipped } = await readJwks(await this.#text(), this.#parts.algorithms);
    this.#keys = keys;
    tellOfKeys(this.#parts, keys.size, skipped);
  }

  find(kid: string): Promise<JwksKey | undefined> {
    return Promise.resolve(this.#keys.get(kid));
  }

  async #text(): Promise<string> {
    const file = await open(this.#path, "r");
    try {
      const bytes = Buffer.alloc(jwksBytesMax + 1);
      const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
      if (bytesRead > jwksBytesMax) throw new Error(`the key set is larger than ${jwksBytesMax} bytes`);
      return bytes.toString("utf8", 0, bytesRead);
    } finally {
      await file.close();
    }
  }
}

export interface JwksAddressParts extends JwksSourceParts {
  /** Gets the text of the set, bounded in bytes and time; rejects with an `Error`. */
  readonly fetchText: () => Promise<string>;
  /** Milliseconds that never go back. */
  readonly monotonic: () => number;
}

/** So old may a set be before it is asked for anew: this long a key that its issuer has withdrawn may still count. */
const freshMs = 10 * 60_000;
/** Least time between two fetches, whatever ids strangers make up. */
const cooldownMs = 30_000;

export class JwksAddress implements JwksSource {
  readonly #parts: JwksAddressParts;
  #keys: JwksSet["keys"] = new Map();
  #fetchedAt = Number.NEGATIVE_INFINITY;
  #triedAt = Number.NEGATIVE_INFINITY;
  #fetching: Promise<void> | undefined;

  constructor(parts: JwksAddressParts) {
    this.#parts = parts;
  }

  async find(kid: string): Promise<JwksKey | undefined> {
    const known = this.#keys.get(kid);
    const isOld = this.#parts.monotonic() - this.#fetchedAt >= freshMs;
    if (known !== undefined && !isOld) return known;
    const fetching = this.#fetch();
    // A set that is old serves on while the new one comes, or when none comes.
    if (known !== undefined) return known;
    await fetching;
    return this.#keys.get(kid);
  }

  /** One at a time; all who ask meanwhile wait for the same. */
  #fetch(): Promise<void> {
    if (this.#fetching !== undefined) return this.#fetching;
    const now = this.#parts.monotonic();
    if (now - this.#triedAt < cooldownMs) return Promise.resolve();
    this.#triedAt = now;
    this.#fetching = this.#replace().finally(() => {
      this.#fetching = undefined;
    });
    return this.#fetching;
  }

  async #replace(): Promise<void> {
    const { fetchText, algorithms, report, name, monotonic } = this.#parts;
    try {
      const { keys, skipped } = await readJwks(await fetchText(), algorithms);
      this.#keys = keys;
      this.#fetchedAt = monotonic();
      tellOfKeys(this.#parts, keys.size, skipped);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      report("warn", "jwt.keys.failed", { issuer: name, reason, keys: this.#keys.size, note: "the old keys stay" });
    }
  }
}

function tellOfKeys({ name, report }: JwksSourceParts, keys: number, skipped: readonly string[]): void {
  report("info", "jwt.keys", { issuer: name, keys });
  for (const reason of skipped) report("warn", "jwt.key.skipped", { issuer: name, reason });
}
