import { resolve } from "node:path";
import { usageError } from "../cli-error.ts";
import type { ConfirmedOptions, JsonOptions, ListOptions } from "../commands/list-options.ts";
import type { TopicCreateOptions } from "../commands/topic.ts";
import type { Io } from "../io.ts";
import { readSmallFile } from "../target/read-small-file.ts";
import { confirm } from "../terminal/confirm.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { formatFields } from "../terminal/table.ts";
import { formatDuration } from "../units.ts";
import { administer } from "./administer.ts";
import { type AnswerObject, objectFrom, shownField } from "./answer.ts";
import { allPages, printList } from "./pages.ts";
import { readPayload } from "./read-stdin.ts";

const schemaBytesMax = 1024 * 1024;
const path = (filter: string): string => `/v1/topics/${encodeURIComponent(filter)}`;
const hints = { 404: "mess topic ls lists what is declared" };

export async function listTopics(io: Io, options: ListOptions): Promise<void> {
  const administration = await administer(io, options);
  await printList(io, options, {
    items: allPages(administration, { path: "/v1/topics", items: "topics" }),
    columns: ["FILTER", "OWNER", "RETENTION", "MAX SIZE", "KEY", "SCHEMA"].map((title) => ({ title })),
    row: (topic) => {
      const fields = settingFields(topic);
      return [
        shownField(topic, "filter"),
        fields.get("owner") ?? shownField(topic, "declaredBy"),
        fields.get("retention") ?? "",
        fields.get("maxMessageSize") ?? "",
        fields.get("key") ?? "",
        fields.has("schema") ? "yes" : "",
      ];
    },
    none: "no topics are declared",
  });
}

export async function describeTopic(io: Io, filter: string, options: JsonOptions): Promise<void> {
  const administration = await administer(io, options);
  const topic = objectFrom(await administration.request({ method: "GET", path: path(filter), hints }));
  if (options.json === true) return printJson(io, topic);
  const fields = [...settingFields(topic)].filter(([name]) => name !== "schema");
  await print(io, formatFields([["filter", shownField(topic, "filter")], ...fields, ...declaredFields(topic)]));
  const { schema } = settingsOf(topic);
  if (schema !== undefined) await print(io, `schema\n${JSON.stringify(schema, undefined, 2)}\n`);
}

export async function createTopic(io: Io, filter: string, options: TopicCreateOptions): Promise<void> {
  const settings = await topicSettings(io, options);
  const administration = await administer(io, options);
  if (options.replace !== true) await mustBeNew(administration.exists(path(filter)), `"${filter}" is declared`);
  const answer = await administration.request({ method: "PUT", path: path(filter), body: settings });
  if (options.json === true) return printJson(io, answer ?? { filter });
  note(io, `"${filter}" is declared`);
}

export async function deleteTopic(io: Io, filter: string, options: ConfirmedOptions): Promise<void> {
  if (!(await confirm(io, `take the declaration of "${filter}" back`, options.yes ?? false))) {
    return note(io, "nothing was changed");
  }
  const administration = await administer(io, options);
  await administration.request({ method: "DELETE", path: path(filter), hints });
  if (options.json === true) return printJson(io, { filter, deleted: true });
  note(io, `"${filter}" is not declared any more`);
}

/** Of two who create at once the server takes both; this is for the mistake of taking a name twice. */
export async function mustBeNew(exists: Promise<boolean>, what: string): Promise<void> {
  if (await exists) throw usageError(`${what} already`, "pass --replace to replace its settings");
}

async function topicSettings(io: Io, options: TopicCreateOptions): Promise<AnswerObject> {
  const {
    owner,
    retentionAge: age,
    retentionSize: bytes,
    maxMessageSize,
    signing,
    key,
    schema,
    rateMessages,
    rateBytes,
    erasure,
    proofs,
  } = options;
  const retention = { ...(age !== undefined && { age: formatDuration(age) }), ...(bytes !== undefined && { bytes }) };
  const rate = {
    ...(rateMessages !== undefined && { messages: `${rateMessages}/s` }),
    ...(rateBytes !== undefined && { bytes: `${rateBytes}/s` }),
  };
  return {
    ...(owner !== undefined && { owner }),
    ...(Object.keys(retention).length > 0 && { retention }),
    ...(maxMessageSize !== undefined && { maxMessageSize }),
    ...(signing !== undefined && { signing }),
    ...(key !== undefined && { key }),
    ...(Object.keys(rate).length > 0 && { rate }),
    ...(erasure !== undefined && { erasure }),
    ...(proofs !== undefined && { proofs }),
    ...(schema !== undefined && { schema: await readSchema(io, schema) }),
  };
}

async function readSchema(io: Io, file: string): Promise<unknown> {
  const text =
    file === "-"
      ? Buffer.from(await readPayload(io)).toString("utf8")
      : await readSmallFile(resolve(io.cwd, file), "the schema", schemaBytesMax);
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    const why = error instanceof Error ? error.message : "";
    throw usageError(`the schema ${file === "-" ? "on stdin" : file} is not JSON: ${why}`);
  }
}

/** The settings of a view, in the words of the policy file. */
export function settingsOf(view: AnswerObject): AnswerObject {
  return objectFrom(view["settings"]);
}

export function declaredFields(view: AnswerObject): readonly (readonly [string, string])[] {
  const by = shownField(view, "declaredBy");
  const when = shownField(view, "declaredAt");
  return by === "" ? [] : [["declared", `by ${by}${when === "" ? "" : ` at ${when}`}`]];
}

const topicSettingNames: readonly string[] = [
  "owner",
  "retention",
  "maxMessageSize",
  "signing",
  "key",
  "rate",
  "erasure",
  "schema",
];

function settingFields(topic: AnswerObject): Map<string, string> {
  const settings = settingsOf(topic);
  const shown = topicSettingNames.flatMap((name): [string, string][] => {
    const value = settings[name];
    return value === undefined ? [] : [[name, shownSetting(value)]];
  });
  return new Map(shown);
}

/** As one would write it: `7d`, `1s, 5m`, `age 7d, bytes 1024`. */
export function shownSetting(value: unknown): string {
  if (Array.isArray(value)) return value.map(shownSetting).join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  return Object.entries(value)
    .map(([name, one]) => `${name} ${shownSetting(one)}`)
    .join(", ");
}
