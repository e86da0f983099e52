/** Passwords, by what is kept of them: the broker never sees one. */
import { z } from "zod";
import {
  iterationsMax,
  iterationsMin,
  type PasswordVerifier,
  saltBytes,
  scramKeyBytes,
} from "../../../../model/password.ts";
import { Fault, field, nothing } from "../fields.ts";
import { type Route, route } from "../route.ts";

const common = { group: "Passwords", permission: "admin.keys", query: nothing } as const;

const bodySchema: z.ZodType<PasswordVerifier, unknown> = z.strictObject({
  salt: base64(saltBytes, "random, made anew for each password"),
  iterations: z.int().min(iterationsMin).max(iterationsMax).describe("of PBKDF2 with HMAC-SHA-256"),
  storedKey: base64(scramKeyBytes, "H(ClientKey) of RFC 5802"),
  serverKey: base64(scramKeyBytes, "ServerKey of RFC 5802"),
});

const viewSchema = z.strictObject({
  principal: z.string(),
  iterations: z.int(),
  setAt: z.int().describe("milliseconds since 1970"),
});

export function passwordRoutes(): readonly Route[] {
  return [
    route({
      ...common,
      method: "GET",
      path: "/v1/passwords",
      summary: "Which principals have a password.",
      answers: { 200: { description: "They.", schema: z.strictObject({ passwords: z.array(viewSchema) }) } },
      handle: ({ administration }) => ({ status: 200, body: { passwords: administration.passwords.list() } }),
    }),
    route<object, PasswordVerifier>({
      ...common,
      method: "PUT",
      path: "/v1/principals/:name/password",
      summary:
        "Sets or replaces the password of a principal, by its SCRAM-SHA-256 verifier: the password itself is never sent. Connections by the one before end within a second.",
      body: bodySchema,
      answers: { 204: { description: "It is set." } },
      problems: ["not-found", "conflict", "forbidden"],
      handle: async ({ administration, caller, params, body }) => {
        await administration.passwords.set(caller.principal, params["name"] ?? "", body);
        return { status: 204 };
      },
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/v1/principals/:name/password",
      summary: "Removes the password of a principal; connections by it end within a second.",
      answers: { 204: { description: "It is removed." } },
      problems: ["not-found"],
      handle: async ({ administration, caller, params }) => {
        await administration.passwords.remove(caller.principal, params["name"] ?? "");
        return { status: 204 };
      },
    }),
  ];
}

/** So many bytes. Canonical, so that nothing is read that was not meant. */
function base64(bytes: number, description: string): z.ZodType<Uint8Array, unknown> {
  const form = { type: "string", contentEncoding: "base64", description: `${bytes} bytes: ${description}` };
  return field(form, (value) => {
    const read = typeof value === "string" ? Buffer.from(value, "base64") : undefined;
    const isMeant = read !== undefined && read.length === bytes && read.toString("base64") === value;
    return isMeant ? read : new Fault(`must be ${bytes} bytes in base64`);
  });
}
