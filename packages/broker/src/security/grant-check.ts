import type { Grant } from "../model/policy.ts";
import { patternLevels, patternProblem } from "../model/topic-pattern.ts";
import { PRINCIPAL_LEVEL } from "./grant-tree.ts";
import type { PolicyProblems } from "./policy-problems.ts";

type GrantAction = Grant["action"];

/** THREATS D5. */
const FILTER_BOUNDS = { bytesMax: 1_024, levelsMax: 64 } as const;

const TOPIC_ACTIONS: ReadonlySet<string> = new Set([
  "publish",
  "subscribe",
  "retain",
  "will",
  "share",
  "consume",
  "create",
  "manage",
] satisfies GrantAction[]);

const ADMIN_WORDS: ReadonlyMap<string, GrantAction> = new Map([
  ["*", "admin.*"],
  ["keys", "admin.keys"],
  ["policy", "admin.policy"],
  ["sessions", "admin.sessions"],
  ["metrics", "admin.metrics"],
  ["audit", "admin.audit"],
  ["storage", "admin.storage"],
]);

/** The trees of the broker that a grant may name; other names in `$` are refused, never taken as literals. */
const BROKER_TREES: readonly string[] = ["$mess", "$SYS"];

/**
 * Reads `allow` or `deny`: an array of tables. A table names one or more actions, each with a filter or an array of
 * filters: `{ publish = "orders/#", retain = ["orders/a", "orders/b"] }`, `{ admin = "keys" }`. The form of the API,
 * `{ action = "publish", filter = "orders/#" }`, means the same.
 */
export function readGrants(value: unknown, path: string, max: number, problems: PolicyProblems): Grant[] {
  if (value === undefined) return [];
  if (!Array.isArray(value)) {
    problems.add(path, "is an array of grants", '[{ publish = "orders/#" }]');
    return [];
  }
  const grants: Grant[] = [];
  for (const [index, entry] of value.entries()) {
    if (grants.length > max) break;
    for (const grant of readGrant(entry, `${path}[${index}]`, problems)) grants.push(grant);
  }
  return grants;
}

function readGrant(value: unknown, path: string, problems: PolicyProblems): Grant[] {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    problems.add(path, "is a table of an action and a filter", '{ publish = "orders/#" }');
    return [];
  }
  const entries = Object.entries(value);
  if (entries.length === 0) problems.add(path, "is empty", "name an action and its filter");
  if (Object.hasOwn(value, "action")) return readActionAndFilter(new Map(entries), path, problems);
  return entries.flatMap(([key, filters]) => {
    const keyPath = problems.path(path, key);
    if (key === "admin") return readAdmin(filters, keyPath, problems);
    if (TOPIC_ACTIONS.has(key)) return readFilters(key as GrantAction, filters, keyPath, problems);
    problems.unknownKey(path, key, [...TOPIC_ACTIONS, "admin"]);
    return [];
  });
}

function readActionAndFilter(entries: ReadonlyMap<string, unknown>, path: string, problems: PolicyProblems): Grant[] {
  for (const key of entries.keys()) {
    if (key !== "action" && key !== "filter") problems.unknownKey(path, key, ["action", "filter"]);
  }
  const action = entries.get("action");
  const filter = entries.get("filter");
  const actionPath = problems.path(path, "action");
  if (typeof action !== "string") {
    problems.add(actionPath, "is the name of an action, in quotes");
    return [];
  }
  const filterPath = problems.path(path, "filter");
  if (TOPIC_ACTIONS.has(action)) return readFilters(action as GrantAction, filter, filterPath, problems);
  const admin = [...ADMIN_WORDS.values()].find((known) => known === action);
  if (admin === undefined) {
    problems.unknownName(actionPath, "action", action, [...TOPIC_ACTIONS, ...ADMIN_WORDS.values()]);
    return [];
  }
  if (filter !== undefined && filter !== "#")
    problems.add(filterPath, 'is "#" for an admin action: it is not about a topic');
  return [{ action: admin, filter: "#" }];
}

function readAdmin(value: unknown, path: string, problems: PolicyProblems): Grant[] {
  return readStrings(value, path, problems).flatMap(([word, wordPath]) => {
    const action = ADMIN_WORDS.get(word);
    if (action !== undefined) return [{ action, filter: "#" }];
    problems.unknownName(wordPath, "admin action", word, ADMIN_WORDS.keys());
    return [];
  });
}

function readFilters(action: GrantAction, value: unknown, path: string, problems: PolicyProblems): Grant[] {
  return readStrings(value, path, problems).flatMap(([filter, filterPath]) => {
    if (!checkFilter(filter, filterPath, problems)) return [];
    return [{ action, filter }];
  });
}

/** A string, or the strings of an array, each with its path. */
function readStrings(value: unknown, path: string, problems: PolicyProblems): [text: string, path: string][] {
  if (typeof value === "string") return [[value, path]];
  if (!Array.isArray(value) || value.length === 0) {
    problems.add(path, "is a string or a non-empty array of strings");
    return [];
  }
  return value.flatMap((item: unknown, index): [string, string][] => {
    const itemPath = `${path}[${index}]`;
    if (typeof item === "string") return [[item, itemPath]];
    problems.add(itemPath, "is a string");
    return [];
  });
}

function checkFilter(filter: string, path: string, problems: PolicyProblems): boolean {
  const problem = patternProblem(filter, FILTER_BOUNDS);
  if (problem !== undefined) {
    problems.add(path, problem);
    return false;
  }
  const levels = patternLevels(filter);
  const first = levels[0] ?? "";
  if (first.startsWith("$") && !BROKER_TREES.includes(first)) {
    const hint = first === "$share" ? 'grant `share` on the filter that follows: { share = "a/#" }' : undefined;
    problems.add(
      path,
      `names beginning with \`$\` are the broker's; a grant may name ${BROKER_TREES.join(" and ")}`,
      hint,
    );
    return false;
  }
  const braced = levels.find((level) => level !== PRINCIPAL_LEVEL && (level.includes("{") || level.includes("}")));
  if (braced === undefined) return true;
  problems.add(path, "braces are for `{principal}`, which stands alone in its level; nothing else is substituted");
  return false;
}
