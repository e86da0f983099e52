import { z } from "zod";
import { METRICS_MEDIA_TYPE, metricsText } from "../../../admin/metrics-text.ts";
import { policyFromJson } from "../../../identity/policy-document.ts";
import { policyDocument } from "./policy-view.ts";
import { HttpRefusal } from "./problem.ts";
import { type Answer, actions, adminActions, type Route, type RouteRequest, route } from "./route.ts";

// The process runs with --disallow-code-generation-from-strings (LESSONS 38): zod must not compile its schemas.
z.config({ jitless: true });

const TEXT = "text/plain; charset=utf-8";
const NAME_LENGTH_MAX = 128;
const ROLES_MAX = 100;

const nothing = z.strictObject({});
/** A switch in a query: `?verbose`, `?verbose=true`, `?verbose=false`. */
const flag = z.enum(["", "true", "false"]).transform((value) => value !== "false");
const name = z.string().min(1).max(NAME_LENGTH_MAX);

/** Where MQTT over WebSocket is served. */
export const WEBSOCKET_PATH = "/mqtt";

/** All that the HTTP door serves. */
export const routes: readonly Route[] = [
  route({
    method: "GET",
    path: "/livez",
    permission: "public",
    summary: "The process answers.",
    query: nothing,
    handle: () => ({ status: 200, body: "ok\n", mediaType: TEXT }),
  }),
  ...["/readyz", "/healthz"].map((path) =>
    route({
      method: "GET",
      path,
      permission: "public",
      summary: "Whether the broker takes messages. `verbose` names the parts and needs admin.metrics.",
      query: z.strictObject({ verbose: flag.optional() }),
      handle: readiness,
    }),
  ),
  route({
    method: "GET",
    path: "/metrics",
    permission: "admin.metrics",
    summary: "All metrics in the text form of Prometheus.",
    query: nothing,
    handle: ({ administration }) => ({
      status: 200,
      body: metricsText(administration.metrics()),
      mediaType: METRICS_MEDIA_TYPE,
    }),
  }),
  route({
    method: "GET",
    path: "/v1/whoami",
    permission: "authenticated",
    summary: "The principal of the key, and its admin rights.",
    query: nothing,
    handle: ({ administration, caller }) => {
      const principal = caller?.principal ?? "";
      const rights = adminActions.filter((action) => administration.authorize(principal, action));
      return { status: 200, body: { principal, keyId: caller?.keyId ?? "", rights } };
    },
  }),
  route({
    method: "GET",
    path: "/v1/keys",
    permission: "admin.keys",
    summary: "All keys, without their secrets.",
    query: nothing,
    handle: ({ administration }) => ({ status: 200, body: { keys: administration.listKeys() } }),
  }),
  route({
    method: "POST",
    path: "/v1/keys",
    permission: "admin.keys",
    summary: "Makes a key for the principal `name`, created with `roles` if it is new. The secret is shown this once.",
    query: nothing,
    body: z.strictObject({ name, roles: z.array(name).max(ROLES_MAX) }),
    handle: async ({ administration, caller, body }) => {
      const key = await administration.createKey(caller?.principal ?? "", body.name, body.roles);
      const { id, secret, principal } = key;
      return {
        status: 201,
        body: { id, secret, principal },
        headers: { location: `/v1/keys/${encodeURIComponent(id)}` },
      };
    },
  }),
  route({
    method: "DELETE",
    path: "/v1/keys/:id",
    permission: "admin.keys",
    summary: "Revokes a key; its connections end within a second.",
    query: nothing,
    handle: async ({ administration, caller, params }) => {
      await administration.revokeKey(caller?.principal ?? "", params["id"] ?? "");
      return { status: 204 };
    },
  }),
  route({
    method: "GET",
    path: "/v1/policy",
    permission: "admin.policy",
    summary: "The policy in force.",
    query: nothing,
    handle: ({ administration }) => ({ status: 200, body: policyDocument(administration.policy()) }),
  }),
  route({
    method: "PUT",
    path: "/v1/policy",
    permission: "admin.policy",
    summary: "Replaces the policy, or with `dryRun` tells what would change.",
    query: z.strictObject({ dryRun: flag.optional() }),
    body: "text",
    handle: putPolicy,
  }),
  route({
    method: "GET",
    path: "/v1/why",
    permission: "admin.policy",
    summary: "Whether `principal` may do `action` on `topic`, and which grant decides.",
    query: z.strictObject({
      principal: name,
      action: z.enum(actions),
      topic: z.string().min(1).max(65_535).optional(),
    }),
    handle: ({ administration, query }) => {
      const isAdmin = query.action.startsWith("admin.");
      if (query.topic === undefined && !isAdmin) throw missingTopic(query.action);
      return { status: 200, body: administration.why(query.principal, query.action, query.topic ?? "#") };
    },
  }),
  route({
    method: "GET",
    path: WEBSOCKET_PATH,
    permission: "public",
    summary: "MQTT over WebSocket; the key goes into CONNECT.",
    query: nothing,
    handle: () => {
      const headers = { upgrade: "websocket", connection: "Upgrade" };
      throw new HttpRefusal("upgrade-required", "open it as a WebSocket with the sub-protocol mqtt", { headers });
    },
  }),
];

function readiness(request: RouteRequest<{ verbose?: boolean | undefined }, undefined>): Answer {
  const { ready, detail } = request.administration.health();
  let body = ready ? "ok\n" : "not ready\n";
  if (request.query.verbose === true) {
    request.demand("admin.metrics");
    body = Object.entries(detail).reduce((text, [part, state]) => `${text}${part}: ${state}\n`, body);
  }
  return { status: ready ? 200 : 503, body, mediaType: TEXT };
}

async function putPolicy(request: RouteRequest<{ dryRun?: boolean | undefined }, string>): Promise<Answer> {
  const { administration, caller, query, body } = request;
  const checked = policyFromJson(body);
  if (!("policy" in checked)) {
    const errors = checked.problems.map(({ path, message, hint }) => ({
      path,
      message: hint === undefined ? message : `${message} (${hint})`,
    }));
    const first = errors[0];
    throw new HttpRefusal("invalid", first === undefined ? "not a policy" : `${first.path} ${first.message}`.trim(), {
      errors,
    });
  }
  const change = await administration.applyPolicy(caller?.principal ?? "", checked.policy, query.dryRun === true);
  return { status: 200, body: change };
}

function missingTopic(action: string): HttpRefusal {
  return new HttpRefusal("wrong-parameters", `topic is missing: ${action} is asked for a topic`, {
    errors: [{ path: "topic", message: "is missing" }],
  });
}
