import { afterEach, beforeEach, expect, it } from "vitest";
import { Workbench } from "./administrator.test-data.ts";
import type { Policy } from "./model/policy.ts";

const policyOf = (filter: string): Policy => ({
  roles: { writer: { allow: [{ action: "publish", filter }], deny: [] } },
  principals: { shop: { roles: ["writer"] } },
});

let bench: Workbench;
beforeEach(async () => {
  bench = await Workbench.open({ policy: policyOf("orders/#") });
});
afterEach(() => bench.close());

it("tries a new policy on what was really asked", async () => {
  await bench.publish("shop", "orders/1", "x");
  await bench.publish("shop", "orders/2", "x");
  await bench.publish("shop", "bills/1", "x");
  const { applied, decisions } = await bench.administrator.applyPolicy("admin", policyOf("+/1"), true);
  expect(applied).toBe(false);
  expect(decisions).toEqual({
    tried: 3,
    changed: ['- shop publish "orders/2"', '+ shop publish "bills/1"'],
    more: 0,
  });
  // Nothing was changed by asking.
  expect(bench.administrator.authorize("shop", "publish", "orders/2")).toBe(true);
});
