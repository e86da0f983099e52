// A message that cannot be processed ends in the dead letters, alone, whatever else its consumer held (complaints 13, 14, 15).
import { expect, it } from "vitest";
import { messAt } from "../support/cli.ts";
import { consume, puback, text, userProperty, withMeta, withPolicy } from "../support/declared.ts";
import { useServer } from "../support/suite.ts";

const args = withPolicy(`
[subscriptions.lost]
filters = ["lost/#"]
maxDeliveries = 2
[subscriptions.poison]
filters = ["poison/#"]
maxDeliveries = 2
backoff = ["100ms", "200ms"]
`);
const shared = useServer({ args });

it("counts no attempt for lost connections, however many", async () => {
  const publisher = await shared.connect();
  for (let n = 0; n < 5; n++) await publisher.publish({ topic: "lost/x", payload: String(n), qos: 1 });
  for (let round = 0; round < 5; round++) {
    const consumer = await shared.connect(withMeta);
    await consume(consumer, "lost");
    const all = await consumer.messages(5);
    expect(all.map(text)).toEqual(["0", "1", "2", "3", "4"]);
    expect(all.map((packet) => userProperty(packet, "mess-attempt"))).toEqual(Array(5).fill("1"));
    await consumer.drop();
  }
});

it("dead-letters the poison alone, with its reason, its attempts and where it came from; redrive brings it back", async () => {
  const publisher = await shared.connect();
  const dead = await shared.connect();
  await dead.subscribe({ filter: "$mess/dead/poison", qos: 1 });
  const consumer = await shared.connect(withMeta);
  await consume(consumer, "poison");
  const sent = ["a", "b", "poison", "c", "d"];
  for (const payload of sent) await publisher.publish({ topic: "poison/x", payload, qos: 1 });
  const done: string[] = [];
  const attempts: (string | undefined)[] = [];
  while (done.length < 4 || attempts.length < 2) {
    const packet = await consumer.message();
    const isPoison = text(packet) === "poison";
    if (isPoison) attempts.push(userProperty(packet, "mess-attempt"));
    else done.push(text(packet));
    consumer.send(puback(packet.id, isPoison ? 0x80 : undefined));
  }
  expect(done.sort()).toEqual(["a", "b", "c", "d"]);
  expect(attempts).toEqual(["1", "2"]);
  const letter = await dead.message();
  expect(text(letter)).toBe("poison");
  expect(userProperty(letter, "mess-dead-reason")).toBeTruthy();
  expect(userProperty(letter, "mess-attempts")).toBe("2");
  expect(userProperty(letter, "mess-origin-topic")).toBe("poison/x");
  expect(userProperty(letter, "mess-origin-offset")).toMatch(/^\d+$/);
  await consumer.expectNothing(400, "PUBLISH");

  const redriven = await messAt(shared.server, ["dead", "redrive", "poison", "--all", "--yes"]);
  expect(redriven.stderr + String(redriven.code)).toMatch(/0$/);
  const again = await consumer.message();
  expect([text(again), userProperty(again, "mess-attempt")]).toEqual(["poison", "1"]);
  consumer.send(puback(again.id));
});
