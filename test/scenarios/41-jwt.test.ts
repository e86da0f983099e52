// JWTs of a configured issuer, over every door: let in, refused, and ended when they end (THREATS D2).
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { jwksText, type TestKey } from "../../packages/broker/src/identity/jwt.test-data.ts";
import { adminKeyOf, ask } from "../support/ask.ts";
import { createKey, messAt } from "../support/cli.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { lasting, topic, unique, will } from "../support/suite.ts";
import { badTokens, goodToken, issuerKeys, issuerToml, seconds, testIssuer } from "../support/tokens.ts";

const root = mkdtempSync(join(tmpdir(), "mess-jwt-"));
const idp = testIssuer();
const { keys } = idp;
const jwks = join(root, "jwks.json");
let server: Server;
let principal = "";

beforeAll(async () => {
  const config = join(root, "mess.toml");
  writeFileSync(jwks, issuerKeys(idp));
  writeFileSync(config, `${issuerToml(jwks)}[limits]\nauthFailuresPerAddressPerMinute = 10000\n`);
  server = await Server.start({ mode: "secure", dataDir: join(root, "data"), args: ["--config", config] });
  principal = unique("p");
  await createKey(server, principal, "admin");
}, 30_000);
afterAll(async () => {
  await server.remove();
  rmSync(root, { recursive: true, force: true });
});

/** Good for a minute but for what `claims` and `header` change. */
const token = (key: TestKey, claims: object = {}, header: object = {}): Promise<string> =>
  goodToken(key, { sub: principal, ...claims }, header);

for (const key of keys) {
  it(`one by ${key.algorithm} opens MQTT 5.0 and 3.1.1, WebSocket and HTTP, as its subject`, async () => {
    const password = await token(key);
    for (const [endpoint, version] of [
      [server.mqtt, 5],
      [server.mqtt, 4],
      [server.webSocket, 5],
    ] as const) {
      const client = await RawClient.connect(endpoint, { version, clientId: unique("c"), username: "jwt", password });
      const name = topic();
      await client.subscribe({ filter: name, qos: 1 });
      await client.publish({ topic: name, payload: "x", qos: 1 });
      expect((await client.message()).payload.toString()).toBe("x");
    }
    await RawClient.connect(server.mqtt, { clientId: unique("c"), password });
    const who = await ask(server, "/v1/whoami", { key: password });
    expect(JSON.parse(who.text)).toMatchObject({ principal, keyId: `jwt:idp:${key.kid}` });
  });
}

describe("refused over MQTT and HTTP alike", () => {
  const bad = badTokens(idp, () => principal);
  it.each(bad)("%s", async (_, make) => {
    const password = await make();
    const name = topic();
    const client = await RawClient.open(server.mqtt);
    client.send(
      build.connect({ clientId: unique("c"), username: "jwt", password, will: will(name, "will") }),
      build.publish({ topic: name, payload: "smuggled", retain: true }),
    );
    await client.refused([0x86], { mustTell: true });
    expect((await ask(server, "/v1/whoami", { key: password })).status).toBe(401);
    const { id, secret } = server.admin;
    const watcher = await RawClient.connect(server.mqtt, { clientId: unique("w"), username: id, password: secret });
    await watcher.subscribe(name);
    await watcher.ping();
    await watcher.expectNothing(30);
  });
});

it("when it ends, so does what it opened: MQTT with 0x87 and its will, event streams; the session waits for the next one", async () => {
  const [key] = keys;
  const { id, secret } = server.admin;
  const watcher = await RawClient.connect(server.mqtt, { clientId: unique("w"), username: id, password: secret });
  const [told, name, clientId] = [topic(), topic(), unique("c")];
  await watcher.subscribe(told);
  const exp = seconds() + 2;
  const password = await token(key, { exp });
  const connect = { ...lasting(5), clientId, username: "jwt", password, will: will(told, "over") };
  const client = await RawClient.connect(server.mqtt, connect);
  await client.subscribe({ filter: name, qos: 1 });
  const stream = ask(server, `/v1/events?filter=${encodeURIComponent(name)}`, { key: password });
  await client.refused([0x87], { mustTell: true, within: 4_000 });
  const ended = Date.now();
  expect(ended).toBeGreaterThan(exp * 1_000 - 50);
  expect(ended).toBeLessThan(exp * 1_000 + 1_500);
  expect((await watcher.message()).payload.toString()).toBe("over");
  await stream;
  expect(Date.now()).toBeLessThan(exp * 1_000 + 2_500);
  await watcher.publish({ topic: name, payload: "kept", qos: 1 });
  const next = await token(key);
  const again = await RawClient.connect(server.mqtt, { ...lasting(5), clientId, username: "jwt", password: next });
  expect(again.connack?.sessionPresent).toBe(true);
  expect((await again.message()).payload.toString()).toBe("kept");
});

it("a key that the issuer's file does not hold any more counts no more after SIGHUP; a broken file changes nothing", async () => {
  const [ed, es] = keys;
  const code = async (key: TestKey): Promise<number> =>
    (await ask(server, "/v1/whoami", { key: await token(key) })).status;
  const reload = async (): Promise<void> => {
    process.kill(server.pid, "SIGHUP");
    await new Promise((resolve) => setTimeout(resolve, 400));
  };
  writeFileSync(jwks, "{ broken");
  await reload();
  expect([await code(ed), await code(es)]).toEqual([200, 200]);
  writeFileSync(jwks, jwksText(es));
  await reload();
  expect([await code(ed), await code(es)]).toEqual([401, 200]);
});

it("no token stands in what the process prints, nor in the audit trail of the log", async () => {
  expect(server.stdout + server.stderr).not.toMatch(/eyJ/);
  expect((await messAt(server, ["key", "list"])).code).toBe(0);
  expect((await ask(server, "/metrics", { key: adminKeyOf(server) })).text).not.toContain("eyJ");
});
