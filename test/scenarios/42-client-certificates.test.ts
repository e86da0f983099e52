// Client certificates over MQTT, WebSocket and HTTPS: own and foreign ones let in, twelve refusals and their control, revocation at once (THREATS D1, A7, LESSONS 11, 32).
import { execFileSync, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect as connectTls } from "node:tls";
import { connect } from "@mess/client";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  makeAuthority,
  makeClient,
  makeList,
  type TestAuthority,
  type TestClient,
} from "../../packages/broker/src/input/certificates.test-data.ts";
import { adminKeyOf, ask, type Reply } from "../support/ask.ts";
import { mess, messAt } from "../support/cli.ts";
import { sleep } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { RawClient } from "../support/raw-client.ts";
import { Server } from "../support/server.ts";
import type { Endpoint } from "../support/streams.ts";
import { unique, will } from "../support/suite.ts";

interface Shown {
  readonly cert: string;
  readonly key: string;
}

const HOUR = 3_600_000;
const root = mkdtempSync(join(tmpdir(), "mess-certificates-"));
const file = (name: string): string => join(root, name);
let server: Server;
let foreign: TestAuthority;

function policy(names: readonly string[] = ["dns:device-1.example", "uri:spiffe://x/device"]): void {
  writeFileSync(
    file("policy.toml"),
    `[roles.device]
allow = [{ publish = "d/#" }, { subscribe = "d/#" }, { will = "d/#" }]
[principals.sensor]
roles = ["device"]
[principals.fleet]
roles = ["device"]
certificates = ${JSON.stringify(names)}
`,
  );
}

async function lists(...revoked: string[]): Promise<void> {
  // With the label that OpenSSL does not read.
  writeFileSync(file("lists.pem"), await makeList(foreign, revoked, { label: "library" }));
}

async function reload(): Promise<void> {
  const before = server.stderr.split("reload.").length + server.stdout.split("reload.").length;
  server.signal("SIGHUP");
  for (let wait = 0; wait < 200; wait++) {
    if (server.stderr.split("reload.").length + server.stdout.split("reload.").length > before) return;
    await sleep(20);
  }
  throw new Error("the server did not reload");
}

beforeAll(async () => {
  foreign = await makeAuthority("foreign");
  writeFileSync(file("foreign.pem"), foreign.pem);
  await lists();
  policy();
  const args = [
    "--client-ca",
    file("foreign.pem"),
    "--client-crl",
    file("lists.pem"),
    "--policy-file",
    file("policy.toml"),
  ];
  server = await Server.start({ mode: "secure", dataDir: file("data"), args });
}, 30_000);
afterAll(async () => {
  await server.remove();
  rmSync(root, { recursive: true, force: true });
});

async function issue(principal: string): Promise<Shown & { readonly serial: string }> {
  const directory = file(unique("out"));
  const made = await messAt(server, ["cert", "issue", principal, "--out", directory, "--days", "2", "--json"]);
  if (made.code !== 0) throw new Error(made.stderr);
  const { serial, certificate, key } = JSON.parse(made.stdout) as Record<string, string>;
  expect(statSync(key ?? "").mode & 0o777).toBe(0o600);
  return { serial: serial ?? "", cert: readFileSync(certificate ?? "", "utf8"), key: readFileSync(key ?? "", "utf8") };
}

const doors: readonly (readonly [string, () => Endpoint])[] = [
  ["TCP", () => server.mqtt],
  ["WebSocket", () => server.webSocket],
];

function whoami(certificate: Shown | undefined, key?: string): Promise<Reply> {
  return ask(server, "/v1/whoami", { ...(certificate && { certificate }), ...(key !== undefined && { key }) });
}

/** The reason code of CONNACK, and its reason string. */
async function connack(endpoint: Endpoint, certificate: Shown, credentials = {}): Promise<[number, string]> {
  const client = await RawClient.open({ ...endpoint, certificate });
  client.send(build.connect({ clientId: unique("c"), ...credentials }));
  const { code, properties } = await client.next("CONNACK");
  client.stream.destroy();
  return [code, String(properties?.reasonString ?? "")];
}

