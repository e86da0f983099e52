// One schema for a topic: the broker itself refuses what does not satisfy it, and says where (complaint 24).
import { expect, it } from "vitest";
import { withPolicy } from "../support/declared.ts";
import { useServer } from "../support/suite.ts";

const args = withPolicy(`
[topics."readings/#"]
[topics."readings/#".schema]
type = "object"
required = ["sensor", "celsius"]
additionalProperties = false
[topics."readings/#".schema.properties.sensor]
type = "string"
[topics."readings/#".schema.properties.celsius]
type = "number"
minimum = -273.15
`);
const shared = useServer({ args });

const good = JSON.stringify({ sensor: "a", celsius: 21.5 });

it("takes what fits, and refuses what does not with 0x99 and the failing path", async () => {
  const watcher = await shared.connect();
  await watcher.subscribe({ filter: "readings/#", qos: 1 });
  const client = await shared.connect();
  const bad = [
    ["not json", /JSON/i],
    [JSON.stringify({ sensor: "a" }), /celsius/],
    [JSON.stringify({ sensor: "a", celsius: "warm" }), /celsius/],
    [JSON.stringify({ sensor: "a", celsius: -300 }), /celsius/],
    [JSON.stringify({ sensor: "a", celsius: 1, colour: "red" }), /colour/],
  ] as const;
  for (const [payload, reason] of bad) {
    const answer = await client.publish({ topic: "readings/7", payload, qos: 1 });
    expect(answer?.code).toBe(0x99);
    expect(answer?.properties.reasonString?.toString()).toMatch(reason);
  }
  expect((await client.publish({ topic: "readings/7", payload: good, qos: 1 }))?.code).toBe(0);
  expect((await client.publish({ topic: "elsewhere/7", payload: "not json", qos: 1 }))?.code).toBeLessThan(0x80);
  expect((await watcher.message()).payload.toString()).toBe(good);
  await watcher.expectNothing(200, "PUBLISH");
});

it("ends a 3.1.1 client that breaks it: nothing is acknowledged and dropped", async () => {
  const client = await shared.connect({ version: 4 });
  await expect(client.publish({ topic: "readings/7", payload: "not json", qos: 1 })).rejects.toThrow("closed");
});
