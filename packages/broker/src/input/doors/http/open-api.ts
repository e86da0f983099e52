/** The description of the API (OpenAPI 3.1), made from the same schemas that validate what comes in. */
import type { z } from "zod";
import { type JsonForm, jsonSchemaOf } from "./fields.ts";
import { NDJSON_MEDIA_TYPE } from "./media-types.ts";
import { PROBLEM_MEDIA_TYPE, type ProblemCode, problemStatus, problemTitle } from "./problem.ts";
import type { DocumentedAnswer, Route } from "./route.ts";

/** Version of the API, not of the program: it says nothing about the server. */
const API_VERSION = "1";

const DESCRIPTION =
  "Publish, consume and administer over HTTP. Every refusal is a problem document (RFC 9457) whose `type` is stable. " +
  "Unknown fields and parameters are refused. Times are RFC 3339, durations of settings are written like `30s`.";

type Schemas = Record<string, JsonForm>;

export function openApiDocument(routes: readonly Route[]): JsonForm {
  const schemas: Schemas = { Problem: problemSchema };
  const paths: Record<string, Record<string, JsonForm>> = {};
  for (const route of routes) {
    const path = templateOf(route.path);
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, schemas) };
  }
  return {
    openapi: "3.1.0",
    info: {
      title: "mess",
      version: API_VERSION,
      description: DESCRIPTION,
      license: { name: "Apache-2.0", identifier: "Apache-2.0" },
    },
    servers: [{ url: "/" }],
    tags: [...new Set(routes.map(({ group }) => group))].map((name) => ({ name })),
    paths,
    components: {
      schemas,
      securitySchemes: { key: { type: "http", scheme: "bearer", bearerFormat: "ID.SECRET" } },
    },
  };
}

/** `/v1/keys/:id` as OpenAPI writes it. */
export function templateOf(path: string): string {
  return path.replace(/:(\w+)/g, "{$1}");
}

/** Problems of a route: its own, and those that come from how requests are read. */
export function problemsOf(route: Route): readonly ProblemCode[] {
  const codes: ProblemCode[] = ["wrong-parameters", "foreign-host", ...(route.problems ?? [])];
  if (route.permission !== "public") codes.push("unauthorized", "too-many-attempts", "too-many-requests");
  if (route.permission !== "public" && route.permission !== "authenticated") codes.push("forbidden");
  if (route.longLived === true || route.method !== "GET") codes.push("foreign-origin");
  if (route.path.includes(":")) codes.push("bad-request");
  if (route.body !== undefined) codes.push("body-too-large", "unsupported-media-type");
  if (route.body !== undefined && route.body !== "bytes") codes.push("not-json", "invalid");
  return [...new Set(codes)].sort((a, b) => problemStatus(a) - problemStatus(b) || (a < b ? -1 : 1));
}

function operationOf(route: Route, schemas: Schemas): JsonForm {
  return {
    operationId: operationId(route),
    tags: [route.group],
    summary: route.summary,
    description: rightOf(route),
    parameters: parametersOf(route),
    ...(route.body !== undefined && { requestBody: requestBodyOf(route, schemas) }),
    responses: responsesOf(route, schemas),
    security: route.permission === "public" ? [] : [{ key: [] }],
  };
}

/** What the caller must be granted, in words. */
export function rightOf({ permission, right }: Route): string {
  if (permission === "public") return "Needs no key.";
  if (permission === "authenticated") return right === undefined ? "Needs any key." : `Right: ${right}.`;
  return `Right: \`${permission}\`.`;
}

function operationId({ method, path }: Route): string {
  const words = path.split(/[/:.-]+/).filter((word) => word !== "" && word !== "v1");
  return [method.toLowerCase(), ...words].map((word, index) => (index === 0 ? word : capital(word))).join("");
}

function capital(word: string): string {
  return `${word[0]?.toUpperCase()}${word.slice(1)}`;
}

function parametersOf(route: Route): readonly JsonForm[] {
  const inPath = [...route.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: "path",
    required: true,
    schema: { type: "string" },
  }));
  return [
    ...inPath,
    ...membersOf(route.query, "query"),
    ...(route.requestHeaders ? membersOf(route.requestHeaders, "header") : []),
  ];
}