describe.each(doors)("over %s", (_name, endpoint) => {
  it("lets in who shows a certificate of mess cert issue, as its principal, until it is revoked", async () => {
    const { serial, ...certificate } = await issue("sensor");
    const client = await RawClient.connect({ ...endpoint(), certificate }, { clientId: unique("c") });
    await client.subscribe("d/#");
    expect((await client.subscribe("other/#", { refusable: true })).codes).toEqual([0x87]);
    const watcher = await RawClient.connect(server.mqtt, { ...admin(), clientId: unique("c") });
    await watcher.subscribe("d/will");
    const willing = await RawClient.connect(
      { ...endpoint(), certificate },
      { clientId: unique("c"), will: will("d/will", "of a revoked certificate") },
    );
    const reply = await whoami(certificate);
    expect([reply.status, JSON.parse(reply.text)]).toEqual([200, expect.objectContaining({ principal: "sensor" })]);
    expect((await messAt(server, ["cert", "revoke", serial, "--yes"])).code).toBe(0);
    await Promise.all([client.refused([0x87], { within: 1_000 }), willing.closed(1_000)]);
    expect(await connack(endpoint(), certificate)).toEqual([0x87, expect.stringContaining("revoked")]);
    expect(await connack(endpoint(), certificate, admin())).toEqual([0x86, expect.stringContaining("revoked")]);
    expect((await whoami(certificate, adminKeyOf(server))).status).toBe(401);
    await watcher.expectNothing(300);
  });

  it("lets in who shows a foreign certificate whose name the policy lists, and only that", async () => {
    const certificate = await makeClient(foreign);
    expect(await connack(endpoint(), certificate)).toEqual([0, ""]);
    const named = await makeClient(foreign, { names: [{ type: "url", value: "spiffe://x/device" }] });
    expect(await connack(endpoint(), named)).toEqual([0, ""]);
    for (const made of [
      { names: [{ type: "dns" as const, value: "device-2.example" }] },
      { names: [{ type: "url" as const, value: "urn:mess:principal:admin" }] },
      { names: [], subject: "CN=device-1.example" },
      { names: [], subject: "CN=device-1.example+CN=admin" },
      { names: [], subject: "CN=x\\,CN\\=device-1.example" },
      { names: [{ type: "dns" as const, value: "*.com" }] },
      { rawNames: Buffer.from("3017821564657669636 52d312e6578616d706c65002e636f6d".replaceAll(" ", ""), "hex") },
    ]) {
      const [code] = await connack(endpoint(), await makeClient(foreign, made));
      expect([made, code]).toEqual([made, 0x87]);
    }
  });

  it.each<[string, () => Promise<TestClient>, RegExp]>([
    [
      "expired",
      () => makeClient(foreign, { notBefore: Date.now() - 3 * HOUR, notAfter: Date.now() - HOUR }),
      /expired/,
    ],
    [
      "not yet valid",
      () => makeClient(foreign, { notBefore: Date.now() + HOUR, notAfter: Date.now() + 2 * HOUR }),
      /not valid yet/,
    ],
    ["of a wrong authority", async () => makeClient(await makeAuthority("stranger")), /authority/],
    ["revoked", () => makeClient(foreign, { serial: "0badbad0" }), /revoked/],
    ["signed by itself", () => makeClient(undefined), /signed by itself/],
    ["made for servers", () => makeClient(foreign, { usage: "server" }), /not made for clients/],
  ])("refuses a certificate that is %s, also with a good key beside it, and says why", async (_, make, why) => {
    await lists("0badbad0");
    await reload();
    const certificate = await make();
    expect(await connack(endpoint(), certificate)).toEqual([0x87, expect.stringMatching(why)]);
    expect(await connack(endpoint(), certificate, admin())).toEqual([0x86, expect.stringMatching(why)]);
    const reply = await whoami(certificate, adminKeyOf(server));
    expect([reply.status, reply.text]).toEqual([401, expect.stringMatching(why)]);
    // The control: the key is good, and a certificate beside it may be one that stands for nobody.
    const nobody = await makeClient(foreign, { names: [{ type: "dns", value: "nobody.example" }] });
    expect(await connack(endpoint(), nobody, admin())).toEqual([0, ""]);
  });

  it("ends the link when the certificate expires", async () => {
    const certificate = await makeClient(foreign, { notAfter: Math.ceil(Date.now() / 1_000) * 1_000 + 2_000 });
    const client = await RawClient.connect({ ...endpoint(), certificate }, { clientId: unique("c") });
    await client.ping();
    await client.refused([0x87], { within: 4_500 });
    expect(await connack(endpoint(), certificate)).toEqual([0x87, expect.stringContaining("expired")]);
  });

  it("cuts the live link of a foreign certificate that a new list names, and of a name the policy gives up", async () => {
    await lists();
    await reload();
    const [one, two, three] = [
      await makeClient(foreign),
      await makeClient(foreign, { names: [{ type: "url", value: "spiffe://x/device" }] }),
      await makeClient(foreign),
    ];
    const open = (certificate: Shown): Promise<RawClient> =>
      RawClient.connect({ ...endpoint(), certificate }, { clientId: unique("c") });
    const [first, second, third] = [await open(one), await open(two), await open(three)];
    await lists(one.serial);
    await reload();
    await first.refused([0x87], { within: 1_000 });
    await second.ping();
    policy(["dns:device-1.example"]);
    await reload();
    await second.refused([0x87], { within: 1_000 });
    await third.ping();
    policy();
    await reload();
  });
});

