/** Client certificates. */
import { z } from "zod";
import { name, nothing } from "../fields.ts";
import { HttpRefusal } from "../problem.ts";
import { type Route, route } from "../route.ts";

const common = { group: "Certificates", permission: "admin.keys", query: nothing } as const;
const DAYS_MAX = 825;
const REQUEST_LENGTH_MAX = 16 * 1_024;
const SERIAL_LENGTH_MAX = 64;
/** RFC 8555 names it for chains; there is none for a list in PEM. */
const PEM_MEDIA_TYPE = "application/x-pem-file";

const time = z.int().describe("milliseconds since 1970");
const serialField = z.string().describe("upper-case hexadecimal");
const certificateSchema = z.strictObject({
  serial: serialField,
  principal: z.string(),
  issuedAt: time,
  expiresAt: time,
  by: z.string().describe("who asked for it"),
  revokedAt: time.optional(),
});
const bodySchema = z.strictObject({
  principal: name,
  request: z
    .string()
    .max(REQUEST_LENGTH_MAX)
    .describe("a certificate request (PKCS #10), PEM; only its public key counts"),
  days: z.int().min(1).max(DAYS_MAX).describe("how long it is valid"),
});

type Body = z.infer<typeof bodySchema>;

export function certificateRoutes(): readonly Route[] {
  return [
    route({
      ...common,
      method: "GET",
      path: "/v1/certificates",
      summary: "Client certificates that this broker issued and that have not expired, revoked ones among them.",
      answers: {
        200: {
          description: "The certificates.",
          schema: z.strictObject({ certificates: z.array(certificateSchema) }),
        },
      },
      handle: ({ services }) => ({
        status: 200,
        body: { certificates: services.certificateAdministration.listCertificates() },
      }),
    }),
    issueRoute(),
    route({
      ...common,
      method: "GET",
      path: "/v1/certificates/crl",
      summary: "The revocation list of this broker's client authority (RFC 5280), for other programs that trust it.",
      answers: { 200: { description: "PEM, label `X509 CRL`.", mediaType: PEM_MEDIA_TYPE } },
      problems: ["conflict"],
      handle: async ({ services }) => {
        const body = await services.certificateAdministration.revocationList();
        return { status: 200, body, mediaType: PEM_MEDIA_TYPE };
      },
    }),
    route({
      ...common,
      method: "DELETE",
      path: "/v1/certificates/:serial",
      summary: "Revokes a client certificate; its connections end at once.",
      answers: { 204: { description: "It is revoked." } },
      problems: ["not-found"],
      handle: async ({ services, caller, params }) => {
        const serial = (params["serial"] ?? "").slice(0, SERIAL_LENGTH_MAX).toUpperCase();
        await services.certificateAdministration.revokeCertificate(caller.principal, serial);
        return { status: 204 };
      },
    }),
  ];
}

function issueRoute(): Route {
  return route<object, Body>({
    ...common,
    method: "POST",
    path: "/v1/certificates",
    summary:
      "Issues a client certificate for a principal of the policy. The private key stays with whoever made the request.",
    body: bodySchema,
    answers: {
      201: {
        description: "The certificate, and the authority that signed it, PEM.",
        schema: z.strictObject({
          serial: serialField,
          principal: z.string(),
          certificate: z.string(),
          authority: z.string(),
          expiresAt: time,
        }),
      },
    },
    problems: ["conflict", "forbidden"],
    handle: async ({ services, caller, body, headers }) => {
      if (headers["idempotency-key"] !== undefined) {
        throw new HttpRefusal("wrong-parameters", "Idempotency-Key: each request makes a certificate of its own", {
          errors: [{ path: "idempotency-key", message: "is not taken here" }],
        });
      }
      const made = await services.certificateAdministration.issueCertificate(caller.principal, body);
      return { status: 201, body: made, headers: { location: `/v1/certificates/${made.serial}` } };
    },
  });
}
