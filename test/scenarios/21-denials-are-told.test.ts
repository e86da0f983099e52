// A denial is told to the client with its reason, and written down with who, what and where (complaints 10 and 11).
import { expect, it } from "vitest";
import { createKey } from "../support/cli.ts";
import { withPolicy } from "../support/declared.ts";
import { RawClient } from "../support/raw-client.ts";
import { unique, useServer } from "../support/suite.ts";

const args = withPolicy(`
[roles.device]
allow = [{ publish = "plant/{principal}/#" }]
[principals.lamp]
roles = ["device"]
`);
const shared = useServer({ mode: "secure", args });

interface Line {
  readonly event: string;
  readonly principal?: string;
  readonly action?: string;
  readonly topic?: string;
}

function logged(event: string): Line[] {
  const lines = shared.server.stderr.split("\n").filter((line) => line.startsWith("{"));
  return lines.map((line) => JSON.parse(line) as Line).filter((line) => line.event === event);
}

it("says why, and leaves an audit event at the ordinary log level", async () => {
  const key = await createKey(shared.server, "lamp");
  const client = await RawClient.connect(shared.server.mqtt, {
    clientId: unique("c"),
    username: key.id,
    password: key.secret,
  });
  const refused = await client.publish({ topic: "plant/other/temp", payload: "21", qos: 1 });
  expect(refused?.code).toBe(0x87);
  expect(refused?.properties.reasonString?.toString()).toMatch(/\w+ \w+/);
  const suback = await client.subscribe("plant/#", { refusable: true });
  expect([...suback.codes]).toEqual([0x87]);
  await expect.poll(() => logged("acl.deny").length).toBeGreaterThanOrEqual(2);
  const [publish] = logged("acl.deny").filter((line) => line.action === "publish");
  expect(publish).toMatchObject({ principal: "lamp", action: "publish", topic: "plant/other/temp" });
});

it("ends a client whose QoS 0 publish is denied, and writes that down too", async () => {
  const key = await createKey(shared.server, "lamp");
  const client = await RawClient.connect(shared.server.mqtt, {
    clientId: unique("c"),
    username: key.id,
    password: key.secret,
  });
  await client.publish({ topic: "plant/zero/temp", payload: "21", qos: 0 });
  await client.refused([0x87], { mustTell: true });
  await expect.poll(() => logged("acl.deny").map((line) => line.topic)).toContain("plant/zero/temp");
});

it("ends a 3.1.1 client that may not publish, which has no other way to learn it", async () => {
  const key = await createKey(shared.server, "lamp");
  const client = await RawClient.connect(shared.server.mqtt, {
    version: 4,
    clientId: unique("c"),
    username: key.id,
    password: key.secret,
  });
  const answer = client.publish({ topic: "plant/other/temp", payload: "21", qos: 1 });
  await expect(answer).rejects.toThrow("closed");
});