const admin = (): { username: string; password: string } => ({
  username: server.admin.id,
  password: server.admin.secret,
});

describe("over HTTPS", () => {
  /** The head of an event stream, and a promise of its end. */
  function events(certificate: Shown): Promise<{ readonly status: number; readonly ended: Promise<void> }> {
    return new Promise((resolve, reject) => {
      const url = new URL("/v1/events?filter=d/%23", server.httpUrl);
      const sent = request(url, { ...certificate, ca: server.ca, agent: false });
      sent.on("error", reject);
      sent.on("response", (response) => {
        response.resume().on("error", () => {});
        const ended = new Promise<void>((done) => response.once("close", done));
        resolve({ status: response.statusCode ?? 0, ended });
      });
      sent.end();
    });
  }

  it("a stream of a certificate ends when it is revoked, and one of another goes on", async () => {
    const [one, other] = [await issue("sensor"), await issue("sensor")];
    const [stream, still] = [await events(one), await events(other)];
    expect([stream.status, still.status]).toEqual([200, 200]);
    expect((await messAt(server, ["cert", "revoke", one.serial, "--yes"])).code).toBe(0);
    await stream.ended;
    expect(await Promise.race([still.ended.then(() => "ended"), sleep(300).then(() => "open")])).toBe("open");
    expect((await messAt(server, ["cert", "revoke", other.serial, "--yes"])).code).toBe(0);
    await still.ended;
  });

  it("each request on a kept connection is judged anew", async () => {
    const certificate = await issue("sensor");
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    const status = (): Promise<[number, boolean]> =>
      new Promise((resolve, reject) => {
        const { cert, key } = certificate;
        const sent = request(new URL("/v1/whoami", server.httpUrl), { cert, key, ca: server.ca, agent });
        sent.on("error", reject);
        sent.on("response", (response) => {
          response.resume().on("end", () => resolve([response.statusCode ?? 0, sent.reusedSocket]));
        });
        sent.end();
      });
    expect(await status()).toEqual([200, false]);
    expect(await status()).toEqual([200, true]);
    expect((await messAt(server, ["cert", "revoke", certificate.serial, "--yes"])).code).toBe(0);
    const [code] = await status();
    expect(code).toBe(401);
    agent.destroy();
  });

  it("a keeper of keys cannot issue what it may not hand out, and a caller by certificate may do what its principal may", async () => {
    expect((await ask(server, "/v1/certificates", { certificate: await issue("sensor") })).status).toBe(403);
    expect((await ask(server, "/v1/certificates", { certificate: await issue("admin") })).status).toBe(200);
    expect((await ask(server, "/v1/certificates")).status).toBe(401);
  });
});

it("a reload that cannot be used keeps what was, and says so", async () => {
  const certificate = await makeClient(foreign);
  writeFileSync(file("lists.pem"), "rubbish");
  await reload();
  expect(server.stderr + server.stdout).toContain("holds no revocation list");
  expect(await connack(server.mqtt, certificate)).toEqual([0, ""]);
  await lists();
  await reload();
});

it("tickets of a session are no way around a revocation", async () => {
  const { serial, ...certificate } = await issue("sensor");
  const dial = async (session?: Buffer): Promise<{ session: Buffer; reused: boolean; code: number | undefined }> => {
    const { host, port } = server.mqtt;
    const socket = connectTls({ host, port, ca: server.ca, servername: "localhost", ...certificate, session });
    let ticket: Buffer = Buffer.alloc(0);
    socket.on("session", (bytes) => (ticket = bytes));
    await once(socket, "secureConnect");
    socket.write(build.connect({ clientId: unique("c") }));
    const [connack] = (await once(socket, "data")) as [Buffer];
    const reused = socket.isSessionReused();
    socket.destroy();
    return { session: ticket, reused, code: connack[3] };
  };
  const first = await dial();
  expect(await dial(first.session)).toMatchObject({ reused: true, code: 0 });
  expect((await messAt(server, ["cert", "revoke", serial, "--yes"])).code).toBe(0);
  expect(await dial(first.session)).toMatchObject({ reused: true, code: 0x87 });
});

