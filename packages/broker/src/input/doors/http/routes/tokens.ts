/** Short-lived tokens of whoever asks, for itself. */
import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import { readScope } from "../../../../identity/scope-document.ts";
import type { Grant } from "../../../../model/policy.ts";
import { duration, nothing } from "../fields.ts";
import { HttpRefusal } from "../problem.ts";
import { refuseIdempotencyKey } from "../refuse-idempotency-key.ts";
import { type Route, route } from "../route.ts";

const common = { group: "Tokens", permission: "authenticated", query: nothing } as const;
const LIFETIME_MS_MIN = 1_000;
const lifetimeStandard = 15 * 60_000;

const grantsSchema = z.array(z.looseObject({})).describe("as in a role of the policy");
const tokenSchema = z.strictObject({
  id: z.string(),
  principal: z.string(),
  createdAt: z.int().describe("milliseconds since 1970"),
  expiresAt: z.int().describe("milliseconds since 1970"),
  allow: z.array(z.strictObject({ action: z.string(), filter: z.string() })).optional(),
});

interface TokenBody {
  readonly allow?: unknown;
  readonly expiresIn?: number | undefined;
}

export function tokenRoutes(limits: Limits): readonly Route[] {
  return [
    route({
      ...common,
      method: "GET",
      path: "/v1/tokens",
      summary: "The tokens of who asks, without their secrets.",
      answers: { 200: { description: "The tokens.", schema: z.strictObject({ tokens: z.array(tokenSchema) }) } },
      handle: ({ services, caller }) => {
        const tokens = services.keyAdministration.listTokens(caller);
        return { status: 200, body: { tokens: tokens.map(({ scope, ...one }) => ({ ...one, allow: scope })) } };
      },
    }),
    route<object, TokenBody>({
      ...common,
      method: "POST",
      path: "/v1/tokens",
      summary:
        "Makes a token of who asks, for itself; with `allow` it may only what that names. It is shown this once.",
      body: z.strictObject({
        allow: grantsSchema.optional().describe("narrows what the token may; left out: all that its principal may"),
        expiresIn: duration(LIFETIME_MS_MIN, limits.tokenMsMax).optional().describe("left out: 15 minutes"),
      }),
      bodyOptional: true,
      answers: {
        201: {
          description: "The token: id as user name, secret as password, or `Bearer ID.SECRET`.",
          schema: z.strictObject({ id: z.string(), secret: z.string(), principal: z.string(), expiresAt: z.int() }),
        },
      },
      problems: ["forbidden", "conflict"],
      handle: async ({ services, caller, body, headers }) => {
        refuseIdempotencyKey(headers);
        const lifetimeMs = body.expiresIn ?? Math.min(lifetimeStandard, limits.tokenMsMax);
        const scope = body.allow === undefined ? {} : { scope: scopeOf(body.allow) };
        const token = await services.keyAdministration.createToken(caller, { lifetimeMs, ...scope });
        return { status: 201, body: token, headers: { location: `/v1/tokens/${encodeURIComponent(token.id)}` } };
      },
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/v1/tokens/:id",
      summary: "Revokes a token of who asks, or with admin.keys anybody's; its connections end within a second.",
      answers: { 204: { description: "It is revoked." } },
      problems: ["not-found"],
      handle: async ({ services, caller, params }) => {
        await services.keyAdministration.revokeToken(caller, params["id"] ?? "");
        return { status: 204 };
      },
    }),
  ];
}

function scopeOf(value: unknown): readonly Grant[] {
  const read = readScope(value);
  if ("scope" in read) return read.scope;
  const errors = read.problems.map(({ path, message, hint }) => ({
    path,
    message: hint === undefined ? message : `${message} (${hint})`,
  }));
  const first = errors[0];
  throw new HttpRefusal("invalid", first === undefined ? "not a scope" : `${first.path} ${first.message}`, { errors });
}
