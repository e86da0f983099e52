// Reading through a subscription needs the right to read each topic: it is no way round (complaint 9).
import { expect, it } from "vitest";
import { createKey } from "../support/cli.ts";
import { consume, text, withPolicy } from "../support/declared.ts";
import { RawClient } from "../support/raw-client.ts";
import { unique, useServer } from "../support/suite.ts";

const args = withPolicy(`
[roles.consumer-only]
allow = [{ consume = "orders" }]
[roles.reader-only]
allow = [{ subscribe = "orders/#" }]
[roles.clerk]
allow = [{ consume = "orders" }, { subscribe = "orders/#" }]
deny = [{ subscribe = "orders/secret" }]
[principals.anna]
roles = ["consumer-only"]
[principals.bert]
roles = ["reader-only"]
[principals.carl]
roles = ["clerk"]
[subscriptions.orders]
filters = ["orders/#"]
`);
const shared = useServer({ mode: "secure", args });

async function as(principal: string): Promise<RawClient> {
  const key = await createKey(shared.server, principal);
  return RawClient.connect(shared.server.mqtt, { clientId: unique("c"), username: key.id, password: key.secret });
}

it.each(["anna", "bert"])("refuses %s, who has one of the two rights", async (principal) => {
  const client = await as(principal);
  const suback = await client.subscribe({ filter: "$mess/queue/orders/#", qos: 1 }, { refusable: true });
  expect([...suback.codes]).toEqual([0x87]);
});

it("gives carl what he may read; what he may not read is kept as a dead letter, not lost", async () => {
  const { id, secret } = shared.server.admin;
  const admin = await RawClient.connect(shared.server.mqtt, { clientId: unique("c"), username: id, password: secret });
  await admin.subscribe({ filter: "$mess/dead/orders", qos: 1 });
  const client = await as("carl");
  await consume(client, "orders");
  await admin.publish({ topic: "orders/secret", payload: "secret", qos: 1 });
  await admin.publish({ topic: "orders/1", payload: "open", qos: 1 });
  expect(text(await client.message())).toBe("open");
  expect(text(await admin.message())).toBe("secret");
  await client.expectNothing(200, "PUBLISH");
});
