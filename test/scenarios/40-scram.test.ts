// Passwords by SCRAM-SHA-256 over MQTT 5.0 enhanced authentication (RFC 5802, 7677, 9266; MQTT 5.0 section 4.12; THREATS A2, A15, D2).
import { connect as connectTls } from "node:tls";
import { beforeAll, describe, expect, it } from "vitest";
import { TestScramClient } from "../../packages/broker/src/identity/scram-client.test-data.ts";
import { connectMqtt } from "../../packages/client/src/index.ts";
import { adminKeyOf, ask } from "../support/ask.ts";
import { createKey, messAt } from "../support/cli.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import {
  bindingOf,
  dataOf,
  type Login,
  type LoginWish,
  logIn,
  scram,
  scramPlus,
  setPassword,
} from "../support/scram-login.ts";
import type { Endpoint } from "../support/streams.ts";
import { lasting, topic, unique, useServer, will } from "../support/suite.ts";

const shared = useServer({ mode: "secure" });
const password = "correct horse battery";
let principal = "";

beforeAll(async () => {
  principal = unique("p");
  await createKey(shared.server, principal, "admin");
  await setPassword(shared.server, principal, password);
}, 30_000);

const login = (endpoint: Endpoint, wish: Partial<LoginWish> = {}): Promise<Login> =>
  logIn(endpoint, { username: principal, password, ...wish });

describe("the client of mess", () => {
  it("logs in with a password, bound to its TLS connection, and may what its principal may", async () => {
    const { server } = shared;
    const url = `mqtts://localhost:${server.mqtt.port}`;
    const options = { ca: server.ca, scram: { username: principal, password } };
    await using client = await connectMqtt(url, options);
    expect(client.serverProperties.authenticationMethod).toBe(scramPlus);
    const name = topic();
    await client.subscribe([name]);
    await client.publish(name, "hello");
    for await (const message of client) {
      expect(Buffer.from(message.payload).toString()).toBe("hello");
      break;
    }
    await using unbound = await connectMqtt(url, { ...options, scram: { ...options.scram, channelBinding: false } });
    expect(unbound.serverProperties.authenticationMethod).toBe(scram);
    for (const wrong of [
      { username: principal, password: `${password}!` },
      { username: "nobody", password },
    ]) {
      await expect(connectMqtt(url, { ca: server.ca, scram: wrong })).rejects.toMatchObject({
        code: "NOT_AUTHORIZED",
        reasonCode: 0x86,
      });
    }
  });
});

for (const transport of ["mqtt", "webSocket"] as const) {
  describe(transport === "mqtt" ? "over TLS" : "over WebSocket over TLS", () => {
    it.each([scramPlus, scram])(
      "%s lets in who knows the password, and proves that the server knows it too",
      async (method) => {
        const { client, scram: proved } = await login(shared.server[transport], { method });
        const connack = await client.next("CONNACK");
        expect([connack.code, connack.properties.authenticationMethod]).toEqual([0, method]);
        expect(dataOf(connack).toString()).toBe(proved.serverSignature);
        const name = topic();
        await client.subscribe(name);
        await client.publish({ topic: name, payload: "x", qos: 1 });
        expect((await client.message()).payload.toString()).toBe("x");
      },
    );

    it.each([
      ["a wrong password", { password: "wrong horse battery" }],
      ["an unknown name", { username: "nobody" }],
      ["a name of another case", { username: "P" }],
      ["the binding of another connection", { binding: Buffer.alloc(32, 1) }],
      ["no binding in a bound login", { binding: Buffer.alloc(0) }],
    ] as [string, Partial<LoginWish>][])("%s is refused alike, and nothing sent behind it counts", async (_, wish) => {
      const name = topic();
      const { client } = await login(shared.server[transport], { ...wish, connect: { will: will(name, "will") } });
      const { code, properties } = (await client.refused([0x86], { mustTell: true })) ?? { code: 0, properties: {} };
      expect([code, properties.reasonString]).toEqual([0x86, "the user name or the password is wrong"]);
      const { id, secret } = shared.server.admin;
      const watcher = await RawClient.connect(shared.server.mqtt, {
        clientId: unique("c"),
        username: id,
        password: secret,
      });
      await watcher.subscribe(name);
      await watcher.expectNothing(100);
    });
  });
}

it("a client that could bind and was told that it cannot is not let in: somebody in between told it so", async () => {
  const client = await RawClient.open(shared.server.mqtt);
  const { first } = new TestScramClient({ username: principal, password, nonce: "fyko", header: "y,," });
  client.send(
    build.connect({ clientId: unique("c"), properties: { authenticationMethod: scram, authenticationData: first } }),
  );
  expect((await client.refused([0x86], { mustTell: true }))?.properties.reasonString).toContain("channel binding");
});

it("without TLS 1.3 there is nothing to bind to, and the method that needs it is refused", async () => {
  const { port, ca = "" } = shared.server.mqtt;
  const socket = connectTls({ host: "127.0.0.1", port, ca, servername: "localhost", maxVersion: "TLSv1.2" });
  const properties = { authenticationMethod: scramPlus, authenticationData: Buffer.from("p=tls-exporter,,n=x,r=y") };
  socket.once("secureConnect", () => socket.write(build.connect({ clientId: unique("c"), properties })));
  const answer = await new Promise<Buffer>((resolve, reject) => {
    socket.once("data", resolve);
    socket.once("error", reject);
  });
  socket.destroy();
  expect([answer[0], answer[3]]).toEqual([0x20, 0x8c]);
});

