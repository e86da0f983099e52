/** The audit trail. */
import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import type { AuditRequest } from "../../../../model/audit.ts";
import { integer, text, time } from "../fields.ts";
import { timeText } from "../message-json.ts";
import { type Route, route } from "../route.ts";

/** Of an event's name, and of a principal's. */
const NAME_LENGTH_MAX = 128;

const recordSchema = z
  .strictObject({
    seq: z.int().describe("its number in the journal"),
    at: z.iso.datetime(),
    event: z.string(),
    detail: z.record(z.string(), z.union([z.string(), z.number()])),
  })
  .meta({ id: "AuditRecord" });

export function auditRoutes(limits: Limits): readonly Route[] {
  return [
    route({
      method: "GET",
      path: "/v1/audit",
      group: "Audit",
      permission: "admin.audit",
      summary: "The audit trail, oldest first. Whoever wants what comes asks again from `next`.",
      query: z.strictObject({
        from: integer(0, Number.MAX_SAFE_INTEGER).optional().describe("number to begin at: `next` of the page before"),
        limit: integer(1, limits.httpPageItemsMax).optional().describe("100 without it"),
        event: text(NAME_LENGTH_MAX).optional().describe("one event, or all that begin alike: `acl.*`"),
        principal: text(NAME_LENGTH_MAX).optional().describe("who did it, or to whom it was done"),
        since: time.optional(),
        until: time.optional(),
      }),
      answers: {
        200: {
          description: "A page. `more`: there is more now.",
          schema: z.strictObject({ records: z.array(recordSchema), next: z.int(), more: z.boolean() }),
        },
      },
      problems: ["unavailable"],
      handle: async ({ administration, query }) => {
        const { from = 0, limit = 100, event, principal, since, until } = query;
        const request: AuditRequest = {
          from,
          limit,
          ...(event !== undefined && { event }),
          ...(principal !== undefined && { principal }),
          ...(since !== undefined && { since }),
          ...(until !== undefined && { until }),
        };
        const page = await administration.auditTrail(request);
        const records = page.records.map(({ seq, at, event: name, detail }) => ({
          seq,
          at: timeText(at),
          event: name,
          detail,
        }));
        return { status: 200, body: { records, next: page.next, more: page.more } };
      },
    }),
  ];
}