it("the SDK renews its certificate while it works: the next connection shows the new one", async () => {
  const [old, next] = [await issue("sensor"), await issue("sensor")];
  let current = old;
  const { host, port } = server.mqtt;
  await using client = await connect(`mqtts://${host}:${port}`, {
    ca: server.ca,
    serverName: "localhost",
    cert: () => current.cert,
    key: () => Promise.resolve(current.key),
    reconnect: { min: "10ms", max: "50ms" },
  });
  await client.topic("d/x").publish("one");
  current = next;
  expect((await messAt(server, ["cert", "revoke", old.serial, "--yes"])).code).toBe(0);
  await client.topic("d/x").publish("two");
});

describe("the command line", () => {
  it("works with a certificate in place of a key", async () => {
    const { cert, key } = await issue("admin");
    writeFileSync(file("a.pem"), cert);
    writeFileSync(file("a.key"), key);
    writeFileSync(file("ca.pem"), server.ca);
    const { host, port } = server.mqtt;
    const url = ["--url", `mqtts://${host}:${port}`, "--http-url", server.httpUrl, "--ca", file("ca.pem")];
    const shown = ["--cert", file("a.pem"), "--cert-key", file("a.key")];
    expect(await mess(["cert", "list", "--json", ...url, ...shown])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('"principal":"admin"'),
    });
    expect((await mess(["pub", "d/x", "hello", "--qos", "1", ...url, ...shown])).code).toBe(0);
    expect((await mess(["pub", "d/x", "hello", ...url])).code).toBe(77);
    expect((await mess(["pub", "d/x", "hello", ...url, "--cert", file("a.pem")])).code).toBe(78);
  });

  it("writes a revocation list that OpenSSL takes for the one of its authority", async () => {
    const { serial } = await issue("sensor");
    await messAt(server, ["cert", "revoke", serial.toLowerCase(), "--yes"]);
    expect((await messAt(server, ["cert", "crl", "--out", file("crl.pem")])).code).toBe(0);
    const authority = join(server.dataDir, "client-ca.pem");
    const read = spawnSync("openssl", ["crl", "-in", file("crl.pem"), "-text", "-noout", "-CAfile", authority]);
    expect(String(read.stderr)).toContain("verify OK");
    expect(String(read.stdout)).toContain(`Serial Number: ${serial}`);
  });

  it("takes a request made elsewhere, and writes over nothing", async () => {
    const subject = ["-subj", "/CN=admin", "-addext", "subjectAltName=URI:urn:mess:principal:admin"];
    const keys = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", file("e.key")];
    execFileSync("openssl", ["req", "-new", ...keys, "-out", file("e.csr"), ...subject], { stdio: "ignore" });
    const issued = ["cert", "issue", "sensor", "--csr", file("e.csr"), "--out", root];
    expect((await messAt(server, issued)).code).toBe(0);
    expect(existsSync(file("sensor.key"))).toBe(false);
    const shown = { cert: readFileSync(file("sensor.pem"), "utf8"), key: readFileSync(file("e.key"), "utf8") };
    const reply = await whoami(shown);
    expect(JSON.parse(reply.text)).toMatchObject({ principal: "sensor" });
    expect((await messAt(server, issued)).code).toBe(74);
    expect((await messAt(server, ["cert", "issue", "stranger", "--out", root])).stderr).toContain("no principal");
    expect(existsSync(file("stranger.key"))).toBe(false);
  });
});

it("keeps its certificates and revocations over SIGKILL", async () => {
  const [kept, gone] = [await issue("sensor"), await issue("sensor")];
  expect((await messAt(server, ["cert", "revoke", gone.serial, "--yes"])).code).toBe(0);
  await server.kill();
  await server.start();
  expect((await whoami(kept)).status).toBe(200);
  expect((await whoami(gone)).status).toBe(401);
  expect((await messAt(server, ["cert", "list"])).stdout).toMatch(new RegExp(`${gone.serial} .* \\d\\d:\\d\\d +20`));
});
