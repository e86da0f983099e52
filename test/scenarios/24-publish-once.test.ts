// A publish with an id is stored once, however often it is sent, also over a kill of the broker (complaint 18).
import { expect, it } from "vitest";
import { consume, publishWith, text, userProperty, withMeta, withPolicy } from "../support/declared.ts";
import { useServer } from "../support/suite.ts";

const args = withPolicy('[subscriptions.orders]\nfilters = ["orders/#"]\n');
const shared = useServer({ args, killed: true });

it("answers a repeat with the first offset", async () => {
  const publisher = await shared.connect(withMeta);
  const first = await publishWith(publisher, "orders/1", "order", [["mess-id", "o-1"]]);
  const repeat = await publishWith(publisher, "orders/1", "order", [["mess-id", "o-1"]]);
  await shared.server.kill();
  await shared.server.start();
  const later = await shared.connect(withMeta);
  const afterKill = await publishWith(later, "orders/1", "order", [["mess-id", "o-1"]]);
  const other = await publishWith(later, "orders/2", "another", [["mess-id", "o-2"]]);
  expect(userProperty(first, "mess-duplicate")).toBeUndefined();
  expect(userProperty(first, "mess-offset")).toMatch(/^\d+$/);
  for (const answer of [repeat, afterKill]) {
    expect(answer.code).toBeLessThan(0x80);
    expect(userProperty(answer, "mess-duplicate")).toBe("1");
    expect(userProperty(answer, "mess-offset")).toBe(userProperty(first, "mess-offset"));
  }
  expect(userProperty(other, "mess-duplicate")).toBeUndefined();
  const consumer = await shared.connect();
  await consume(consumer, "orders");
  expect((await consumer.messages(2)).map(text)).toEqual(["order", "another"]);
  await consumer.expectNothing(300, "PUBLISH");
});
