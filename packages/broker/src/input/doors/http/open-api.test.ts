import { afterEach, beforeAll, describe, expect, it } from "vitest";
import { defaultLimits } from "../../../config/limits.ts";
import { AdministrationError } from "../../../model/administration.ts";
import type { PasswordVerifier } from "../../../model/password.ts";
import { defaultSubscriptionSettings } from "../../../model/settings.ts";
import type { SignatureProblem } from "../../../model/signing.ts";
import { until } from "../../input.test-data.ts";
import type { JsonForm } from "./fields.ts";
import {
  type Ask,
  adminKey,
  ask,
  type Door,
  type DoorOptions,
  openDoor,
  type Reply,
  readerKey,
} from "./http.test-data.ts";
import { problemsOf, templateOf } from "./open-api.ts";
import type { ProblemCode } from "./problem.ts";
import { leaseOf, storedOf, viewOf, viewOfSubscription } from "./queue.test-data.ts";
import type { Route } from "./route.ts";
import { routesOf } from "./routes.ts";

const routes = routesOf(defaultLimits);
const nameOf = ({ method, path }: Route): string => `${method} ${templateOf(path)}`;
let door: Door;
const noVerifier: PasswordVerifier = {
  salt: new Uint8Array(16),
  iterations: 15_000,
  storedKey: new Uint8Array(32),
  serverKey: new Uint8Array(32),
};

async function open(options: DoorOptions = {}): Promise<void> {
  await door?.listening.close();
  door = await openDoor(options);
  const settings = { ...defaultSubscriptionSettings, filters: ["a"] };
  door.queueAdministration.declared.set("s", viewOfSubscription("s", settings, "admin"));
  await door.queueAdministration.declareTopic("admin", "a", { retention: { ageMs: 1_000 } });
  await door.administration.passwords.set("admin", "s", noVerifier);
  door.queueAdministration.deadLetters = [
    storedOf(7, { attributes: { reason: "r", attempts: 1, originTopic: "a", origin: 2 } }),
    storedOf(8, {
      payload: Buffer.from([255]),
      properties: { correlationData: Buffer.from("x"), userProperties: [["a", "b"]] },
    }),
  ];
  await door.certificateAdministration.issueCertificate("admin", { principal: "a", request: "PEM", days: 1 });
  door.queueAdministration.stored = door.queueAdministration.deadLetters;
  door.queueAdministration.delayedMessages = [{ offset: 1, topic: "a", publisher: "p", dueAt: 1, bytes: 1 }];
  door.queues.onConsume = (consumer) => consumer.deliver(viewOf(), leaseOf(1));
}

afterEach(async () => {
  expect(door?.failures ?? []).toEqual([]);
  await door?.listening.close();
});

const ndjson = { "content-type": "application/x-ndjson" };
/** A request for each route that takes more than its path. Path parameters have these values. */
const params: Readonly<Record<string, string>> = {
  name: "s",
  topic: "a",
  filter: "a",
  offset: "7",
  id: "key-1",
  serial: "01AB",
};
const samples: Readonly<Record<string, { query?: string; body?: unknown; headers?: Record<string, string> }>> = {
  "POST /v1/messages": { query: "topic=a", body: "x", headers: { "content-type": "text/plain" } },
  "POST /v1/topics/{topic}/messages": { body: "x", headers: { "content-type": "text/plain" } },
  "POST /v1/batch": { body: '{"topic":"a"}\n', headers: ndjson },
  "GET /v1/messages": { query: "filter=a&limit=1" },
  "GET /v1/events": { query: "filter=a" },
  "PUT /v1/subscriptions/{name}": { body: { filters: ["a"] } },
  "POST /v1/subscriptions/{name}/pull": { body: {} },
  "POST /v1/subscriptions/{name}/reset": { body: { to: "latest" } },
  "POST /v1/subscriptions/{name}/dead/redrive": { body: { all: true } },
  "POST /v1/subscriptions/{name}/dead/purge": { body: { all: true } },
  "PUT /v1/topics/{filter}": { body: {} },
  "POST /v1/signing-keys": { body: { principal: "p", algorithm: "HS256" } },
  "POST /v1/keys": { body: { name: "n", roles: ["writer"] } },
  "POST /v1/certificates": { body: { principal: "a", request: "PEM", days: 1 } },
  "PUT /v1/principals/{name}/password": {
    body: {
      salt: Buffer.alloc(16).toString("base64"),
      iterations: 15_000,
      storedKey: Buffer.alloc(32).toString("base64"),
      serverKey: Buffer.alloc(32).toString("base64"),
    },
  },
  "PUT /v1/policy": { body: { roles: {} } },
  "GET /v1/audit": { query: "event=acl.*&limit=5" },
  "GET /v1/who-can": { query: "action=publish&topic=a" },
  "POST /v1/log/checkpoint/cosignatures": { body: { note: "n" } },
  "GET /v1/log/inclusion": { query: "seq=1" },
  "GET /v1/log/consistency": { query: "from=1" },
  "GET /v1/why": { query: "principal=p&action=publish&topic=a" },
  ...Object.fromEntries(
    ["ack", "nack", "reject", "release", "extend"].map((verb) => [
      `POST /v1/subscriptions/{name}/${verb}`,
      { body: { tokens: ["t"] } },
    ]),
  ),
};

