// A durable consumer group for clients that know nothing of mess, in both versions of MQTT (complaint 25).
import { expect, it } from "vitest";
import { puback, text, withPolicy } from "../support/declared.ts";
import { bothVersions, useServer, versions } from "../support/suite.ts";

const args = withPolicy(
  versions.map((version) => `[subscriptions.stock${version}]\nfilters = ["stock${version}/+"]\n`).join("\n"),
);
const shared = useServer({ args, killed: true });

bothVersions(
  "keeps messages while nobody is there, shares them out, and gives back what a lost member held",
  async (version) => {
    const name = `stock${version}`;
    const publisher = await shared.connect();
    const sent = ["1", "2", "3", "4", "5", "6"];
    for (const payload of sent) await publisher.publish({ topic: `${name}/x`, payload, qos: 1 });
    const one = await shared.connect({ version });
    await one.subscribe({ filter: `$share/${name}/${name}/+`, qos: 1 });
    const held = await one.messages(6);
    expect(held.map(text)).toEqual(sent);
    expect(held.map((packet) => packet.topic)).toEqual(Array(6).fill(`${name}/x`));
    for (const packet of held.slice(0, 3)) one.send(puback(packet.id));
    await one.ping();
    await one.drop();
    const two = await shared.connect({ version });
    await two.subscribe({ filter: `$share/${name}/${name}/+`, qos: 1 });
    expect((await two.messages(3)).map(text)).toEqual(["4", "5", "6"]);
  },
);

it("refuses another filter under its name: a misspelling must not lose messages", async () => {
  const client = await shared.connect();
  const suback = await client.subscribe("$share/stock5/stock/+", { refusable: true });
  expect(suback.codes[0]).toBeGreaterThanOrEqual(0x80);
  expect(suback.properties.reasonString?.toString()).toMatch(/stock5\/\+/);
});
