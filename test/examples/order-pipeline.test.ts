// examples/order-pipeline: key ordering and dead letters with the SDK.
import { beforeAll, expect, it } from "vitest";
import { createKey, type Key, messAt } from "../support/cli.ts";
import { useServer } from "../support/suite.ts";
import { environment, killExamplesAfterwards, typescript } from "./example.ts";

const shared = useServer({ mode: "secure", args: ["--policy-file", "examples/order-pipeline/policy.toml"] });
killExamplesAfterwards();

let shop: Key;
let billing: Key;
beforeAll(async () => {
  shop = await createKey(shared.server, "shop");
  billing = await createKey(shared.server, "billing");
}, 30_000);

it("keeps each customer's order, over two workers and a dead letter", async () => {
  const { server } = shared;
  const done: string[] = [];
  const env = environment(server, billing);
  const onLine = (line: string): void => void (line.includes(": ") && done.push(line));
  const workers = [1, 2].map(() => typescript("order-pipeline/billing.ts", { env, onLine }));
  await Promise.all(workers.map((worker) => worker.says("billing")));
  await typescript("order-pipeline/shop.ts", { env: environment(server, shop) }).succeeds();
  // anna and carl three each, bert two: his first is the dead letter
  await expect.poll(() => done.length, { timeout: 20_000 }).toBe(8);
  const of = (customer: string): string[] => done.filter((line) => line.startsWith(customer));
  const steps = ["created", "paid", "shipped"];
  expect(of("anna")).toEqual(steps.map((step) => `anna: a1 ${step}, attempt 1`));
  expect(of("carl")).toEqual(steps.map((step) => `carl: c1 ${step}, attempt 1`));
  expect(of("bert")).toEqual(["bert: b1 paid, attempt 1", "bert: b1 shipped, attempt 1"]);

  const dead = await messAt(server, ["dead", "ls", "billing", "--json"]);
  expect(dead.stdout).toContain("a bill of -5 cents");
  const redriven = await messAt(server, ["dead", "redrive", "billing", "--all", "--yes"]);
  expect(redriven.stderr + String(redriven.code)).toMatch(/0$/);
  await Promise.all(workers.map(async (worker) => expect(await worker.stop()).toBe(0)));
}, 60_000);