it("nobody finds out which names have a password: an unknown one is asked alike, and the same over a restart", async () => {
  const ask = async (username: string): Promise<string> => {
    const { asked } = await login(shared.server.mqtt, { username });
    return dataOf(asked).toString();
  };
  const saltOf = (challenge: string): string => challenge.replace(/^r=[^,]+,/, "");
  const known = await ask(principal);
  const unknown = await ask("nobody");
  expect(unknown).toMatch(/^r=fyko[\x21-\x2b\x2d-\x7e]{20,},s=[A-Za-z0-9+/]{22}==,i=\d+$/);
  expect(saltOf(await ask("nobody"))).toBe(saltOf(unknown));
  expect(saltOf(await ask("noone"))).not.toBe(saltOf(unknown));
  await shared.server.kill();
  await shared.server.start();
  expect(saltOf(await ask("nobody"))).toBe(saltOf(unknown));
  expect(saltOf(await ask(principal))).toBe(saltOf(known));
});

it("[MQTT-4.12.1-2] a connection proves itself again while it works, and ends when it cannot", async () => {
  const { client } = await login(shared.server.mqtt);
  await client.next("CONNACK");
  const name = topic();
  await client.subscribe(name);
  const again = async (text: string): Promise<TestScramClient> => {
    const wish = { username: principal, password: text, nonce: "again", header: "p=tls-exporter,," };
    const next = new TestScramClient({ ...wish, binding: bindingOf(client) });
    client.send(build.auth(0x19, { authenticationMethod: scramPlus, authenticationData: next.first }));
    client.send(build.publish({ topic: name, payload: "meanwhile" }));
    const asked = await client.take("AUTH");
    expect(asked.code).toBe(0x18);
    const authenticationData = next.final(dataOf(asked));
    client.send(build.auth(0x18, { authenticationMethod: scramPlus, authenticationData }));
    return next;
  };
  const proved = await again(password);
  const done = await client.take("AUTH");
  expect([done.code, dataOf(done).toString()]).toEqual([0, proved.serverSignature]);
  expect((await client.message()).payload.toString()).toBe("meanwhile");
  await again("wrong horse battery");
  expect((await client.take("DISCONNECT")).code).toBe(0x87);
});

it("a password that is changed ends who came by the old one, will and all; the new one counts, over a kill", async () => {
  const { server } = shared;
  const name = unique("p");
  await createKey(server, name, "admin");
  await setPassword(server, name, "first password");
  const { id, secret } = server.admin;
  const watcher = await RawClient.connect(server.mqtt, { clientId: unique("c"), username: id, password: secret });
  const told = topic();
  await watcher.subscribe(told);
  const connect = { ...lasting(5), will: will(told, "of who knew the old one") };
  const { client } = await login(server.mqtt, { username: name, password: "first password", connect });
  expect((await client.next("CONNACK")).code).toBe(0);
  await setPassword(server, name, "second password");
  await client.refused([0x87], { within: 2_000 });
  await watcher.expectNothing(200);
  await server.kill();
  await server.start();
  const old = await login(server.mqtt, { username: name, password: "first password" });
  await old.client.refused([0x86], { mustTell: true });
  const current = await login(server.mqtt, { username: name, password: "second password" });
  expect((await current.client.next("CONNACK")).code).toBe(0);
  expect((await messAt(server, ["password", "list"])).stdout).toContain(name);
  expect((await messAt(server, ["password", "remove", name, "--yes"])).code).toBe(0);
  await current.client.refused([0x87], { within: 2_000 });
  const gone = await login(server.mqtt, { username: name, password: "second password" });
  await gone.client.refused([0x86], { mustTell: true });
  expect((await messAt(server, ["password", "remove", name, "--yes"])).code).not.toBe(0);
});

it("who may make keys for devices sets passwords for devices, and for nobody who may more", async () => {
  const { server } = shared;
  const admin = adminKeyOf(server);
  const policy = {
    roles: {
      device: { allow: [{ publish: "d/#" }] },
      keeper: { allow: [{ publish: "d/#" }, { admin: "keys" }] },
    },
    principals: { dev: { roles: ["device"] }, keeper: { roles: ["keeper"] }, [principal]: { roles: ["admin"] } },
  };
  const applied = await ask(server, "/v1/policy", { method: "PUT", key: admin, body: policy });
  expect([applied.status, applied.text]).toEqual([200, expect.any(String)]);
  const keeper = await createKey(server, "keeper");
  const key = `${keeper.id}.${keeper.secret}`;
  const b32 = Buffer.alloc(32, 1).toString("base64");
  const body = { salt: Buffer.alloc(16).toString("base64"), iterations: 15_000, storedKey: b32, serverKey: b32 };
  const put = async (name: string, sent: object = body): Promise<number> =>
    (await ask(server, `/v1/principals/${name}/password`, { method: "PUT", key, body: sent })).status;
  expect(await put("dev")).toBe(204);
  for (const name of ["admin", principal]) expect(await put(name)).toBe(403);
  expect(await put("stranger")).toBe(404);
  expect(await put("constructor")).toBe(404);
  for (const wrong of [{ iterations: 14_999 }, { salt: "AAAA" }, { storedKey: b32.slice(0, -1) }, { password: "x" }]) {
    expect(await put("dev", { ...body, ...wrong })).toBe(422);
  }
});

it("the password stands nowhere", async () => {
  expect(shared.server.stdout + shared.server.stderr).not.toContain("horse");
});