function membersOf(schema: z.ZodType, place: "query" | "header"): readonly JsonForm[] {
  const { properties = {}, required = [] } = jsonSchemaOf(schema) as {
    properties?: Readonly<Record<string, JsonForm>>;
    required?: readonly string[];
  };
  return Object.entries(properties).map(([name, { description, ...form }]) => ({
    name,
    in: place,
    required: required.includes(name),
    ...(description !== undefined && { description }),
    schema: form,
  }));
}

function requestBodyOf(route: Route, schemas: Schemas): JsonForm {
  const { body, bodyDescription, bodySchema, bodyOptional } = route;
  const common = {
    required: bodyOptional !== true,
    ...(bodyDescription !== undefined && { description: bodyDescription }),
  };
  if (body === "bytes") return { ...common, required: false, content: { "*/*": { schema: {} } } };
  if (body === "text") return { ...common, content: { "application/json": { schema: { type: "object" } } } };
  const schema = componentOf(body === "lines" ? bodySchema : (body as z.ZodType), "input", schemas);
  // The schema is that of a line: OpenAPI 3.1 has no word for a sequence.
  return { ...common, content: { [body === "lines" ? NDJSON_MEDIA_TYPE : "application/json"]: { schema } } };
}

function responsesOf(route: Route, schemas: Schemas): JsonForm {
  const responses: Record<string, JsonForm> = {};
  for (const [status, answer] of Object.entries(route.answers)) responses[status] = responseOf(answer, schemas);
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of problemsOf(route))
    byStatus.set(problemStatus(code), [...(byStatus.get(problemStatus(code)) ?? []), code]);
  for (const [status, codes] of byStatus) {
    const own = responses[status];
    const description = codes.map((code) => `\`${code}\`: ${problemTitle(code)}.`).join(" ");
    const types = { properties: { type: { enum: codes.map((code) => `urn:mess:problem:${code}`) } } };
    const schema = { allOf: [{ $ref: "#/components/schemas/Problem" }, types] };
    const content = { [PROBLEM_MEDIA_TYPE]: { schema } };
    responses[status] =
      own === undefined ? { description, content } : { ...own, content: { ...(own["content"] as object), ...content } };
  }
  responses["default"] = {
    description: "Any other problem: a mistake of the server's, or what was wrong before the request was understood.",
    content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: "#/components/schemas/Problem" } } },
  };
  return responses;
}

function responseOf({ description, schema, mediaType }: DocumentedAnswer, schemas: Schemas): JsonForm {
  if (schema === undefined && mediaType === undefined) return { description };
  const form = schema === undefined ? { type: "string" } : componentOf(schema, "output", schemas);
  return { description, content: { [mediaType ?? "application/json"]: { schema: form } } };
}

/** Named schemas go among the components, once; `$defs` that zod made of them too. */
function componentOf(schema: z.ZodType | undefined, io: "input" | "output", schemas: Schemas): JsonForm {
  if (schema === undefined) return {};
  const { $defs = {}, ...form } = jsonSchemaOf(schema, io) as { $defs?: Schemas };
  for (const [name, definition] of Object.entries($defs)) schemas[name] = withoutId(relinked(definition));
  const own = relinked(form);
  const id = own["id"];
  if (typeof id !== "string") return own;
  schemas[id] = withoutId(own);
  return { $ref: `#/components/schemas/${id}` };
}

function withoutId({ id: _, ...form }: JsonForm): JsonForm {
  return form;
}

/** References to `$defs` of the document as references to components. */
function relinked(form: JsonForm): JsonForm {
  return JSON.parse(JSON.stringify(form).replaceAll('"#/$defs/', '"#/components/schemas/')) as JsonForm;
}

const problemSchema: JsonForm = {
  type: "object",
  required: ["type", "title", "status"],
  properties: {
    type: { type: "string", format: "uri", description: "stable; for programs" },
    title: { type: "string" },
    status: { type: "integer" },
    detail: { type: "string", description: "for people: what is wrong this time, and how to mend it" },
    errors: {
      type: "array",
      items: {
        type: "object",
        required: ["path", "message"],
        properties: {
          path: { type: "string", description: "field or parameter; empty for the whole" },
          message: { type: "string" },
          line: { type: "integer", description: "of an NDJSON body, from 1" },
        },
      },
    },
    results: { type: "array", items: {}, description: "of settlements: what became of each" },
  },
};
