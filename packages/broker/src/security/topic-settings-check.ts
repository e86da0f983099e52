import { type DeclarationLimits, settingBounds } from "../model/setting-bounds.ts";
import { type JsonSchema, type Retention, signingModes, type TopicSettings } from "../model/settings.ts";
import { patternLevels, patternProblem, patternsOverlap } from "../model/topic-pattern.ts";
import type { PolicyProblems } from "./policy-problems.ts";
import { emptyRecord, exceeds, isTable, readTable } from "./policy-tables.ts";
import {
  declaredFilterProblem,
  readChoice,
  readDuration,
  readPrincipal,
  readSize,
  type SettingPlace,
} from "./setting-readers.ts";
import { readRate } from "./topic-rate-check.ts";

const keys = ["owner", "retention", "maxMessageSize", "signing", "schema", "key", "rate", "erasure", "proofs"] as const;
/** Deeper than any schema for people; the journal and the API carry it as JSON. */
const schemaDepthMax = 64;

/** The section `topics`: a filter, then its settings. */
export function readTopics(
  value: unknown,
  limits: DeclarationLimits,
  problems: PolicyProblems,
): Record<string, TopicSettings> {
  const topics = emptyRecord<TopicSettings>();
  const table = readTable(value, "topics", problems);
  if (exceeds(table.size, limits.declaredTopicsMax, "topics", problems)) return topics;
  for (const [filter, entry] of table) {
    const path = problems.path("topics", filter);
    const problem = declaredFilterProblem(filter, limits);
    if (problem === undefined) topics[filter] = readTopicSettings(entry, filter, limits, { path, problems });
    else problems.add(path, problem);
  }
  return topics;
}

export function readTopicSettings(
  value: unknown,
  filter: string,
  limits: DeclarationLimits,
  { path, problems }: SettingPlace,
): TopicSettings {
  const table = readTable(value, path, problems);
  for (const name of table.keys()) {
    if (!keys.some((known) => known === name)) problems.unknownKey(path, name, keys);
  }
  const at = (name: (typeof keys)[number]): SettingPlace => ({ path: problems.path(path, name), problems });
  const owner = readPrincipal(table.get("owner"), at("owner"));
  const retention = readRetention(table.get("retention"), at("retention"));
  const size = [1, limits.packetBytesMax] as const;
  const maxMessageBytes = readSize(table.get("maxMessageSize"), size, at("maxMessageSize"));
  const signing = readChoice(table.get("signing"), signingModes, at("signing"));
  const schema = readSchema(table.get("schema"), limits.schemaBytesMax, at("schema"));
  const key = readKey(table.get("key"), filter, limits, at("key"));
  const rate = readRate(table.get("rate"), at("rate"));
  const erasure = readChoice(table.get("erasure"), ["topic", "key"] as const, at("erasure"));
  const proofs = readChoice(table.get("proofs"), ["message"] as const, at("proofs"));
  return {
    ...(owner !== undefined && { owner }),
    ...(proofs !== undefined && { proofs }),
    ...(retention !== undefined && { retention }),
    ...(maxMessageBytes !== undefined && { maxMessageBytes }),
    ...(signing !== undefined && { signing }),
    ...(schema !== undefined && { schema }),
    ...(key !== undefined && { key }),
    ...(rate !== undefined && { rate }),
    ...(erasure !== undefined && { erasure }),
  };
}

/** `"7d"`, or `{ age, bytes }` with one of them or both. */
function readRetention(value: unknown, place: SettingPlace): Retention | undefined {
  if (value === undefined) return undefined;
  const { path, problems } = place;
  if (!isTable(value)) {
    if (typeof value === "string" || typeof value === "number") {
      const ageMs = readDuration(value, settingBounds.retentionAge, place);
      return ageMs === undefined ? undefined : { ageMs };
    }
    problems.add(path, 'is a duration such as "7d", or a table such as { age = "7d", bytes = "1GiB" }');
    return undefined;
  }
  const table = new Map(Object.entries(value));
  for (const name of table.keys()) {
    if (name !== "age" && name !== "bytes") problems.unknownKey(path, name, ["age", "bytes"]);
  }
  if (table.size === 0) problems.add(path, "is empty", "name `age`, `bytes` or both; without retention leave it out");
  const at = (name: string): SettingPlace => ({ path: problems.path(path, name), problems });
  const ageMs = readDuration(table.get("age"), settingBounds.retentionAge, at("age"));
  const bytes = readSize(table.get("bytes"), settingBounds.retentionBytes, at("bytes"));
  return { ...(ageMs !== undefined && { ageMs }), ...(bytes !== undefined && { bytes }) };
}

/** A table, true or false, or the JSON text of one. Whether it can be used is for the interpreter to say. */
function readSchema(value: unknown, bytesMax: number, { path, problems }: SettingPlace): JsonSchema | undefined {
  if (value === undefined) return undefined;
  const schema = typeof value === "string" ? parsed(value, bytesMax) : value;
  if (typeof schema === "boolean") return schema;
  if (!isTable(schema)) {
    const what =
      typeof value === "string" ? `is JSON of at most ${bytesMax} bytes` : "is a table, or the schema as JSON";
    problems.add(path, what, 'schema = \'{ "type": "object" }\'');
    return undefined;
  }
  if (!isJson(schema, 0)) {
    problems.add(path, `holds only what JSON has, nested at most ${schemaDepthMax} deep`);
    return undefined;
  }
  if (Buffer.byteLength(JSON.stringify(schema)) <= bytesMax) return schema;
  problems.add(path, `has at most ${bytesMax} bytes as JSON`);
  return undefined;
}

function parsed(text: string, bytesMax: number): unknown {
  // Spaces make it longer; far longer is not parsed.
  if (text.length > 4 * bytesMax) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** TOML has times, infinities and big numbers. */
function isJson(value: unknown, depth: number): boolean {
  if (value === null || typeof value === "string" || typeof value === "boolean") return true;
  if (typeof value === "number") return Number.isFinite(value);
  if (depth >= schemaDepthMax) return false;
  if (Array.isArray(value)) return value.every((item) => isJson(item, depth + 1));
  return isTable(value) && Object.values(value).every((item) => isJson(item, depth + 1));
}

/** A filter with one `{name}` level, whose text is the ordering key. */
function readKey(
  value: unknown,
  filter: string,
  limits: DeclarationLimits,
  { path, problems }: SettingPlace,
): string | undefined {
  if (value === undefined) return undefined;
  const example = 'key = "orders/{id}/#"';
  if (typeof value !== "string") {
    problems.add(path, "is a topic filter with one level in braces, in quotes", example);
    return undefined;
  }
  const levels = patternLevels(value);
  const plain = levels.map((level) => (/^\{[A-Za-z][A-Za-z0-9_-]*\}$/.test(level) ? "+" : level));
  const keyLevels = plain.filter((level, index) => level !== levels[index]).length;
  const bounds = { bytesMax: limits.topicBytesMax, levelsMax: limits.topicLevelsMax };
  const pattern = plain.join("/");
  const problem =
    keyLevels !== 1 || plain.some((level) => level.includes("{") || level.includes("}"))
      ? "has exactly one level in braces, whose text in a topic is the ordering key"
      : patternProblem(pattern, bounds);
  if (problem !== undefined) problems.add(path, problem, example);
  else if (patternsOverlap(pattern, filter)) return value;
  else problems.add(path, "matches no topic that these settings are for", example);
  return undefined;
}
