// examples/request-reply: a service, its copies, and what is wrong told to whoever asked.
import { beforeAll, expect, it } from "vitest";
import { createKey, type Key } from "../support/cli.ts";
import { useServer } from "../support/suite.ts";
import { type Example, environment, killExamplesAfterwards, typescript } from "./example.ts";

const shared = useServer({ mode: "secure", args: ["--policy-file", "examples/request-reply/policy.toml"] });
killExamplesAfterwards();

let prices: Key;
let desk: Key;
beforeAll(async () => {
  prices = await createKey(shared.server, "prices");
  desk = await createKey(shared.server, "desk");
}, 30_000);

const ask = (...args: string[]): Promise<string> =>
  typescript("request-reply/ask.ts", { env: environment(shared.server, desk), args }).succeeds();
const service = (): Example => typescript("request-reply/service.ts", { env: environment(shared.server, prices) });

it("answers, tells what went wrong, and says at once when nobody is there", async () => {
  expect(await ask("tea")).toContain("tea: NO_RESPONDER");
  const copies = [service(), service()];
  await Promise.all(copies.map((copy) => copy.says("answering")));
  const said = await ask("tea", "gold", "coffee");
  expect(said).toContain("tea: 350 cents");
  expect(said).toMatch(/gold: unknown-sku, we do not sell gold/);
  expect(said).toContain("coffee: 420 cents");
  await Promise.all(copies.map(async (copy) => expect(await copy.stop()).toBe(0)));
}, 60_000);
