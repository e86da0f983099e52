// Tokens of somebody else's issuer at the doors: who is let in, as whom, until when; keys that the issuer changes (RFC 8725).
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  forged,
  goodClaims,
  hmac,
  jwksText,
  signed,
  type TestKey,
  testKey,
} from "../../packages/broker/src/identity/jwt.test-data.ts";
import { adminKeyOf, ask } from "../support/ask.ts";
import { messAt } from "../support/cli.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import { unique } from "../support/suite.ts";

const root = mkdtempSync(join(tmpdir(), "mess-jwt-"));
const keys = join(root, "jwks.json");
const ed: TestKey = testKey("2026");
let server: Server;

const policy = `
[roles.reader]
allow = [{ subscribe = "dev/{principal}/#" }, { publish = "dev/{principal}/#" }]
[principals."corp:alice"]
roles = ["reader"]
[principals."corp:boss"]
roles = ["admin"]
`;

beforeAll(async () => {
  writeFileSync(keys, jwksText(ed));
  const policyFile = join(root, "policy.toml");
  writeFileSync(policyFile, policy);
  const config = join(root, "mess.toml");
  writeFileSync(
    config,
    `policyFile = "${policyFile}"
[[jwt]]
name = "corp"
issuer = "https://idp.example/"
audience = "mess"
jwksFile = "${keys}"
principalPrefix = "corp:"
clockTolerance = "1s"
[limits]
authFailuresPerAddressPerMinute = 1000
`,
  );
  server = await Server.start({ mode: "secure", dataDir: join(root, "data"), args: ["--config", config] });
}, 30_000);
afterAll(async () => {
  await server.remove();
  rmSync(root, { recursive: true, force: true });
});

const seconds = (): number => Math.floor(Date.now() / 1_000);

/** The claims of the test data are of 2027; these are of now. */
function fresh(claims: object = {}): Record<string, unknown> {
  return { sub: "alice", iat: seconds() - 1, exp: seconds() + 300, ...claims };
}

async function connectCode(password: string, username?: string): Promise<number> {
  const client = await RawClient.open(server.mqtt);
  client.send(build.connect({ clientId: unique("c"), password, ...(username !== undefined && { username }) }));
  const { code } = await client.next("CONNACK");
  if (code === 0) await client.disconnect();
  return code;
}

const whoami = (token: string): Promise<{ status: number; text: string }> => ask(server, "/v1/whoami", { key: token });

it("lets a principal of the policy in, on MQTT with any user name or none, on WebSocket, and over HTTP", async () => {
  const token = await signed(ed, fresh());
  expect(await connectCode(token)).toBe(0);
  expect(await connectCode(token, "anything")).toBe(0);
  const socket = await RawClient.connect(server.webSocket, { clientId: unique("c"), username: "x", password: token });
  expect((await socket.subscribe("dev/corp:alice/#")).codes).toEqual([0]);
  expect((await socket.subscribe("dev/other/#", { refusable: true })).codes).toEqual([0x87]);
  const four = await RawClient.connect(server.mqtt, {
    version: 4,
    clientId: unique("c"),
    username: "x",
    password: token,
  });
  await four.ping();
  const seen = await whoami(token);
  expect(seen.status).toBe(200);
  expect(JSON.parse(seen.text)).toMatchObject({ principal: "corp:alice", keyId: "jwt:corp:2026", rights: [] });
  const ran = await messAt(server, ["pub", "dev/corp:alice/x", "hello"], { env: { MESS_KEY: token } });
  expect(ran.stderr + String(ran.code)).toMatch(/0$/);
});

