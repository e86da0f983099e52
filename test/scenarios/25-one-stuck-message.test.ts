// A message that is stuck changes nothing for any other: they go on, and their attempts are their own (complaint 23).
import { expect, it } from "vitest";
import { consume, puback, publishWith, text, userProperty, withMeta, withPolicy } from "../support/declared.ts";
import { useServer } from "../support/suite.ts";

const args = withPolicy(`
[subscriptions.stuck]
filters = ["stuck/#"]
ordering = "key"
ackWait = "1s"
backoff = ["100ms", "100ms"]
`);
const shared = useServer({ args });

it("keeps the others going, in the order of each key", async () => {
  const publisher = await shared.connect();
  const hanging = await shared.connect(withMeta);
  await consume(hanging, "stuck", [["mess-credit", "1"]]);
  await publishWith(publisher, "stuck/x", "a1", [["mess-key", "a"]]);
  expect(text(await hanging.message())).toBe("a1");
  const working = await shared.connect(withMeta);
  await consume(working, "stuck");
  for (const [key, payload] of [
    ["a", "a2"],
    ["b", "b1"],
    ["b", "b2"],
    ["c", "c1"],
  ] as const) {
    await publishWith(publisher, "stuck/x", payload, [["mess-key", key]]);
  }
  const done: [string, string | undefined][] = [];
  const work = async (): Promise<void> => {
    const packet = await working.message(6_000);
    done.push([text(packet), userProperty(packet, "mess-attempt")]);
    working.send(puback(packet.id));
  };
  for (let n = 0; n < 3; n++) await work();
  expect(done.map(([payload]) => payload).filter((payload) => payload.startsWith("b"))).toEqual(["b1", "b2"]);
  expect(done.map(([payload]) => payload)).toContain("c1");
  expect(done.map(([, attempt]) => attempt)).toEqual(["1", "1", "1"]);
  // The hanging consumer's lease expires; it leaves, so that nobody hangs again, and key a goes on in order.
  await hanging.drop();
  for (let n = 0; n < 2; n++) await work();
  expect(done.slice(3).map(([payload]) => payload)).toEqual(["a1", "a2"]);
  expect(done.at(-1)).toEqual(["a2", "1"]);
  await working.drop();
});

it("counts an expired lease for its own message alone", async () => {
  const publisher = await shared.connect();
  const hanging = await shared.connect(withMeta);
  await consume(hanging, "stuck", [["mess-credit", "2"]]);
  await publishWith(publisher, "stuck/x", "d1", [["mess-key", "d"]]);
  const first = await hanging.message();
  expect([text(first), userProperty(first, "mess-attempt")]).toEqual(["d1", "1"]);
  await publishWith(publisher, "stuck/x", "e1", [["mess-key", "e"]]);
  const second = await hanging.message();
  hanging.send(puback(second.id));
  const again = await hanging.message(6_000);
  expect([text(again), userProperty(again, "mess-attempt")]).toEqual(["d1", "2"]);
  hanging.send(puback(again.id));
  await hanging.expectNothing(300, "PUBLISH");
});
