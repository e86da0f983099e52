/** The policy: who may do what, and what is declared. */
import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import { policyFromJson } from "../../../../identity/policy-document.ts";
import { flag, name, nothing } from "../fields.ts";
import { policyDocument } from "../policy-view.ts";
import { HttpRefusal } from "../problem.ts";
import { type Answer, actions, type Route, type RouteRequest, route } from "../route.ts";
import { subscriptionSettingsSchema, topicSettingsSchema } from "../settings-json.ts";

const common = { group: "Policy", permission: "admin.policy" } as const;
/** MQTT 5.0 1.5.4. */
const TOPIC_LENGTH_MAX = 65_535;

const policySchema = z.looseObject({
  roles: z.record(z.string(), z.looseObject({ allow: z.array(z.unknown()), deny: z.array(z.unknown()) })),
  principals: z.record(
    z.string(),
    z.looseObject({ roles: z.array(z.string()), certificates: z.array(z.string()).optional() }),
  ),
  topics: z.record(z.string(), topicSettingsSchema).optional(),
  subscriptions: z.record(z.string(), subscriptionSettingsSchema).optional(),
});

export function policyRoutes(limits: Limits): readonly Route[] {
  return [
    route({
      ...common,
      method: "GET",
      path: "/v1/policy",
      summary: "The policy in force, in the form that `PUT` takes.",
      query: nothing,
      answers: { 200: { description: "The policy.", schema: policySchema } },
      handle: ({ administration }) => ({ status: 200, body: policyDocument(administration.policy()) }),
    }),
    route<{ dryRun?: boolean | undefined }, string>({
      ...common,
      method: "PUT",
      path: "/v1/policy",
      summary: "Replaces the policy, or with `dryRun` tells what would change.",
      query: z.strictObject({ dryRun: flag.optional() }),
      body: "text",
      bodyDescription: "The policy document of `docs/policy.md`, as JSON.",
      answers: {
        200: {
          description: "One line a difference.",
          schema: z.strictObject({
            lines: z.array(z.string()),
            applied: z.boolean(),
            decisions: z
              .strictObject({
                tried: z.int().describe("different questions that were really asked of late"),
                changed: z.array(z.string()).describe("those whose answer would change, the first 100"),
                more: z.int().describe("changed ones beyond those"),
              })
              .optional()
              .describe("with `dryRun`"),
          }),
        },
      },
      problems: ["conflict"],
      handle: (request) => putPolicy(request, limits),
    }),
    whyRoute(),
    whoCanRoute(),
  ];
}

const topicAsked = z.string().min(1).max(TOPIC_LENGTH_MAX).optional().describe("not needed for `admin.` actions");

function whoCanRoute(): Route {
  return route({
    ...common,
    method: "GET",
    path: "/v1/who-can",
    summary: "Everybody who may do `action` on `topic`, sorted by name; the first 10,000.",
    query: z.strictObject({ action: z.enum(actions), topic: topicAsked }),
    answers: {
      200: {
        description: "The principals, each with the grant that decides.",
        schema: z.strictObject({
          holders: z.array(z.strictObject({ principal: z.string(), because: z.string(), role: z.string().optional() })),
        }),
      },
    },
    handle: ({ administration, query }) => {
      const topic = topicOf(query);
      return { status: 200, body: { holders: administration.whoCan(query.action, topic) } };
    },
  });
}

function topicOf({ action, topic }: { readonly action: string; readonly topic?: string | undefined }): string {
  if (topic !== undefined) return topic;
  if (action.startsWith("admin.")) return "#";
  throw missingTopic(action);
}

function whyRoute(): Route {
  return route({
    ...common,
    method: "GET",
    path: "/v1/why",
    summary: "Whether `principal` may do `action` on `topic`, and which grant decides.",
    query: z.strictObject({
      principal: name,
      action: z.enum(actions),
      topic: topicAsked,
    }),
    answers: {
      200: {
        description: "The answer.",
        schema: z.strictObject({ allowed: z.boolean(), because: z.string(), role: z.string().optional() }),
      },
    },
    handle: ({ administration, query }) => ({
      status: 200,
      body: administration.why(query.principal, query.action, topicOf(query)),
    }),
  });
}

async function putPolicy(
  request: RouteRequest<{ dryRun?: boolean | undefined }, string>,
  limits: Limits,
): Promise<Answer> {
  const { administration, caller, query, body } = request;
  const checked = policyFromJson(body, limits);
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
  const change = await administration.applyPolicy(caller.principal, checked.policy, query.dryRun === true);
  return { status: 200, body: change };
}

function missingTopic(action: string): HttpRefusal {
  return new HttpRefusal("wrong-parameters", `topic is missing: ${action} is asked for a topic`, {
    errors: [{ path: "topic", message: "is missing" }],
  });
}
