import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { renderPolicyPage } from "./describe.ts";

it("docs/policy.md is current (else: npx tsx tools/generate-docs.ts)", () => {
  const page = readFileSync(new URL("../../../../docs/policy.md", import.meta.url), "utf8");
  expect(page).toBe(renderPolicyPage());
});
