// Default deny, deny over allow, asked at the moment of effect: live, retained, queued, shared, will (THREATS A6, A15; LESSONS 25, 26).
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { createKey, type Key, messAt } from "../support/cli.ts";
import * as build from "../support/packets.ts";
import { type ConnectOptions, RawClient } from "../support/raw-client.ts";
import { lasting, unique, useServer } from "../support/suite.ts";

const shared = useServer({ mode: "secure" });
const root = mkdtempSync(join(tmpdir(), "mess-policy-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const policy = `
[roles.writer]
allow = [{ publish = "orders/#" }]

[roles.reader]
allow = [{ subscribe = "#" }]
deny = [{ subscribe = "secret/#" }]

[roles.device]
allow = [{ publish = "dev/{principal}/#" }, { subscribe = "dev/{principal}/#" }]

[principals.shop]
roles = ["writer"]

[principals.desk]
roles = ["reader"]

[principals.lamp]
roles = ["device"]
`;

let shop: Key;
let desk: Key;
let lamp: Key;

async function apply(content: string): Promise<void> {
  const path = join(root, `${unique("policy")}.toml`);
  writeFileSync(path, content);
  const ran = await messAt(shared.server, ["policy", "apply", path, "--yes"]);
  expect(ran.stderr + ran.stdout + String(ran.code)).toMatch(/0$/);
}

beforeAll(async () => {
  await apply(policy);
  shop = await createKey(shared.server, "shop");
  desk = await createKey(shared.server, "desk");
  lamp = await createKey(shared.server, "lamp");
}, 30_000);

const as = (key: Key, options: ConnectOptions = {}): Promise<RawClient> =>
  RawClient.connect(shared.server.mqtt, { clientId: unique("c"), username: key.id, password: key.secret, ...options });

const asAdmin = (): Promise<RawClient> => {
  const { id, secret } = shared.server.admin;
  return RawClient.connect(shared.server.mqtt, { clientId: unique("c"), username: id, password: secret });
};

it("refuses a publish beyond the grants with 0x87, and delivers none of it", async () => {
  const watcher = await asAdmin();
  await watcher.subscribe("#");
  const client = await as(shop);
  expect((await client.publish({ topic: "other/x", payload: "no", qos: 1 }))?.code).toBe(0x87);
  expect((await client.publish({ topic: "other/x", payload: "no", qos: 2 }))?.code).toBe(0x87);
  expect((await client.publish({ topic: "ordersx", payload: "no", qos: 1 }))?.code).toBe(0x87);
  expect([0, 0x10]).toContain((await client.publish({ topic: "orders/1", payload: "yes", qos: 1 }))?.code);
  expect((await watcher.message()).payload.toString()).toBe("yes");
  const zero = await as(shop);
  zero.send(build.publish({ topic: "other/x", payload: "no" }), build.pingreq());
  await zero.take("PINGRESP").catch(() => zero.refused([0x87]));
  const old = await as(shop, { version: 4 });
  old.send(build.publish({ version: 4, topic: "other/x", payload: "no", qos: 1, id: 1 }));
  const { packets } = await old.closed();
  expect(packets).toEqual([]);
  await watcher.ping();
  await watcher.expectNothing(200);
});

it("refuses subscribe without a grant, retain without the right, and a will without the right", async () => {
  const client = await as(shop);
  const suback = await client.subscribe(["orders/#", "#", "$share/g/orders/#"], { refusable: true });
  expect([...suback.codes]).toEqual([0x87, 0x87, 0x87]);
  expect((await client.publish({ topic: "orders/1", payload: "r", qos: 1, retain: true }))?.code).toBe(0x87);
  const willing = await RawClient.open(shared.server.mqtt);
  willing.send(
    build.connect({
      clientId: unique("c"),
      username: shop.id,
      password: shop.secret,
      will: { topic: "other/x", payload: "w" },
    }),
  );
  await willing.refused([0x87], { mustTell: true });
  const old = await as(shop, { version: 4 });
  expect((await old.subscribe("orders/#", { refusable: true })).codes).toEqual([0x80]);
});

it("grants # where it is allowed, and masks what is denied: live, retained, queued and shared", async () => {
  const admin = await asAdmin();
  await admin.publish({ topic: "secret/kept", payload: "secret", qos: 1, retain: true });
  await admin.publish({ topic: "open/kept", payload: "open", qos: 1, retain: true });
  const client = await as(desk, { ...lasting(5), clientId: "desk-1" });
  const suback = await client.subscribe(
    [
      { filter: "#", qos: 1 },
      { filter: "secret/#", qos: 1 },
      { filter: "+/kept", qos: 1 },
    ],
    { refusable: true },
  );
  expect([...suback.codes]).toEqual([1, 0x87, 1]);
  await admin.publish({ topic: "secret/live", payload: "secret", qos: 1 });
  await admin.publish({ topic: "open/live", payload: "open", qos: 1 });
  const end = unique("end");
  await admin.publish({ topic: `open/${end}`, payload: end, qos: 1 });
  await client.take((packet) => packet.name === "PUBLISH" && packet.payload.toString() === end);
  expect(
    client
      .waiting("PUBLISH")
      .map((message) => message.topic)
      .filter((name) => name.startsWith("secret")),
  ).toEqual([]);
  for (const message of client.waiting("PUBLISH")) client.send(build.ack("PUBACK", message.id));
  await client.drop();
  await admin.publish({ topic: "secret/queued", payload: "secret", qos: 1 });
  await admin.publish({ topic: `open/${end}`, payload: `${end} queued`, qos: 1 });
  const back = await as(desk, { ...lasting(5), clientId: "desk-1" });
  await back.take((packet) => packet.name === "PUBLISH" && packet.payload.toString() === `${end} queued`);
  expect(back.waiting("PUBLISH").filter((message) => message.topic.startsWith("secret"))).toEqual([]);
  await admin.publish({ topic: "secret/kept", qos: 1, retain: true });
  await admin.publish({ topic: "open/kept", qos: 1, retain: true });
});

it("substitutes {principal} as one level, so a device has its own tree and no other", async () => {
  const client = await as(lamp);
  const suback = await client.subscribe(["dev/lamp/#", "dev/other/#", "dev/+/x", "dev/#"], { refusable: true });
  expect([...suback.codes]).toEqual([0, 0x87, 0x87, 0x87]);
  expect((await client.publish({ topic: "dev/lamp/x", payload: "x", qos: 1 }))?.code).toBe(0);
  expect((await client.publish({ topic: "dev/other/x", payload: "x", qos: 1 }))?.code).toBe(0x87);
});

it("takes a right away at once: live, queued, and what was granted before", async () => {
  const admin = await asAdmin();
  const client = await as(desk, { ...lasting(5), clientId: "desk-2" });
  await client.subscribe({ filter: "open/#", qos: 1 });
  await admin.publish({ topic: "open/a", payload: "before", qos: 1 });
  const message = await client.message();
  client.send(build.ack("PUBACK", message.id));
  await client.ping();
  await apply(policy.replace('[principals.desk]\nroles = ["reader"]', "[principals.desk]\nroles = []"));
  await admin.publish({ topic: "open/a", payload: "after", qos: 1 });
  await admin.ping();
  if (!client.isClosed)
    await client.expectNothing(300, "PUBLISH").catch(async (error: unknown) => {
      if (!client.isClosed) throw error;
    });
  const back = await as(desk, { ...lasting(5), clientId: "desk-2" });
  await back.ping();
  await back.expectNothing(200, "PUBLISH");
  expect((await back.subscribe("open/#", { refusable: true })).codes).toEqual([0x87]);
  await apply(policy);
});

it("keeps sessions of different principals with one client id apart (THREATS A2)", async () => {
  const mine = await as(desk, { ...lasting(5), clientId: "same-id" });
  await mine.subscribe({ filter: "open/#", qos: 1 });
  const theirs = await as(lamp, { ...lasting(5), clientId: "same-id" });
  expect(theirs.connack?.sessionPresent).toBe(false);
  await mine.ping();
  const admin = await asAdmin();
  await admin.publish({ topic: "open/x", payload: "for the desk", qos: 1 });
  expect((await mine.message()).payload.toString()).toBe("for the desk");
  await theirs.ping();
  await theirs.expectNothing(100);
});

it("does not release a QoS 2 message whose right was taken between PUBREC and PUBREL (LESSONS 17)", async () => {
  const watcher = await asAdmin();
  await watcher.subscribe("orders/#");
  const client = await as(shop);
  client.send(build.publish({ topic: "orders/2", payload: "held", qos: 2, id: 7 }));
  await client.take({ name: "PUBREC", id: 7 });
  await apply(policy.replace('[principals.shop]\nroles = ["writer"]', "[principals.shop]\nroles = []"));
  if (!client.isClosed) {
    client.send(build.ack("PUBREL", 7));
    await client.take({ name: "PUBCOMP", id: 7 }).catch(() => client.closed());
  }
  await watcher.ping();
  await watcher.expectNothing(200);
  await apply(policy);
});
