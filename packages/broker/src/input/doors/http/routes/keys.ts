/** API keys. */
import { z } from "zod";
import { duration, name, nothing } from "../fields.ts";
import { refuseIdempotencyKey } from "../refuse-idempotency-key.ts";
import { type Route, route } from "../route.ts";

const common = { group: "Keys", permission: "admin.keys", query: nothing } as const;
const ROLES_MAX = 100;

const keySchema = z.strictObject({
  id: z.string(),
  principal: z.string(),
  name: z.string(),
  createdAt: z.int().describe("milliseconds since 1970"),
  expiresAt: z.int().optional().describe("milliseconds since 1970; without it the key counts until it is revoked"),
  replacedBy: z.string().optional().describe("the key that took its place"),
});

const newKey = { id: z.string(), secret: z.string(), principal: z.string(), expiresAt: z.int().optional() } as const;
/** A key of less can hardly be brought to where it is used. */
const LIFETIME_MS_MIN = 60_000;
const LIFETIME_MS_MAX = 10 * 365 * 86_400_000;
const OVERLAP_MS_MAX = 90 * 86_400_000;
const overlapStandard = 24 * 3_600_000;
const lifetime = duration(LIFETIME_MS_MIN, LIFETIME_MS_MAX);

export function keyRoutes(): readonly Route[] {
  return [
    route({
      ...common,
      method: "GET",
      path: "/v1/keys",
      summary: "All keys, without their secrets.",
      answers: { 200: { description: "The keys.", schema: z.strictObject({ keys: z.array(keySchema) }) } },
      handle: ({ administration }) => ({ status: 200, body: { keys: administration.listKeys() } }),
    }),
    route<object, { name: string; roles: string[]; expiresIn?: number | undefined }>({
      ...common,
      method: "POST",
      path: "/v1/keys",
      summary:
        "Makes a key for the principal `name`, created with `roles` if it is new. The secret is shown this once.",
      body: z.strictObject({
        name,
        roles: z.array(name).max(ROLES_MAX),
        expiresIn: lifetime.optional().describe("how long the key counts; left out: until it is revoked"),
      }),
      answers: { 201: { description: "The key.", schema: z.strictObject(newKey) } },
      problems: ["conflict", "forbidden"],
      handle: async ({ administration, caller, body, headers }) => {
        refuseIdempotencyKey(headers);
        const key = await administration.createKey(caller.principal, body.name, body.roles, body.expiresIn);
        return { status: 201, body: key, headers: { location: `/v1/keys/${encodeURIComponent(key.id)}` } };
      },
    }),
    rotateRoute(),
    route({
      ...common,
      method: "DELETE",
      path: "/v1/keys/:id",
      summary: "Revokes a key; its connections end within a second.",
      answers: { 204: { description: "It is revoked." } },
      problems: ["not-found", "conflict"],
      handle: async ({ administration, caller, params }) => {
        await administration.revokeKey(caller.principal, params["id"] ?? "");
        return { status: 204 };
      },
    }),
  ];
}

function rotateRoute(): Route {
  return route<object, { overlap?: number | undefined; expiresIn?: number | undefined }>({
    ...common,
    method: "POST",
    path: "/v1/keys/:id/rotation",
    summary:
      "Makes a key that takes the place of this one, which goes on to count for `overlap`. The secret is shown this once.",
    body: z.strictObject({
      overlap: duration(0, OVERLAP_MS_MAX).optional().describe("how long both count; left out: 24 h"),
      expiresIn: lifetime.optional().describe("life of the new key; left out: as long as the old one was to live"),
    }),
    bodyOptional: true,
    answers: {
      201: {
        description: "The new key.",
        schema: z.strictObject({ ...newKey, replaces: z.string(), replacedEndsAt: z.int() }),
      },
    },
    problems: ["not-found", "conflict"],
    handle: async ({ services, caller, params, body, headers }) => {
      refuseIdempotencyKey(headers);
      const { overlap = overlapStandard, expiresIn } = body;
      const key = await services.keyAdministration.rotateKey(caller.principal, params["id"] ?? "", {
        overlapMs: overlap,
        ...(expiresIn !== undefined && { lifetimeMs: expiresIn }),
      });
      return { status: 201, body: key, headers: { location: `/v1/keys/${encodeURIComponent(key.id)}` } };
    },
  });
}
