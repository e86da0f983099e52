// Tokens: narrower than their key in every door, over when they say, gone with their key; and keys that change without a break.
import { connect } from "@mess/client";
import { beforeAll, expect, it } from "vitest";
import { adminKeyOf, ask } from "../support/ask.ts";
import { createKey, type Key, messAt } from "../support/cli.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { lasting, topic, unique, useServer } from "../support/suite.ts";

const shared = useServer({ mode: "secure" });
let owner: Key;

beforeAll(async () => {
  owner = await createKey(shared.server, unique("p"), "admin");
}, 30_000);

interface Token extends Key {
  readonly expiresAt: number;
}

async function token(words: readonly string[], key: Key = owner): Promise<Token> {
  const ran = await messAt(shared.server, ["token", ...words, "--json"], {
    env: { MESS_KEY: `${key.id}.${key.secret}` },
  });
  expect(ran.stderr + String(ran.code)).toMatch(/0$/);
  return JSON.parse(ran.stdout) as Token;
}

const as = (key: Key, options: object = {}): Promise<RawClient> =>
  RawClient.connect(shared.server.mqtt, { clientId: unique("c"), username: key.id, password: key.secret, ...options });

const bearer = ({ id, secret }: Key): string => `${id}.${secret}`;

it("may over MQTT and HTTP what its scope says, and nothing beside it", async () => {
  const { server } = shared;
  const [inside, outside] = [topic(), topic()];
  const scoped = await token(["--allow", `subscribe=${inside}`, "--allow", `publish=${inside}`]);
  expect(scoped.principal).toBe(`${owner.principal}~${scoped.id}`);
  const client = await as(scoped);
  const subscribe = async (filter: string): Promise<readonly number[]> =>
    (await client.subscribe({ filter, qos: 1 }, { refusable: true })).codes;
  expect(await subscribe(inside)).toEqual([1]);
  expect(await subscribe(outside)).toEqual([0x87]);
  expect(await subscribe("#")).toEqual([0x87]);
  const publish = async (name: string): Promise<number> =>
    (
      await ask(server, `/v1/topics/${encodeURIComponent(name)}/messages`, {
        method: "POST",
        key: bearer(scoped),
        body: { a: 1 },
      })
    ).status;
  expect(await publish(outside)).toBe(403);
  expect(await publish(inside)).toBeLessThan(300);
  const got = await client.next("PUBLISH");
  expect(got.topic).toBe(inside);
  for (const path of ["/v1/policy", "/v1/keys", "/metrics"])
    expect([path, (await ask(server, path, { key: bearer(scoped) })).status]).toEqual([path, 403]);
  expect((await ask(server, "/v1/whoami", { key: bearer(scoped) })).text).toContain(`"rights":[]`);
});

it("gives a scoped one no lasting session", async () => {
  const scoped = await token(["--allow", "subscribe=#"]);
  const clientId = unique("c");
  const first = await as(scoped, { ...lasting(5), clientId });
  // A server that gives less than was asked for says so (MQTT 5.0 section 3.2.2.3.2).
  expect(first.connack?.properties).toMatchObject({ sessionExpiryInterval: 0 });
  await first.subscribe({ filter: topic(), qos: 1 });
  await first.drop();
  const again = await as(scoped, { ...lasting(5), clientId, cleanStart: false });
  expect(again.connack?.sessionPresent).toBe(false);
});

it("makes no credentials, though its owner is an admin", async () => {
  const { server } = shared;
  const plain = await token([]);
  expect(plain.principal).toBe(owner.principal);
  const post = async (path: string, body: object): Promise<number> =>
    (await ask(server, path, { method: "POST", key: bearer(plain), body })).status;
  expect(await post("/v1/keys", { name: "x", roles: [] })).toBe(403);
  expect(await post(`/v1/keys/${owner.id}/rotation`, {})).toBe(403);
  expect(await post("/v1/tokens", {})).toBe(403);
  expect((await ask(server, "/v1/policy", { key: bearer(plain) })).status).toBe(200);
});

it("ends its connections when it ends, tells why, and is refused from then on, after a restart too", async () => {
  const { server } = shared;
  const brief = await token(["--allow", "subscribe=#", "--expires", "2s"]);
  const five = await as(brief);
  const four = await as(brief, { version: 4 });
  await Promise.all([five.refused([0x87], { within: 5_000 }), four.refused([], { within: 5_000 })]);
  expect(Date.now()).toBeGreaterThanOrEqual(brief.expiresAt);
  expect(Date.now() - brief.expiresAt).toBeLessThan(2_500);
  const refuse = async (): Promise<void> => {
    const client = await RawClient.open(server.mqtt);
    client.send(build.connect({ clientId: unique("c"), username: brief.id, password: brief.secret }));
    await client.refused([0x86], { mustTell: true });
    expect((await ask(server, "/v1/whoami", { key: bearer(brief) })).status).toBe(401);
  };
  await refuse();
  await server.kill();
  await server.start();
  await refuse();
});

it("is renewed by the SDK without its program noticing: sessions and subscriptions go on", async () => {
  const { server } = shared;
  const name = "tokens/renewed";
  let made = 0;
  const mess = await connect(`mqtts://localhost:${server.mqtt.port}`, {
    ca: server.ca,
    clientId: unique("c"),
    auth: {
      token: async () => {
        made++;
        const reply = await ask(server, "/v1/tokens", {
          method: "POST",
          key: bearer(owner),
          body: { expiresIn: "2s" },
        });
        return bearer(JSON.parse(reply.text) as Key);
      },
    },
  });
  const got: unknown[] = [];
  const reader = mess.topic(name).subscribe();
  await reader.ready;
  const reading = (async (): Promise<void> => {
    for await (const { value } of reader) got.push(value);
  })();
  const end = performance.now() + 10_000;
  for (let sent = 0; made < 4 && performance.now() < end; sent++) {
    await mess.topic(name).publish(sent);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  await mess.close();
  await reading.catch(() => undefined);
  expect(made).toBeGreaterThanOrEqual(4);
  expect(got.length).toBeGreaterThan(5);
  expect(got).toEqual(got.map((_, index) => index));
});

it("goes with the key that it was made with", async () => {
  const { server } = shared;
  const key = await createKey(server, unique("p"), "admin");
  const made = await token([], key);
  const client = await as(made);
  expect((await messAt(server, ["key", "revoke", key.id, "--yes"])).code).toBe(0);
  await client.refused([0x87, 0x98], { within: 2_000 });
  expect((await ask(server, "/v1/whoami", { key: bearer(made) })).status).toBe(401);
});

it("lets a key be changed without a break: both count until the old one's time is over", async () => {
  const { server } = shared;
  const old = await createKey(server, unique("p"), "admin");
  const before = await as(old);
  const ran = await messAt(server, ["key", "rotate", old.id, "--overlap", "3s", "--json"]);
  expect(ran.code).toBe(0);
  const next = JSON.parse(ran.stdout) as Key;
  expect(next.principal).toBe(old.principal);
  await before.ping();
  const [beside, after] = [await as(old), await as(next)];
  await Promise.all([beside.ping(), after.ping()]);
  await Promise.all([before.refused([0x87], { within: 6_000 }), beside.refused([0x87], { within: 6_000 })]);
  await after.ping();
  expect((await ask(server, "/v1/whoami", { key: bearer(old) })).status).toBe(401);
  expect((await ask(server, "/v1/whoami", { key: bearer(next) })).status).toBe(200);
  expect((await ask(server, "/metrics", { key: adminKeyOf(server) })).text).toMatch(/^mess_keys_ending_soon 0$/m);
});
