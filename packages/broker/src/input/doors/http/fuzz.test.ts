import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { defaultLimits } from "../../../config/limits.ts";
import { adminKey, ask, type Door, openDoor, type Reply } from "./http.test-data.ts";
import type { Route } from "./route.ts";
import { routesOf } from "./routes.ts";

const routes = routesOf(defaultLimits).filter(({ path }) => path !== "/mqtt" && path !== "/v1/backup");
/** Names that some route knows: rubbish in a known place goes further than rubbish elsewhere. */
const known = [
  "topic",
  "filter",
  "from",
  "limit",
  "cursor",
  "key",
  "id",
  "delay",
  "at",
  "priority",
  "expiry",
  "retain",
  "force",
];
const members = [
  ...[
    "tokens",
    "items",
    "token",
    "delay",
    "reason",
    "for",
    "max",
    "waitMs",
    "maxBytes",
    "filters",
    "ordering",
    "ackWait",
  ],
  ...[
    "backoff",
    "start",
    "where",
    "maxMessages",
    "overflow",
    "expiry",
    "owner",
    "retention",
    "schema",
    "key",
    "to",
    "all",
  ],
  ...[
    "offsets",
    "name",
    "roles",
    "topic",
    "payload",
    "payloadBase64",
    "json",
    "headers",
    "priority",
    "at",
    "__proto__",
  ],
];
/** What a request may hold that no document says: still answered within this time. */
const MILLISECONDS_MAX = 50;

let door: Door;
beforeAll(async () => {
  // A pull with rubbish in `waitMs` is refused, and one without waits for nothing.
  door = await openDoor({ anonymous: "admin", limits: { httpPollMsMax: 0 } });
  door.engine.subscribeCode = 0x87;
  door.queues.refusal = { reason: 0x87, text: "no" };
});
afterAll(() => door.listening.close());

const scalar = fc.oneof(
  fc.string({ unit: "grapheme" }),
  fc.constantFrom(
    "",
    "\0",
    "\ud800",
    "a/#",
    "+",
    "$mess/x",
    "PT5S",
    "9".repeat(30),
    "1e400",
    "-1",
    "2026-02-30T00:00:00Z",
    "30s",
  ),
  fc.double(),
  fc.constantFrom(Number.MAX_SAFE_INTEGER + 1, -1, 0, 1e300, true, null),
);
const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    scalar,
    fc.array(tie("any"), { maxLength: 4 }),
    fc.dictionary(fc.oneof(fc.constantFrom(...members), fc.string()), tie("any"), { maxKeys: 4 }),
  ),
})).any;
const body = fc.oneof(
  value.map((json) => Buffer.from(JSON.stringify(json))),
  fc.dictionary(fc.constantFrom(...members), value, { maxKeys: 5 }).map((json) => Buffer.from(JSON.stringify(json))),
  fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: 1, max: 5_000 }).map((depth) => Buffer.from("[".repeat(depth))),
);
const query = fc.dictionary(
  fc.oneof(fc.constantFrom(...known), fc.string({ minLength: 1 })),
  fc.oneof(fc.string(), scalar.map(String)),
  {
    maxKeys: 4,
  },
);
const parameter = fc.oneof(
  fc.string({ minLength: 1, unit: "grapheme" }).map((text) => encodeURIComponent(text.replace(/\p{Surrogate}/gu, "x"))),
  fc.constantFrom("%FF", "%", "%00", "a%2F%23", "..%2F..", "%ED%A0%80", "x".repeat(3_000)),
);
const headerName = fc.constantFrom(
  "mess-key",
  "mess-id",
  "mess-at",
  "mess-x",
  "idempotency-key",
  "ce-id",
  "ce-type",
  "last-event-id",
  "traceparent",
);
const headerValue = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).map((unit) => (unit === 0x7f ? "x" : String.fromCharCode(unit))),
});

interface Probe {
  readonly route: Route;
  readonly parameter: string;
  readonly query: Record<string, string>;
  readonly headers: Record<string, string>;
  readonly body: Buffer;
  readonly type: string;
}

/** Mostly as it should be, so that what is wrong is looked at for itself. */
function mostly<T>(right: T, rubbish: fc.Arbitrary<T>): fc.Arbitrary<T> {
  return fc.oneof({ weight: 3, arbitrary: fc.constant(right) }, { weight: 1, arbitrary: rubbish });
}

