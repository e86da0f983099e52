/** API keys. */
import { z } from "zod";
import { name, nothing } from "../fields.ts";
import { HttpRefusal } from "../problem.ts";
import { type Route, route } from "../route.ts";

const common = { group: "Keys", permission: "admin.keys", query: nothing } as const;
const ROLES_MAX = 100;

const keySchema = z.strictObject({
  id: z.string(),
  principal: z.string(),
  name: z.string(),
  createdAt: z.int().describe("milliseconds since 1970"),
});

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
    route<object, { name: string; roles: string[] }>({
      ...common,
      method: "POST",
      path: "/v1/keys",
      summary:
        "Makes a key for the principal `name`, created with `roles` if it is new. The secret is shown this once.",
      body: z.strictObject({ name, roles: z.array(name).max(ROLES_MAX) }),
      answers: {
        201: {
          description: "The key.",
          schema: z.strictObject({ id: z.string(), secret: z.string(), principal: z.string() }),
        },
      },
      problems: ["conflict", "forbidden"],
      handle: async ({ administration, caller, body, headers }) => {
        if (headers["idempotency-key"] !== undefined) {
          // A repeat would have to show the secret again, which nobody has any more.
          throw new HttpRefusal("wrong-parameters", "Idempotency-Key: each request makes a key of its own", {
            errors: [{ path: "idempotency-key", message: "is not taken here" }],
          });
        }
        const { id, secret, principal } = await administration.createKey(caller.principal, body.name, body.roles);
        const location = `/v1/keys/${encodeURIComponent(id)}`;
        return { status: 201, body: { id, secret, principal }, headers: { location } };
      },
    }),
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