it("refuses alike whatever is wrong, and lets nobody choose a name", async () => {
  const stranger = testKey("2026");
  const tokens = [
    await signed(stranger, fresh()),
    await signed(ed, fresh({ exp: seconds() - 60, iat: seconds() - 120 })),
    await signed(ed, fresh({ exp: 4_294_967_295 })),
    await signed(ed, fresh({ aud: "other" })),
    await signed(ed, fresh({ iss: "https://evil.example/" })),
    await signed(ed, fresh({ sub: "nobody" })),
    await signed(ed, fresh({ sub: "admin" })),
    await signed(ed, fresh({ nbf: seconds() + 60 })),
    await signed(ed, fresh(), { kid: "../../etc/passwd" }),
    await signed(stranger, fresh(), { jwk: stranger.jwk }),
    forged({ alg: "none", kid: "2026" }, { ...goodClaims, ...fresh() }),
    forged({ alg: "HS256", kid: "2026" }, { ...goodClaims, ...fresh() }, hmac(JSON.stringify(ed.jwk))),
  ];
  for (const token of tokens) {
    expect([0x86, 0x87]).toContain(await connectCode(token, "corp:alice"));
    expect((await whoami(token)).status).toBe(401);
  }
  // The prefix keeps an issuer's names apart from the broker's own: this one is an administrator only by the policy.
  const boss = JSON.parse((await whoami(await signed(ed, fresh({ sub: "boss" })))).text);
  expect(boss).toMatchObject({ principal: "corp:boss", rights: expect.arrayContaining(["admin.keys"]) });
});

it("ends the connection when the token ends, and says so", async () => {
  const token = await signed(ed, fresh({ exp: seconds() + 2 }));
  const client = await RawClient.connect(server.mqtt, { clientId: unique("c"), username: "x", password: token });
  await client.ping();
  await client.refused([0x87], { within: 6_000 });
  expect(await connectCode(token)).toBeGreaterThanOrEqual(0x86);
});

it("makes tokens of its own that end with it", async () => {
  const exp = seconds() + 60;
  const token = await signed(ed, fresh({ exp }));
  const made = await ask(server, "/v1/tokens", { method: "POST", key: token, body: { expiresIn: "1h" } });
  expect(made.status).toBe(201);
  expect((JSON.parse(made.text) as { expiresAt: number }).expiresAt).toBeLessThanOrEqual((exp + 1) * 1_000);
});

it("reads changed keys on SIGHUP, keeps the old ones when the file is broken, and goes on in either case", async () => {
  const next = testKey("2027", "ES256");
  const [before, after] = [await signed(ed, fresh()), await signed(next, fresh())];
  expect([(await whoami(before)).status, (await whoami(after)).status]).toEqual([200, 401]);
  const reload = async (content: string, done: () => Promise<boolean>): Promise<void> => {
    writeFileSync(keys, content);
    server.signal("SIGHUP");
    const end = performance.now() + 5_000;
    while (!(await done())) {
      if (performance.now() > end) throw new Error("not reloaded");
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  await reload(jwksText(ed, next), async () => (await whoami(after)).status === 200);
  expect((await whoami(before)).status).toBe(200);
  const failures = async (): Promise<number> => {
    const { text } = await ask(server, "/metrics", { key: adminKeyOf(server) });
    return Number(/^mess_audit_events_total (\d+)$/m.exec(text)?.[1]);
  };
  const was = await failures();
  await reload("{", async () => (await failures()) > was);
  expect([(await whoami(before)).status, (await whoami(after)).status]).toEqual([200, 200]);
  await reload(jwksText(next), async () => (await whoami(before)).status === 401);
  expect((await whoami(after)).status).toBe(200);
});

it("does not start without the keys it was told to use", async () => {
  const config = join(root, "broken.toml");
  const table = 'name = "corp"\nissuer = "x"\naudience = "mess"\njwksFile = "/nonexistent/jwks.json"\n';
  writeFileSync(config, `[[jwt]]\n${table}`);
  const start = Server.start({ mode: "secure", dataDir: join(root, "other"), args: ["--config", config] });
  await expect(start).rejects.toThrow(/jwks\.json|keys of \[\[jwt\]\]|78/);
});
