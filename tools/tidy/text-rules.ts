/** Rules over the text of every file of the repository, code or not. */
import type { Finding } from "./finding.ts";

interface TextRule {
  readonly rule: string;
  readonly pattern: RegExp;
  readonly message: string;
  /** Paths the rule does not hold for. */
  readonly except?: RegExp;
}

// Patterns are put together from pieces, so that this file does not trip over itself.
const open = ["TO" + "DO", "FIX" + "ME", "X" + "XX", "HA" + "CK"].join("|");
const compiler = ["@ts-" + "ignore", "@ts-" + "nocheck", "eslint-" + "disable"].join("|");

const textRules: readonly TextRule[] = [
  {
    rule: "no-open-ends",
    pattern: new RegExp(`\\b(${open})\\b`),
    message: "finish it, or open an issue; the tree holds no reminders",
    except: /\.(test|test-data)\.ts$/,
  },
  {
    rule: "no-switched-off-checks",
    pattern: new RegExp(compiler),
    message: "mend the cause instead (`@ts-expect-error` with a reason where the compiler is wrong)",
  },
  {
    rule: "no-machine-paths",
    pattern: /(?<![\w.~$}/])\/(home|Users|root|work)\/[\w.-]+/,
    message: "an absolute path of one machine; use a relative path or a temporary directory",
  },
  {
    rule: "no-registry-hosts",
    pattern: /https?:\/\/[^\s"'`)]*(registry|npmjs|artifactory|verdaccio|nexus)[^\s"'`)]*/i,
    message:
      "package registries are the reader's own choice; keep their addresses out (.npmrc: omit-lockfile-registry-resolved)",
  },
  {
    rule: "glossary",
    pattern: /\b(white|black)[ -]?list|\bmaster\/slave/i,
    message: "say allow-list, deny-list, primary and replica",
  },
  { rule: "no-tabs", pattern: /^\t/, message: "indent with two spaces" },
  { rule: "no-trailing-space", pattern: /[ \t]+$/, message: "trailing white space" },
  { rule: "no-conflict-marks", pattern: /^(<{7}|>{7}) /, message: "a merge was not finished" },
];

/** Names that say nothing about what lies within (ARCHITECTURE.md: folders are parts, files are nouns or verbs). */
const emptyNames = /(^|\/)(utils?|helpers?|misc|common|shared|stuff|lib)(\.ts|\/)/;

export function checkText(path: string, text: string): Finding[] {
  const findings: Finding[] = [];
  if (emptyNames.test(path)) {
    findings.push({ path, line: 1, rule: "file-name", message: "the name says nothing; name the thing it holds" });
  }
  const rules = textRules.filter((rule) => rule.except === undefined || !rule.except.test(path));
  let number = 0;
  for (const line of text.split("\n")) {
    number++;
    for (const { rule, pattern, message } of rules) {
      if (pattern.test(line)) findings.push({ path, line: number, rule, message });
    }
  }
  return findings;
}
