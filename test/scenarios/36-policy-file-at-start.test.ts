// Whoever may declare a subscription cannot keep the broker from starting again: a policy file that leaves out a
// subscription in which messages wait does not delete it, and is told.
import { expect, it } from "vitest";
import { withPolicy } from "../support/declared.ts";
import { useServer } from "../support/suite.ts";

const shared = useServer({ args: withPolicy('[subscriptions.known]\nfilters = ["known/#"]\n') });

it("starts with the policy file, keeps what waits, and says so", async () => {
  const { server } = shared;
  const json = { "content-type": "application/json" };
  const declare = async (name: string): Promise<number> => {
    const body = JSON.stringify({ filters: [`${name}/#`] });
    const url = `${server.httpUrl}/v1/subscriptions/${name}`;
    return (await fetch(url, { method: "PUT", headers: json, body })).status;
  };
  expect([await declare("full"), await declare("empty")]).toEqual([201, 201]);
  await fetch(`${server.httpUrl}/v1/messages?topic=full/a`, { method: "POST", body: "waits" });
  await server.stop();
  await server.start();
  const page = await fetch(`${server.httpUrl}/v1/subscriptions`);
  const { subscriptions } = (await page.json()) as { subscriptions: { name: string; ready: number }[] };
  expect(subscriptions.map(({ name, ready }) => `${name} ${ready}`)).toEqual(["full 1", "known 0"]);
  expect(server.stderr).toContain("policy.subscription-kept");
});
