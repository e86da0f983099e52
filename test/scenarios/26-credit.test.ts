// The server itself keeps to the consumer's credit, in messages and in bytes (complaint 22).
import { expect, it } from "vitest";
import { consume, puback, text, withPolicy } from "../support/declared.ts";
import { useServer } from "../support/suite.ts";

const args = withPolicy(`
[subscriptions.many]
filters = ["many/#"]
[subscriptions.large]
filters = ["large/#"]
`);
const shared = useServer({ args });

it("never has more messages under way than the credit, whatever else the client would take", async () => {
  const publisher = await shared.connect();
  for (let n = 0; n < 30; n++) await publisher.publish({ topic: "many/x", payload: String(n), qos: 1 });
  const consumer = await shared.connect();
  await consume(consumer, "many", [["mess-credit", "3"]]);
  const held = await consumer.messages(3);
  await consumer.expectNothing(300, "PUBLISH");
  const seen = held.map(text);
  while (seen.length < 30) {
    consumer.send(puback(held.shift()?.id ?? 0));
    const next = await consumer.message();
    held.push(next);
    seen.push(text(next));
    await consumer.ping();
    expect(consumer.waiting("PUBLISH")).toHaveLength(0);
  }
  expect(seen).toEqual(Array.from({ length: 30 }, (_, n) => String(n)));
});

it("counts bytes too, and still lets one message through that is larger than the credit", async () => {
  const publisher = await shared.connect();
  const payload = "x".repeat(10_000);
  for (let n = 0; n < 5; n++) await publisher.publish({ topic: "large/x", payload, qos: 1 });
  const two = await shared.connect();
  await consume(two, "large", [["mess-credit-bytes", "25000"]]);
  const held = await two.messages(2);
  await two.expectNothing(300, "PUBLISH");
  for (const packet of held) two.send(puback(packet.id));
  await two.messages(2);
  await two.drop();
  const one = await shared.connect();
  await consume(one, "large", [["mess-credit-bytes", "100"]]);
  await one.message();
  await one.expectNothing(300, "PUBLISH");
});
