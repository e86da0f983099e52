import type { Explanation } from "../model/administration.ts";
import type { Grant, Policy } from "../model/policy.ts";
import { compilePolicy } from "./compile-policy.ts";
import { explain } from "./explain.ts";
import { readGrants } from "./grant-check.ts";
import type { PolicyProblems } from "./policy-problems.ts";
import { exceeds, readTable } from "./policy-tables.ts";

/** Tests in one policy, and questions in one test. */
export const policyTestsMax = 1_000;
const questionsMax = 1_000;

const KEYS = ["principal", "may", "mayNot"] as const;

/** One `[[tests]]` of a policy: what somebody must be allowed, and what not. */
export interface PolicyTest {
  readonly principal: string;
  readonly may: readonly Grant[];
  readonly mayNot: readonly Grant[];
}

/**
 * Reads the section `tests`: an array of tables, each with a `principal` and questions in the form of grants,
 * `may = [{ publish = "plant/dev7/temp" }]`, `mayNot = [{ admin = "policy" }]`.
 */
export function readPolicyTests(value: unknown, problems: PolicyProblems): PolicyTest[] {
  if (!Array.isArray(value)) {
    problems.add("tests", "is an array of tables", "begin each test with a line [[tests]]");
    return [];
  }
  if (exceeds(value.length, policyTestsMax, "tests", problems)) return [];
  return value.flatMap((entry: unknown, index) => readTest(entry, `tests[${index}]`, problems));
}

function readTest(value: unknown, path: string, problems: PolicyProblems): PolicyTest[] {
  const table = readTable(value, path, problems);
  for (const key of table.keys()) {
    if (!KEYS.some((known) => known === key)) problems.unknownKey(path, key, KEYS);
  }
  const principal = table.get("principal");
  if (typeof principal !== "string") {
    problems.add(problems.path(path, "principal"), "is the name of a principal, in quotes");
    return [];
  }
  const read = (key: "may" | "mayNot"): Grant[] =>
    readGrants(table.get(key), problems.path(path, key), questionsMax, problems);
  const test = { principal, may: read("may"), mayNot: read("mayNot") };
  if (test.may.length + test.mayNot.length === 0) problems.add(path, "asks nothing", "give `may` or `mayNot`");
  return [test];
}

/** Asks the policy, and adds a problem for each answer that is not the one the test wants. */
export function runPolicyTests(policy: Policy, tests: readonly PolicyTest[], problems: PolicyProblems): void {
  const compiled = compilePolicy(policy);
  for (const [index, { principal, may, mayNot }] of tests.entries()) {
    const ask = ({ action, filter }: Grant): Explanation =>
      explain(compiled, principal, action === "admin.*" ? "admin.policy" : action, filter);
    for (const [at, question] of may.entries()) {
      const { allowed, because } = ask(question);
      if (!allowed) fail(`tests[${index}].may[${at}]`, `${spoken(principal, "may not", question)}: ${because}`);
    }
    for (const [at, question] of mayNot.entries()) {
      const { allowed, because } = ask(question);
      if (allowed) fail(`tests[${index}].mayNot[${at}]`, `${spoken(principal, "may", question)}: ${because}`);
    }
  }

  function fail(path: string, message: string): void {
    problems.add(path, `fails: ${message}`);
  }
}

function spoken(principal: string, verb: string, { action, filter }: Grant): string {
  const what = action.startsWith("admin.") ? action : `${action} ${JSON.stringify(filter)}`;
  return `${JSON.stringify(principal)} ${verb} ${what}`;
}
