import { parse } from "smol-toml";
import { expect, it } from "vitest";
import { policyToml } from "./policy-toml.ts";

it("writes schemas as JSON, since TOML has no null", () => {
  const schema = { enum: [null, "a"], properties: { a: { const: null } } };
  const text = policyToml({ topics: { "a/#": { owner: "shop", schema }, b: { schema: false } } });
  const { topics } = parse(text) as { topics: Record<string, { owner?: string; schema: string }> };
  expect(topics["a/#"]?.owner).toBe("shop");
  expect(JSON.parse(topics["a/#"]?.schema ?? "")).toEqual(schema);
  expect(topics["b"]?.schema).toBe("false");
});
