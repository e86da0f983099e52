// What waits, is being worked on, or is delayed is in the journal and nowhere else: kill -9 loses none of it (complaints 4 and 17).
import { expect, it } from "vitest";
import { messAt } from "../support/cli.ts";
import { consume, puback, publishWith, text, userProperty, withMeta, withPolicy } from "../support/declared.ts";
import { sleep, useServer } from "../support/suite.ts";

const args = withPolicy(`
[subscriptions.work]
filters = ["work/#"]
[subscriptions.later]
filters = ["later/#"]
[subscriptions.never]
filters = ["never/#"]
`);
const shared = useServer({ args, killed: true });

it("delivers again what was under way, and counts no attempt for it", async () => {
  const publisher = await shared.connect();
  for (const payload of ["1", "2", "3"]) await publisher.publish({ topic: "work/x", payload, qos: 1 });
  const consumer = await shared.connect(withMeta);
  await consume(consumer, "work");
  const [first] = await consumer.messages(3);
  expect(first === undefined ? "" : text(first)).toBe("1");
  consumer.send(puback(first?.id ?? 0));
  await consumer.ping();
  // An ack is durable within a tenth of a second, or with the next frame.
  await publisher.publish({ topic: "other", qos: 1 });
  await shared.server.kill();
  await shared.server.start();
  const again = await shared.connect(withMeta);
  await consume(again, "work");
  const left = await again.messages(2);
  expect(left.map((packet) => [text(packet), userProperty(packet, "mess-attempt")])).toEqual([
    ["2", "1"],
    ["3", "1"],
  ]);
  await again.expectNothing();
});

it("keeps delayed messages, at their time, through a kill", async () => {
  const publisher = await shared.connect();
  const began = Date.now();
  expect((await publishWith(publisher, "later/a", "soon", [["mess-delay", "PT3S"]])).code).toBeLessThan(0x80);
  const at = new Date(began + 4_000).toISOString();
  expect((await publishWith(publisher, "later/b", "at a time", [["mess-at", at]])).code).toBeLessThan(0x80);
  await shared.server.kill();
  await shared.server.start();
  const consumer = await shared.connect();
  await consume(consumer, "later");
  const one = await consumer.message(10_000);
  expect(text(one)).toBe("soon");
  expect(Date.now() - began).toBeGreaterThanOrEqual(3_000);
  expect(text(await consumer.message(10_000))).toBe("at a time");
  expect(Date.now() - began).toBeGreaterThanOrEqual(4_000);
  expect(Date.now() - began).toBeLessThan(7_000);
});

it("lists what is delayed, and cancels it", async () => {
  const publisher = await shared.connect();
  await publishWith(publisher, "never/a", "not to be sent", [["mess-delay", "PT8S"]]);
  await publishWith(publisher, "never/b", "to be sent", [["mess-delay", "PT8S"]]);
  const listed = await messAt(shared.server, ["delayed", "ls", "--json"]);
  expect(listed.stderr + String(listed.code)).toBe("0");
  const rows = listed.stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as { offset: number; topic: string });
  const unwanted = rows.find((row) => row.topic === "never/a");
  expect(unwanted).toBeDefined();
  const cancelled = await messAt(shared.server, ["delayed", "cancel", String(unwanted?.offset), "--yes"]);
  expect(cancelled.stderr + String(cancelled.code)).toMatch(/0$/);
  const consumer = await shared.connect();
  await consume(consumer, "never");
  expect(text(await consumer.message(12_000))).toBe("to be sent");
  await sleep(300);
  expect(consumer.waiting("PUBLISH")).toEqual([]);
});
