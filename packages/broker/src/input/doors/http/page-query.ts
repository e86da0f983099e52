import { z } from "zod";
import type { Limits } from "../../../config/limits.ts";
import { integer, text } from "./fields.ts";

const CURSOR_LENGTH_MAX = 4_096;

/** Parameters of every list that comes page by page. */
export function pageQuery(
  limits: Limits,
): z.ZodType<{ limit?: number | undefined; cursor?: string | undefined }, unknown> {
  return z.strictObject({
    limit: integer(1, limits.httpPageItemsMax).optional().describe("100 without it"),
    cursor: text(CURSOR_LENGTH_MAX).optional().describe("`next` of the page before"),
  });
}
