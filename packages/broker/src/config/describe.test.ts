import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { parseDuration, parseSize } from "../model/quantity.ts";
import { describeLimits, renderConfigPage } from "./describe.ts";
import type { Limits } from "./limits.ts";
import { defaultLimits } from "./limits.ts";

describe("docs/config.md", () => {
  it("is current (else: npx tsx tools/generate-docs.ts)", () => {
    const page = readFileSync(new URL("../../../../docs/config.md", import.meta.url), "utf8");
    expect(page).toBe(renderConfigPage());
  });

  it("shows the defaults the broker uses", () => {
    for (const row of describeLimits()) {
      const stored = defaultLimits[row.name as keyof Limits];
      const shown = row.default.replace("/s", "");
      const read = {
        count: Number(shown),
        bytes: parseSize(shown),
        "bytes per second": parseSize(shown),
        milliseconds: parseDuration(shown),
        seconds: (parseDuration(shown) ?? Number.NaN) / 1_000,
      }[row.unit];
      expect([row.name, read]).toEqual([row.name, stored]);
    }
  });
});
