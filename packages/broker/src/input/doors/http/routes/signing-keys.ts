/** Keys of signed messages. */
import { z } from "zod";
import { signatureAlgorithms } from "../../../../model/signing.ts";
import type { NewSigningKey } from "../../../../model/signing-key-administration.ts";
import { name, nothing } from "../fields.ts";
import { HttpRefusal } from "../problem.ts";
import { type Route, route } from "../route.ts";

const common = { group: "Keys", permission: "admin.keys", query: nothing } as const;
const PUBLIC_KEY_LENGTH_MAX = 1_024;
const algorithm = z.enum(signatureAlgorithms);

const signingKeySchema = z.strictObject({
  id: z.string().describe("what a signature names as `kid`"),
  principal: z.string(),
  name: z.string(),
  algorithm,
  publicKey: z.string().optional().describe("SPKI in PEM, of EdDSA"),
  createdAt: z.int().describe("milliseconds since 1970"),
});

const bodySchema = z.strictObject({
  principal: name.describe("whose messages it signs"),
  name: name.optional().describe("for people"),
  algorithm: algorithm.optional().describe("EdDSA (Ed25519), which is the default, or HS256"),
  publicKey: z.string().max(PUBLIC_KEY_LENGTH_MAX).optional().describe("SPKI in PEM, of EdDSA"),
});

type Body = z.infer<typeof bodySchema>;

export function signingKeyRoutes(): readonly Route[] {
  return [
    route({
      ...common,
      method: "GET",
      path: "/v1/signing-keys",
      summary: "All keys of signed messages, without secrets.",
      answers: {
        200: { description: "The keys.", schema: z.strictObject({ signingKeys: z.array(signingKeySchema) }) },
      },
      handle: ({ services }) => ({ status: 200, body: { signingKeys: services.signingKeys.signingKeys() } }),
    }),
    route<object, Body>({
      ...common,
      method: "POST",
      path: "/v1/signing-keys",
      summary: "Adds a public key of a principal, or makes a secret for it, which is shown this once.",
      body: bodySchema,
      answers: {
        201: {
          description: "The key.",
          schema: z.strictObject({
            id: z.string(),
            principal: z.string(),
            algorithm,
            secret: z.string().optional().describe("base64url, of HS256"),
          }),
        },
      },
      problems: ["conflict", "forbidden"],
      handle: async ({ services, caller, body, headers }) => {
        if (headers["idempotency-key"] !== undefined) {
          throw new HttpRefusal("wrong-parameters", "Idempotency-Key: each request makes a key of its own", {
            errors: [{ path: "idempotency-key", message: "is not taken here" }],
          });
        }
        const added = await services.signingKeys.addSigningKey(caller.principal, wantedKey(body));
        const location = `/v1/signing-keys/${encodeURIComponent(added.id)}`;
        return { status: 201, body: added, headers: { location } };
      },
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/v1/signing-keys/:id",
      summary: "Removes a key: from then on nothing that it signed is taken.",
      answers: { 204: { description: "It is removed." } },
      problems: ["not-found"],
      handle: async ({ services, caller, params }) => {
        await services.signingKeys.removeSigningKey(caller.principal, params["id"] ?? "");
        return { status: 204 };
      },
    }),
  ];
}

function wantedKey({ principal, name: label = "", algorithm: chosen = "EdDSA", publicKey }: Body): NewSigningKey {
  const common = { principal, name: label };
  if (chosen === "HS256" && publicKey !== undefined) throw fault("is of EdDSA alone: the secret of HS256 is made here");
  if (chosen === "HS256") return { ...common, algorithm: chosen };
  if (publicKey === undefined) throw fault("is missing: the public key of EdDSA, as SPKI in PEM");
  return { ...common, algorithm: chosen, publicKey };
}

function fault(message: string): HttpRefusal {
  return new HttpRefusal("invalid", `publicKey ${message}`, { errors: [{ path: "publicKey", message }] });
}
