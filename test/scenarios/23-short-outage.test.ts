// A consumer whose own backend is down for a moment does not burn its attempts: a nack waits, longer each time (complaint 16).
import { expect, it } from "vitest";
import { consume, puback, text, userProperty, withMeta, withPolicy } from "../support/declared.ts";
import { useServer } from "../support/suite.ts";

// Nothing but the filter: these are the defaults.
const args = withPolicy('[subscriptions.bills]\nfilters = ["bills/#"]\n');
const shared = useServer({ args });

it("retries after a second, then after two, with jitter; never at once", async () => {
  const publisher = await shared.connect();
  const consumer = await shared.connect(withMeta);
  await consume(consumer, "bills");
  await publisher.publish({ topic: "bills/1", payload: "x", qos: 1 });
  const times: number[] = [];
  for (const attempt of ["1", "2", "3"]) {
    const packet = await consumer.message(6_000);
    times.push(performance.now());
    expect([text(packet), userProperty(packet, "mess-attempt")]).toEqual(["x", attempt]);
    consumer.send(puback(packet.id, attempt === "3" ? undefined : 0x80));
  }
  const [first = 0, second = 0, third = 0] = times;
  // Between half and the whole of 1 s and of 2 s; the clockwork is exact to about 100 ms.
  expect(second - first).toBeGreaterThanOrEqual(450);
  expect(second - first).toBeLessThan(2_000);
  expect(third - second).toBeGreaterThanOrEqual(950);
  expect(third - second).toBeLessThan(3_500);
});