const types = ["application/json", "application/x-ndjson", "application/cloudevents+json", "text/plain", "\u00ff/;"];
const right: Readonly<Record<string, { query?: Record<string, string>; body?: unknown }>> = {
  "/v1/messages": { query: { topic: "a", filter: "a" } },
  "/v1/events": { query: { filter: "a" } },
  "/v1/batch": { body: { topic: "a", payload: "x" } },
  "/v1/keys": { body: { name: "n", roles: [] } },
  "/v1/signing-keys": { body: { principal: "p", algorithm: "HS256" } },
  "/v1/audit": { query: { event: "acl.*", since: "2030-01-31T12:00:00Z" } },
  "/v1/who-can": { query: { action: "publish", topic: "t" } },
  "/v1/why": { query: { principal: "p", action: "publish", topic: "t" } },
  "/v1/subscriptions/:name": { body: { filters: ["a"], backoff: ["1s", "2s"] } },
  "/v1/subscriptions/:name/reset": { body: { to: 1 } },
  "/v1/subscriptions/:name/nack": { body: { tokens: ["a"], delay: 1 } },
};

const probe: fc.Arbitrary<Probe> = fc.constantFrom(...routes).chain((route) => {
  const own = right[route.path] ?? {};
  const { topic, filter, ...others } = own.query ?? {};
  const wanted =
    route.method === "GET" ? { ...others, ...(filter && { filter }) } : { ...others, ...(topic && { topic }) };
  const json = (own.body ?? {}) as Record<string, unknown>;
  const spoilt = fc
    .tuple(fc.constantFrom(...Object.keys(json), ...members), value)
    .map(([member, bad]) => ({ ...json, [member]: bad }));
  const bytes = (made: unknown): Buffer => Buffer.from(JSON.stringify(made));
  return fc.record({
    route: fc.constant(route),
    parameter: mostly("a", parameter),
    query: mostly<Record<string, string>>(
      wanted,
      query.map((bad) => ({ ...wanted, ...bad })),
    ),
    headers: mostly<Record<string, string>>({}, fc.dictionary(headerName, headerValue, { maxKeys: 3 })),
    body: fc.oneof(fc.constant(bytes(json)), spoilt.map(bytes), body),
    type: mostly(route.body === "lines" ? "application/x-ndjson" : "application/json", fc.constantFrom(...types)),
  });
});

async function send(made: Probe): Promise<{ reply: Reply; took: number }> {
  const path = made.route.path.replace(/:\w+/g, made.parameter);
  const parameters = new URLSearchParams(made.query).toString();
  const began = performance.now();
  const reply = await ask(door, parameters === "" ? path : `${path}?${parameters}`, {
    method: made.route.method,
    key: adminKey,
    headers: { "content-type": made.type, ...made.headers },
    ...(made.route.method !== "GET" && { body: made.body }),
  });
  return { reply, took: performance.now() - began };
}

it("whatever is asked, the answer is no mistake of ours, and comes soon", { timeout: 60_000 }, async () => {
  const statuses = new Map<number, number>();
  const times: number[] = [];
  await fc.assert(
    fc.asyncProperty(probe, async (made) => {
      const { reply, took } = await send(made);
      statuses.set(reply.status, (statuses.get(reply.status) ?? 0) + 1);
      times.push(took);
      expect(reply.status).toBeLessThan(500);
      expect(door.failures).toEqual([]);
      if (reply.status < 400) return;
      expect(reply.headers["content-type"]).toBe("application/problem+json");
      expect(reply.json["type"]).toMatch(/^urn:mess:problem:[a-z-]+$/);
      if (reply.status !== 422) return;
      for (const { path, message } of reply.json["errors"] as { path: string; message: string }[]) {
        expect([typeof path, typeof message]).toEqual(["string", "string"]);
      }
    }),
    { numRuns: 700 },
  );
  // Most of them: what else runs on the machine is late now and then.
  expect(times.sort((a, b) => a - b)[times.length >> 1]).toBeLessThan(MILLISECONDS_MAX);
  // It went in deep enough to be let through, too.
  for (const status of [200, 400, 422]) expect(statuses.get(status) ?? 0).toBeGreaterThan(10);
});
