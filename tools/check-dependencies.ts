/**
 * What ships is small, known and free: at most 60 packages, none that runs a script at install, licences from the list,
 * and for each direct dependency a line in docs/dependencies.md that says why. Reads package-lock.json alone, so it
 * needs no network. Run with `npm run tidy`.
 */
import { readFileSync } from "node:fs";

const packagesMax = 60;
/** Of what ships. */
const licences: ReadonlySet<string> = new Set([
  "0BSD",
  "Apache-2.0",
  "BlueOak-1.0.0",
  "BSD-2-Clause",
  "BSD-3-Clause",
  "ISC",
  "MIT",
  "Python-2.0",
  "Unlicense",
]);
/** Of development tools: nothing of theirs reaches a user. */
const toolLicences: ReadonlySet<string> = new Set([...licences, "CC-BY-4.0", "CC0-1.0", "MPL-2.0"]);

interface LockEntry {
  readonly version?: string;
  readonly license?: string;
  readonly resolved?: string;
  readonly link?: boolean;
  readonly dev?: boolean;
  readonly hasInstallScript?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

const root = new URL("../", import.meta.url);
const lock = JSON.parse(readFileSync(new URL("package-lock.json", root), "utf8")) as {
  packages: Readonly<Record<string, LockEntry>>;
};
const page = readFileSync(new URL("docs/dependencies.md", root), "utf8");
const entries = Object.entries(lock.packages);
const problems = [...foreign(), ...shipped(), ...reasons()];

for (const problem of problems) console.log(`dependencies: ${problem}`);
if (problems.length > 0) process.exitCode = 1;

/** Everything that is installed, development tools included. */
function foreign(): string[] {
  const found: string[] = [];
  for (const [path, entry] of entries) {
    if (/^[a-z+]+:/i.test(entry.resolved ?? ""))
      found.push(`${path}: package-lock.json names where it was fetched from`);
    const allowed = entry.dev === true ? toolLicences : licences;
    if (entry.license !== undefined && !licenceAllowed(entry.license, allowed)) {
      found.push(`${path}: licence ${entry.license}`);
    }
  }
  return found;
}

function shipped(): string[] {
  const found: string[] = [];
  const tree = entries.filter(
    ([path, entry]) => path.includes("node_modules/") && entry.link !== true && entry.dev !== true,
  );
  if (tree.length > packagesMax) found.push(`${tree.length} packages ship; the budget is ${packagesMax}`);
  for (const [path, entry] of tree) {
    if (entry.hasInstallScript === true) found.push(`${path}: runs a script at install`);
    if (entry.license === undefined) found.push(`${path}: names no licence`);
  }
  return found;
}

function reasons(): string[] {
  const direct = new Set<string>();
  for (const [path, entry] of entries) {
    if (!path.startsWith("packages/")) continue;
    for (const name of Object.keys(entry.dependencies ?? {})) if (!name.startsWith("@mess/")) direct.add(name);
  }
  const told = new Set([...page.matchAll(/^\| `([^`]+)` \|/gm)].map(([, name = ""]) => name));
  const missing = [...direct].filter((name) => !told.has(name));
  const stale = [...told].filter((name) => !direct.has(name));
  return [
    ...missing.map((name) => `docs/dependencies.md says nothing about ${name}`),
    ...stale.map((name) => `docs/dependencies.md tells of ${name}, which does not ship`),
  ];
}

/** `(MIT OR CC0-1.0)` is free when one of them is; `MIT AND BSD` when all are. */
function licenceAllowed(expression: string, allowed: ReadonlySet<string>): boolean {
  const plain = expression.replace(/[()]/g, "");
  if (plain.includes(" OR ")) return plain.split(" OR ").some((either) => licenceAllowed(either, allowed));
  return plain.split(" AND ").every((name) => allowed.has(name.trim()));
}
