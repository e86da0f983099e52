/** Whether the process lives and takes messages, its numbers, and who is asking. */
import { z } from "zod";
import { METRICS_MEDIA_TYPE, metricsText } from "../../../../admin/metrics-text.ts";
import { flag, nothing } from "../fields.ts";
import { TEXT_MEDIA_TYPE } from "../media-types.ts";
import { type Answer, adminActions, type Route, type RouteRequest, route } from "../route.ts";

const GROUP = "Health";

interface ReadyQuery {
  readonly verbose?: boolean | undefined;
}

export function healthRoutes(): readonly Route[] {
  const text = { mediaType: TEXT_MEDIA_TYPE };
  return [
    route({
      method: "GET",
      path: "/livez",
      group: GROUP,
      permission: "public",
      summary: "The process answers.",
      query: nothing,
      answers: { 200: { description: "`ok`", ...text } },
      handle: () => ({ status: 200, body: "ok\n", mediaType: TEXT_MEDIA_TYPE }),
    }),
    ...["/readyz", "/healthz"].map((path) =>
      route<ReadyQuery>({
        method: "GET",
        path,
        group: GROUP,
        permission: "public",
        summary: "Whether the broker takes messages. `verbose` names the parts and needs admin.metrics.",
        query: z.strictObject({ verbose: flag.optional() }),
        answers: {
          200: { description: "`ok`", ...text },
          503: { description: "`not ready`: the journal has failed, or the broker drains", ...text },
        },
        problems: ["unauthorized", "too-many-attempts", "forbidden"],
        handle: readiness,
      }),
    ),
    route({
      method: "GET",
      path: "/metrics",
      group: GROUP,
      permission: "admin.metrics",
      summary: "All metrics in the text form of Prometheus.",
      query: nothing,
      answers: { 200: { description: "Prometheus text, format 0.0.4.", mediaType: METRICS_MEDIA_TYPE } },
      handle: ({ administration }) => ({
        status: 200,
        body: metricsText(administration.metrics()),
        mediaType: METRICS_MEDIA_TYPE,
      }),
    }),
    route({
      method: "GET",
      path: "/v1/whoami",
      group: GROUP,
      permission: "authenticated",
      summary: "The principal of the credential, its admin rights, and when it ends.",
      query: nothing,
      answers: {
        200: {
          description: "Who asks.",
          schema: z.strictObject({
            principal: z.string(),
            keyId: z.string(),
            rights: z.array(z.enum(adminActions)),
            expiresAt: z.int().optional().describe("milliseconds since 1970: when the credential ends, if it does"),
          }),
        },
      },
      handle: ({ administration, caller }) => {
        const { principal, keyId, expiresAt } = caller;
        const rights = adminActions.filter((action) => administration.authorize(principal, action));
        return { status: 200, body: { principal, keyId, rights, expiresAt } };
      },
    }),
  ];
}

async function readiness(request: RouteRequest<ReadyQuery, undefined>): Promise<Answer> {
  const { ready, detail } = request.administration.health();
  let body = ready ? "ok\n" : "not ready\n";
  if (request.query.verbose === true) {
    await request.demand("admin.metrics");
    body = Object.entries(detail).reduce((text, [part, state]) => `${text}${part}: ${state}\n`, body);
  }
  return { status: ready ? 200 : 503, body, mediaType: TEXT_MEDIA_TYPE };
}