interface Change extends Ask {
  readonly path?: string;
  readonly query?: string;
}

function send(route: Route, change: Change = {}): Promise<Reply> {
  const sample = samples[nameOf(route)] ?? {};
  const path = change.path ?? route.path.replace(/:(\w+)/g, (_, name: string) => params[name] ?? "");
  const query = [sample.query, change.query].filter(Boolean).join("&");
  return ask(door, query === "" ? path : `${path}?${query}`, {
    method: route.method,
    key: adminKey,
    body: sample.body,
    ...change,
    headers: { ...sample.headers, ...change.headers },
  });
}

/** How each problem comes about, on every route that names it. */
const provocations: Partial<Record<ProblemCode, (route: Route) => Promise<Reply>>> = {
  "wrong-parameters": (route) => send(route, { query: "surely-unknown=1" }),
  "bad-request": (route) => send(route, { path: route.path.replace(/:\w+/, "%FF").replace(/:\w+/g, "1") }),
  "foreign-host": (route) => send(route, { headers: { host: "evil.example" } }),
  "foreign-origin": (route) => send(route, { headers: { "sec-fetch-site": "cross-site" } }),
  unauthorized: (route) => ask(door, targetWithVerbose(route), { method: route.method }),
  "too-many-attempts": async (route) => {
    await open({ limits: { authFailuresPerAddressPerMinute: 1 } });
    await ask(door, "/v1/whoami", { key: "admin-key.wrong" });
    return await ask(door, targetWithVerbose(route), { method: route.method, key: adminKey });
  },
  "too-many-requests": async (route) => {
    await open({ limits: { httpRequestsPerPrincipalPerSecond: 1 } });
    await ask(door, "/v1/whoami", { key: adminKey });
    return await send(route);
  },
  "not-json": (route) => send(route, { body: Buffer.from([0x7b, 0xff]) }),
  "unsupported-media-type": (route) =>
    send(route, {
      body: "{}",
      headers: route.body === "bytes" ? { "content-encoding": "gzip" } : { "content-type": "text/x" },
    }),
  "body-too-large": async (route) => {
    await open({ limits: { httpBodyBytesMax: 1_024 } });
    return await send(route, { body: " ".repeat(1_025) });
  },
  invalid: (route) => {
    if (route.method === "GET") return refused(route, "invalid", 0x8f);
    if (route.body !== "bytes") return send(route, { body: "[]" });
    return send(route, { headers: Object.fromEntries(Array.from({ length: 33 }, (_, i) => [`mess-header-${i}`, ""])) });
  },
  forbidden: (route) => {
    if (route.permission === "public") return ask(door, targetWithVerbose(route), { key: readerKey });
    if (route.permission !== "authenticated") return send(route, { key: readerKey });
    return refused(route, "forbidden", 0x87);
  },
  "not-found": (route) => refused(route, "not-found", 0x11),
  conflict: (route) => {
    if (route.path === "/v1/keys") return send(route, { body: { name: "taken", roles: [] } });
    if (route.path.endsWith("/pull")) {
      door.queues.onConsume = (consumer) => void setImmediate(() => consumer.end("session-ended", "it was deleted"));
      return send(route);
    }
    return refused(route, "conflict", 0x83);
  },
  unavailable: (route) => refused(route, "unavailable", 0x88),
  "quota-exceeded": (route) => refused(route, "conflict", 0x97),
  "too-large": (route) => refused(route, "conflict", 0x95),
  "schema-violation": (route) => refused(route, "conflict", 0x99),
  "signature-refused": (route) => unsigned(route, "sig.required", 0x87),
  "signature-replayed": (route) => unsigned(route, "sig.replay", 0x87),
  "lease-gone": (route) => {
    door.queues.results.set("t", "gone");
    return send(route);
  },
  "upgrade-required": (route) => send(route),
};

function unsigned(route: Route, signature: SignatureProblem, reason: number): Promise<Reply> {
  door.queues.answer = () => ({ reason, text: "because", signature, offset: 0, duplicate: false });
  return send(route);
}

function targetWithVerbose(route: Route): string {
  const path = route.path.replace(/:(\w+)/g, (_, name: string) => params[name] ?? "");
  return route.permission === "public" ? `${path}?verbose` : path;
}

