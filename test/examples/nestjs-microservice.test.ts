// examples/nestjs-microservice: NestJS's own MQTT transport, against a server as it starts by itself.
import { beforeAll, expect, it } from "vitest";
import { createKey, type Key } from "../support/cli.ts";
import { useServer } from "../support/suite.ts";
import { environment, killExamplesAfterwards, typescript } from "./example.ts";

const shared = useServer({ mode: "secure", args: ["--policy-file", "examples/nestjs-microservice/policy.toml"] });
killExamplesAfterwards();

let shop: Key;
let prices: Key;
beforeAll(async () => {
  prices = await createKey(shared.server, "prices");
  shop = await createKey(shared.server, "shop");
}, 30_000);

it("answers requests, and keeps orders while the service is away", async () => {
  const { server } = shared;
  const service = typescript("nestjs-microservice/main.ts", { env: environment(server, prices) });
  await service.says("listening");
  const asked = typescript("nestjs-microservice/ask.ts", { env: environment(server, shop) });
  expect(await asked.succeeds()).toContain("{ sku: 'tea', cents: 350 }");
  await service.says("order 1: one tea less");
  await service.stop();

  const later = typescript("nestjs-microservice/ask.ts", {
    env: environment(server, shop),
    args: ["--order-only", "2"],
  });
  await later.succeeds();
  const again = typescript("nestjs-microservice/main.ts", { env: environment(server, prices) });
  await again.says("order 2: one tea less");
}, 60_000);
