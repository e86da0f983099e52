/**
 * The house rules of STYLE.md that a program can check. Prints one line a breach and exits 1 when there is one.
 * Run with `npm run tidy`; give paths to look at these alone.
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { checkCode } from "./tidy/code-rules.ts";
import { checkDocument } from "./tidy/document-rules.ts";
import { type Finding, findingText } from "./tidy/finding.ts";
import { checkLayers } from "./tidy/layers.ts";
import { checkPurity } from "./tidy/purity.ts";
import { parseSource } from "./tidy/source-file.ts";
import { checkText } from "./tidy/text-rules.ts";

/** Held as bytes or written by others' rules. */
const notOurs = /\.(png|ico|pem|bin)$|(^|\/)LICENSE$/;

const root = new URL("../", import.meta.url);
const tracked = execFileSync("git", ["ls-files", "--cached", "--others", "--exclude-standard"], {
  cwd: root,
  encoding: "utf8",
});
const paths = tracked.split("\n").filter((path) => path !== "");
const known = knownPaths(paths);
const only = process.argv.slice(2);

const findings: Finding[] = [];
for (const path of paths) {
  if (notOurs.test(path)) continue;
  if (only.length > 0 && !only.some((prefix) => path.startsWith(prefix))) continue;
  const text = read(path);
  if (text !== undefined) findings.push(...check(path, text));
}
for (const finding of findings) console.log(findingText(finding));
if (findings.length > 0) {
  console.log(`tidy: ${findings.length} findings; the rules and their reasons are in STYLE.md`);
  process.exitCode = 1;
}

function check(path: string, text: string): Finding[] {
  const found = checkText(path, text);
  if (path.endsWith(".md")) found.push(...checkDocument(path, text, (target) => known.has(target)));
  if (path.endsWith(".ts")) {
    const file = parseSource(path, text);
    found.push(...checkLayers(file), ...checkPurity(file), ...checkCode(file));
  }
  return found;
}

/** `undefined` for a file that was deleted and not yet committed so. */
function read(path: string): string | undefined {
  try {
    return readFileSync(new URL(path, root), "utf8");
  } catch {
    return undefined;
  }
}

/** The files and every folder above them. */
function knownPaths(files: readonly string[]): ReadonlySet<string> {
  const all = new Set(["."]);
  for (const file of files) {
    const parts = file.split("/");
    for (let length = 1; length <= parts.length; length++) all.add(parts.slice(0, length).join("/"));
  }
  return all;
}