/** Everything behind the door says no. */
function refused(route: Route, code: AdministrationError["code"], reason: number): Promise<Reply> {
  const refusal = { reason, text: "because" };
  const error = new AdministrationError(code, "because");
  door.queueAdministration.error = error;
  door.signingKeys.error = error;
  door.certificateAdministration.error = error;
  door.keyAdministration.error = error;
  door.queues.refusal = refusal;
  door.queues.answer = () => ({ ...refusal, offset: 0, duplicate: false });
  door.queues.results.set("t", code === "forbidden" ? "forbidden" : "failed");
  door.engine.subscribeCode = reason;
  door.administration.revokeKey = () => Promise.reject(error);
  door.administration.applyPolicy = () => Promise.reject(error);
  door.administration.backup = () => Promise.reject(error);
  door.administration.auditTrail = () => Promise.reject(error);
  const no = (): Promise<never> => Promise.reject(error);
  Object.assign(door.administration.log, { inclusion: no, consistency: no, cosign: no, cosigned: () => undefined });
  Object.assign(door.administration.passwords, { set: no, remove: no });
  Object.assign(door.administration.storage, { scrub: no, rotateDataKey: no, rotateKek: no });
  return send(route);
}

describe("every documented answer comes", () => {
  it.each(routes.map((route) => [nameOf(route), route] as const))("%s", { timeout: 60_000 }, async (_, route) => {
    for (const [status, answer] of Object.entries(route.answers)) {
      await open();
      const reply = await succeed(route, Number(status));
      expect(reply.status, `${status} ${reply.text}`).toBe(Number(status));
      const { schema, mediaType = schema === undefined ? undefined : "application/json" } = answer;
      expect(reply.headers["content-type"]).toBe(mediaType);
      if (schema === undefined) continue;
      for (const value of valuesOf(reply)) expect(schema.safeParse(value).error?.issues ?? []).toEqual([]);
    }
    for (const code of problemsOf(route)) {
      await open();
      const reply = await (provocations[code] as (route: Route) => Promise<Reply>)(route);
      expect(reply.json["type"], `${code}: ${reply.text}`).toBe(`urn:mess:problem:${code}`);
      expect(reply.headers["content-type"]).toBe("application/problem+json");
      expect(reply.json["status"]).toBe(reply.status);
    }
  });
});

/** The status asked for, of those that are no problems. */
async function succeed(route: Route, status: number): Promise<Reply> {
  if (status === 503) door.administration.ready = false;
  if (status === 201 && route.method === "PUT") {
    door.queueAdministration.declared.clear();
    door.queueAdministration.declaredTopics.clear();
  }
  if (route.path === "/v1/keys/:id")
    await send(routes.find(({ path }) => path === "/v1/keys") as Route, {
      method: "POST",
      body: { name: "n", roles: [] },
    });
  if (route.path === "/v1/backup") {
    const chunks = (async function* (): AsyncIterable<Uint8Array> {
      yield Buffer.from("archive");
    })();
    door.administration.backup = () => Promise.resolve({ bytes: 7, lastSeq: 1, chunks, close: () => {} });
  }
  if (!route.path.endsWith("/events")) return await send(route);
  door.queues.onConsume = undefined;
  const pending = send(route);
  if (route.path === "/v1/events") {
    await until(() => door.engine.sessions[0]?.link.ready === true);
    door.engine.deliver(viewOf(), 5);
    door.engine.last.link.end("administrative", "enough");
  } else {
    await until(() => door.queues.consuming[0]?.consumer.ready === true);
    door.queues.consuming[0]?.consumer.deliver(viewOf(), leaseOf(5));
    door.queues.consuming[0]?.consumer.end("administrative", "enough");
  }
  return await pending;
}

/** What the schema is of: the body, each line of it, or the data of each event but the last. */
function valuesOf({ headers, text, json }: Reply): readonly unknown[] {
  const type = headers["content-type"];
  if (type === "application/x-ndjson")
    return text
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown);
  if (type !== "text/event-stream") return [json];
  return [...text.matchAll(/^data: (.*)$/gm)].slice(0, -1).map(([, data = ""]) => JSON.parse(data) as unknown);
}

type Operation = Readonly<{
  operationId: string;
  tags: string[];
  parameters: { name: string; in: string; required: boolean; schema: JsonForm }[];
  requestBody?: { content: Record<string, { schema: JsonForm }> };
  responses: Record<string, { description: string; content?: Record<string, { schema: JsonForm }> }>;
  security: unknown[];
}>;

