/** Many messages, all or none. */

import { z } from "zod";
import type { Limits } from "../../../../config/limits.ts";
import { batchLineSchema, readBatch } from "../batch-lines.ts";
import { nothing, text } from "../fields.ts";
import { NDJSON_MEDIA_TYPE } from "../media-types.ts";
import { HttpRefusal } from "../problem.ts";
import { publishAll, publishedSchema, publishProblems } from "../publish.ts";
import { optionReader } from "../publish-options.ts";
import { type Route, route } from "../route.ts";

export function batchRoutes(limits: Limits): readonly Route[] {
  const readOptions = optionReader(limits);
  const schema = batchLineSchema(limits);
  return [
    route<object, string>({
      method: "POST",
      path: "/v1/batch",
      group: "Messages",
      permission: "authenticated",
      right: "`publish` on each topic",
      summary: "Publishes many messages, one JSON object a line, to any topics: all of them or none.",
      query: nothing,
      requestHeaders: z.object({
        "Idempotency-Key": text(limits.messageIdBytesMax)
          .optional()
          .describe("gives lines without an id the id KEY:LINE"),
      }),
      body: "lines",
      bodySchema: schema,
      bodyDescription: `At most ${limits.batchMessagesMax} lines. Empty lines are passed over.`,
      answers: {
        201: {
          description: "All are stored durably, in one frame. A line for each message, in their order.",
          schema: publishedSchema,
          mediaType: NDJSON_MEDIA_TYPE,
        },
      },
      problems: publishProblems,
      handle: async ({ services, caller, address, headers, body }) => {
        const { id, ...others } = readOptions(headers, {});
        const [other] = Object.keys(others);
        if (other !== undefined) {
          throw new HttpRefusal("wrong-parameters", `mess-${other}: say it in each line`, {
            errors: [{ path: `mess-${other}`, message: "is said in each line" }],
          });
        }
        const messages = readBatch(body, { schema, limits, now: services.now(), idempotencyKey: id });
        const published = await publishAll({ services, principal: caller.principal, address }, messages);
        const lines = published.map((one) => `${JSON.stringify(one)}\n`);
        return { status: 201, body: lines.join(""), mediaType: NDJSON_MEDIA_TYPE };
      },
    }),
  ];
}