describe("GET /openapi.json", () => {
  let document: JsonForm;
  let operations: [string, Operation][];
  beforeAll(async () => {
    door = await openDoor();
    const reply = await ask(door, "/openapi.json");
    expect(reply.status).toBe(200);
    document = reply.json;
    await door.listening.close();
    operations = Object.entries(document["paths"] as Record<string, Record<string, Operation>>).flatMap(
      ([path, item]) =>
        Object.entries(item).map(([method, operation]): [string, Operation] => [
          `${method.toUpperCase()} ${path}`,
          operation,
        ]),
    );
  });

  it("has the members that OpenAPI 3.1 asks for", () => {
    expect(document).toMatchObject({ openapi: "3.1.0", info: { title: "mess", version: "1" } });
    expect(Object.keys(document).sort()).toEqual(["components", "info", "openapi", "paths", "servers", "tags"]);
    const tags = (document["tags"] as { name: string }[]).map(({ name }) => name);
    expect(new Set(tags).size).toBe(tags.length);
    for (const [, { tags: own }] of operations) expect(tags).toEqual(expect.arrayContaining(own));
  });

  it("has every route, and no other", () => {
    expect(operations.map(([name]) => name).sort()).toEqual(routes.map(nameOf).sort());
    const ids = operations.map(([, { operationId }]) => operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const id of ids) expect(id).toMatch(/^[a-z][A-Za-z0-9]+$/);
  });

  it("names the parameters of each path, each parameter once, and describes every response", () => {
    for (const [name, { parameters, responses }] of operations) {
      const inPath = [...name.matchAll(/\{(\w+)\}/g)].map(([, parameter]) => parameter);
      expect(parameters.filter((parameter) => parameter.in === "path").map((parameter) => parameter.name)).toEqual(
        inPath,
      );
      const keys = parameters.map((parameter) => `${parameter.in} ${parameter.name.toLowerCase()}`);
      expect(new Set(keys).size).toBe(keys.length);
      for (const parameter of parameters) {
        expect(["path", "query", "header"]).toContain(parameter.in);
        if (parameter.in === "path") expect(parameter.required).toBe(true);
        expect(typeof parameter.schema).toBe("object");
      }
      for (const [status, response] of Object.entries(responses)) {
        expect(status).toMatch(/^([1-5]\d\d|default)$/);
        expect(response.description).not.toBe("");
      }
    }
  });

  it("refers only to what is there, and says nothing that JSON Schema does not know", () => {
    const { schemas, securitySchemes } = document["components"] as Record<string, Record<string, JsonForm>>;
    expect(Object.keys(securitySchemes ?? {})).toEqual(["key"]);
    const referred = new Set<string>();
    const walk = (value: unknown): void => {
      if (typeof value !== "object" || value === null) return;
      for (const [key, member] of Object.entries(value)) {
        if (key === "$ref") referred.add(member as string);
        expect(["$defs", "$schema"]).not.toContain(key);
        walk(member);
      }
    };
    walk(document);
    for (const reference of referred) {
      expect(reference).toMatch(/^#\/components\/schemas\//);
      expect(schemas).toHaveProperty(reference.slice("#/components/schemas/".length));
    }
    expect([...referred].sort()).toEqual(
      Object.keys(schemas ?? {})
        .map((name) => `#/components/schemas/${name}`)
        .sort(),
    );
  });

  it("says what validates: required, bounds, unknown members", () => {
    const operation = (name: string): Operation => operations.find(([own]) => own === name)?.[1] as Operation;
    const topic = operation("POST /v1/messages").parameters.find(({ name }) => name === "topic");
    expect(topic).toMatchObject({ in: "query", required: true, schema: { type: "string", maxLength: 1_024 } });
    const priority = operation("POST /v1/messages").parameters.find(({ name }) => name === "priority");
    expect(priority).toMatchObject({ required: false, schema: { type: "integer", minimum: 0, maximum: 9 } });
    const { schemas } = document["components"] as { schemas: Record<string, JsonForm> };
    expect(schemas["SubscriptionSettings"]).toMatchObject({ additionalProperties: false, required: ["filters"] });
    expect(schemas["BatchLine"]).toMatchObject({ additionalProperties: false, required: ["topic"] });
  });

  it("is the same as a page, with a style of its own and no scripts", async () => {
    door = await openDoor();
    const { text, headers } = await ask(door, "/docs");
    for (const route of routes) expect(text).toContain(`<code>${nameOf(route).replaceAll("'", "&#39;")}</code>`);
    expect(text).not.toMatch(/<script|javascript:| on\w+=|https?:/i);
    expect(headers["content-security-policy"]).toMatch(
      /^default-src 'none'; style-src 'sha256-[\w+/=]+'; frame-ancestors 'none'$/,
    );
    const anchors = [...text.matchAll(/href="#([^"]+)"/g)].map(([, anchor]) => anchor);
    for (const anchor of anchors) expect(text).toContain(`id="${anchor}"`);
    const ids = [...text.matchAll(/id="([^"]+)"/g)].map(([, id]) => id);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
