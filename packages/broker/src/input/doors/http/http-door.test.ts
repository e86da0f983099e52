import { connect } from "node:net";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { defaultLimits } from "../../../config/limits.ts";
import { until } from "../../input.test-data.ts";
import { adminKey, ask, type Door, openDoor, raw, readerKey } from "./http.test-data.ts";
import { WEBSOCKET_PATH } from "./routes/websocket.ts";
import { routesOf } from "./routes.ts";

let door: Door;
beforeEach(async () => {
  door = await openDoor();
});
afterEach(() => door.listening.close());

const policyBody = { roles: { r: { allow: [{ publish: "x/#" }] } }, principals: { p: { roles: ["r"] } } };
/** A request for each route that is valid but for the credential. */
const valid: Record<string, { path?: string; body?: unknown }> = {
  "POST /v1/certificates": { body: { principal: "a", request: "PEM", days: 1 } },
  "POST /v1/log/checkpoint/cosignatures": { body: { note: "n" } },
  "GET /v1/log/inclusion": { path: "/v1/log/inclusion?seq=1" },
  "GET /v1/log/consistency": { path: "/v1/log/consistency?from=1" },
  "POST /v1/keys": { body: { name: "n", roles: ["writer"] } },
  "POST /v1/signing-keys": { body: { principal: "p", algorithm: "HS256" } },
  "DELETE /v1/signing-keys/:id": { path: "/v1/signing-keys/sk_gone" },
  "DELETE /v1/keys/:id": { path: "/v1/keys/none" },
  "PUT /v1/principals/:name/password": {
    body: {
      salt: Buffer.alloc(16).toString("base64"),
      iterations: 15_000,
      storedKey: Buffer.alloc(32).toString("base64"),
      serverKey: Buffer.alloc(32).toString("base64"),
    },
  },
  "PUT /v1/policy": { body: policyBody },
  "GET /v1/who-can": { path: "/v1/who-can?action=publish&topic=a" },
  "GET /v1/why": { path: "/v1/why?principal=p&action=publish&topic=a" },
};

const served = routesOf(defaultLimits).filter((route) => {
  // The routes of the queue ask others for their rights; administration-api.test.ts has them.
  const isOld = route.right === undefined && route.group !== "Description" && route.group !== "Backup";
  return isOld && route.path !== WEBSOCKET_PATH;
});

describe("health", () => {
  it("/livez and /readyz need no key and say little", async () => {
    expect(await ask(door, "/livez")).toMatchObject({ status: 200, text: "ok\n" });
    for (const path of ["/readyz", "/healthz"])
      expect(await ask(door, path)).toMatchObject({ status: 200, text: "ok\n" });
    door.administration.ready = false;
    expect(await ask(door, "/readyz")).toMatchObject({ status: 503, text: "not ready\n" });
    expect((await ask(door, "/livez")).status).toBe(200);
  });

  it("?verbose needs admin.metrics", async () => {
    expect((await ask(door, "/readyz?verbose")).status).toBe(401);
    expect((await ask(door, "/readyz?verbose", { key: readerKey })).status).toBe(403);
    const reply = await ask(door, "/readyz?verbose", { key: adminKey });
    expect(reply.text).toBe("ok\njournal: ok\n");
    expect((await ask(door, "/readyz?verbose=false")).text).toBe("ok\n");
  });
});

describe("the route table", () => {
  it.each(served.map((route) => [route.method, route.path, route] as const))(
    "%s %s obeys its permission",
    async (method, path, route) => {
      const sample = valid[`${method} ${path}`] ?? {};
      const target = sample.path ?? path;
      const options = { method, body: sample.body };
      const nobody = await ask(door, target, options);
      const reader = await ask(door, target, { ...options, key: readerKey });
      const admin = await ask(door, target, { ...options, key: adminKey });
      expect(nobody.status).toBe(route.permission === "public" ? 200 : 401);
      const isForAll = route.permission === "public" || route.permission === "authenticated";
      expect(isForAll ? [200, 201, 204] : [403]).toContain(reader.status);
      expect([200, 201, 204, 404]).toContain(admin.status);
      if (nobody.status === 401) {
        expect(nobody.headers["www-authenticate"]).toBe('Bearer realm="mess"');
        expect(nobody.headers["content-type"]).toBe("application/problem+json");
        expect(nobody.json).toMatchObject({ type: "urn:mess:problem:unauthorized", status: 401 });
      }
      if (reader.status === 403) {
        expect(reader.json).toMatchObject({
          type: "urn:mess:problem:forbidden",
          detail: `${route.permission} is needed`,
        });
        expect(door.administration.audited).toContainEqual({
          event: "acl.deny",
          detail: { principal: "reader", action: route.permission, path: target.split("?", 1)[0] },
        });
      }
      for (const reply of [nobody, reader, admin]) {
        expect(reply.headers["cache-control"]).toBe("no-store");
        expect(reply.headers["x-content-type-options"]).toBe("nosniff");
        expect(reply.headers["content-security-policy"]).toContain("default-src 'none'");
      }
    },
  );

  it("answers unknown paths 404, and below /v1 only to those with a key", async () => {
    expect(await ask(door, "/nothing")).toMatchObject({ status: 404, json: { type: "urn:mess:problem:not-found" } });
    for (const path of ["/v1", "/v1/nothing", "/v1/keys/a/b"]) {
      expect((await ask(door, path)).status).toBe(401);
      expect((await ask(door, path, { key: readerKey })).status).toBe(404);
    }
  });

  it("answers wrong methods 405 with the right ones", async () => {
    const reply = await ask(door, "/v1/keys", { method: "PATCH", key: adminKey });
    expect(reply).toMatchObject({ status: 405, json: { type: "urn:mess:problem:method-not-allowed" } });
    expect(reply.headers.allow).toBe("GET, HEAD, POST");
    expect((await ask(door, "/v1/keys", { method: "PATCH" })).status).toBe(401);
    expect((await ask(door, "/livez", { method: "POST" })).status).toBe(405);
    expect((await ask(door, "/livez", { method: "OPTIONS" })).status).toBe(405);
  });

  it("answers HEAD as GET without a body", async () => {
    expect(await ask(door, "/livez", { method: "HEAD" })).toMatchObject({ status: 200, text: "" });
    expect((await ask(door, "/v1/keys", { method: "HEAD" })).status).toBe(401);
  });
});

describe("authentication", () => {
  const basic = (text: string): Record<string, string> => ({
    authorization: `Basic ${Buffer.from(text).toString("base64")}`,
  });

  it("takes Bearer id.secret and Basic id:secret", async () => {
    const bearer = await ask(door, "/v1/whoami", { key: adminKey });
    expect(bearer.json).toEqual({
      principal: "admin",
      keyId: "admin-key",
      rights: ["admin.keys", "admin.policy", "admin.sessions", "admin.metrics", "admin.audit", "admin.storage"],
    });
    const reply = await ask(door, "/v1/whoami", { headers: basic("reader-key:mess_secret-of-reader") });
    expect(reply.json).toEqual({ principal: "reader", keyId: "reader-key", rights: [] });
  });

  it.each([
    ["wrong secret", "Bearer admin-key.wrong"],
    ["unknown id", "Bearer nobody.mess_secret-of-admin"],
    ["no dot", "Bearer mess_secret"],
    ["empty", "Bearer "],
    ["other scheme", "Digest a=b"],
    ["default password", basic("admin:admin")["authorization"] as string],
    ["huge", `Bearer a.${"x".repeat(4_000)}`],
    ["object member", "Bearer __proto__.constructor"],
  ])("refuses %s alike, audits it, and logs nothing of it", async (_, authorization) => {
    const reply = await ask(door, "/v1/whoami", { headers: { authorization } });
    expect(reply.status).toBe(401);
    expect(reply.json["detail"]).toBe("the key is wrong, revoked, or not of the form ID.SECRET");
    expect(door.administration.audited).toEqual([{ event: "auth.fail", detail: { address: "127.0.0.1" } }]);
  });

  it("slows guessing by address and says for how long", async () => {
    await door.listening.close();
    door = await openDoor({ limits: { authFailuresPerAddressPerMinute: 3 } });
    for (let attempt = 0; attempt < 3; attempt += 1) {
      expect((await ask(door, "/v1/whoami", { key: "admin-key.wrong" })).status).toBe(401);
    }
    const reply = await ask(door, "/v1/whoami", { key: adminKey });
    expect(reply).toMatchObject({ status: 429, json: { type: "urn:mess:problem:too-many-attempts" } });
    expect(Number(reply.headers["retry-after"])).toBeGreaterThan(0);
    expect(Number(reply.headers["retry-after"])).toBeLessThanOrEqual(20);
    expect((await ask(door, "/livez")).status).toBe(200);
  });

  it("a missing credential is no guess", async () => {
    for (let attempt = 0; attempt < 5; attempt += 1) await ask(door, "/v1/whoami");
    expect(door.administration.audited).toEqual([]);
  });

  it("is not asked for in insecure development mode", async () => {
    await door.listening.close();
    door = await openDoor({ anonymous: "admin" });
    expect((await ask(door, "/v1/whoami", { key: "any.thing" })).json).toMatchObject({ principal: "admin", keyId: "" });
    expect((await ask(door, "/metrics")).status).toBe(200);
  });
});

describe("keys, policy, why, metrics", () => {
  it("creates, lists and revokes a key", async () => {
    const created = await ask(door, "/v1/keys", {
      method: "POST",
      key: adminKey,
      body: { name: "shop", roles: ["w"] },
    });
    expect(created).toMatchObject({ status: 201, json: { id: "key-1", secret: "mess_new", principal: "shop" } });
    expect(created.headers.location).toBe("/v1/keys/key-1");
    expect((await ask(door, "/v1/keys", { key: adminKey })).json).toEqual({
      keys: [{ id: "key-1", principal: "shop", name: "shop", createdAt: 1 }],
    });
    expect(await ask(door, "/v1/keys/key-1", { method: "DELETE", key: adminKey })).toMatchObject({
      status: 204,
      text: "",
    });
    const again = await ask(door, "/v1/keys/key-1", { method: "DELETE", key: adminKey });
    expect(again).toMatchObject({ status: 404, json: { detail: "there is no key key-1" } });
  });

  it("decodes a key id from the path", async () => {
    const reply = await ask(door, "/v1/keys/a%2Fb%00", { method: "DELETE", key: adminKey });
    expect(reply.json["detail"]).toBe("there is no key a/b\u0000");
  });

  it("passes the refusals of the administrative side on", async () => {
    const post = (body: unknown): Promise<unknown> => ask(door, "/v1/keys", { method: "POST", key: adminKey, body });
    expect(await post({ name: "a", roles: ["none"] })).toMatchObject({
      status: 422,
      json: { detail: "there is no role none" },
    });
    expect(await post({ name: "taken", roles: [] })).toMatchObject({
      status: 409,
      json: { type: "urn:mess:problem:conflict" },
    });
  });

  it.each([
    [{}, "name"],
    [{ name: "", roles: [] }, "name"],
    [{ name: 5, roles: [] }, "name"],
    [{ name: "a", roles: "admin" }, "roles"],
    [{ name: "a", roles: [1] }, "roles.0"],
    [{ name: "a", roles: [], admin: true }, "admin"],
    [JSON.parse('{"name":"a","roles":[],"__proto__":{"x":1}}') as unknown, "__proto__"],
    [[], ""],
    [null, ""],
  ])("refuses the key %j at %s", async (body, path) => {
    const reply = await ask(door, "/v1/keys", { method: "POST", key: adminKey, body });
    expect(reply).toMatchObject({ status: 422, json: { type: "urn:mess:problem:invalid" } });
    expect((reply.json["errors"] as { path: string }[])[0]?.path).toBe(path);
  });

  it("shows the policy in the form it takes", async () => {
    const shown = await ask(door, "/v1/policy", { key: adminKey });
    expect(shown.json).toEqual({
      roles: { writer: { allow: [{ publish: "a/#" }], deny: [{ admin: "*" }] } },
      principals: { shop: { roles: ["writer"] } },
    });
    const written = await ask(door, "/v1/policy", { method: "PUT", key: adminKey, body: shown.json });
    expect(written).toMatchObject({ status: 200, json: { lines: ["+ role x"], applied: true } });
    expect((await ask(door, "/v1/policy", { key: adminKey })).json).toEqual(shown.json);
  });

  it("dryRun changes nothing", async () => {
    for (const path of ["/v1/policy?dryRun=true", "/v1/policy?dryRun"]) {
      const reply = await ask(door, path, { method: "PUT", key: adminKey, body: policyBody });
      expect(reply.json).toEqual({ lines: ["+ role x"], applied: false });
    }
    expect(door.administration.applied).toBeUndefined();
    await ask(door, "/v1/policy?dryRun=false", { method: "PUT", key: adminKey, body: policyBody });
    expect(door.administration.applied?.roles["r"]?.allow).toEqual([{ action: "publish", filter: "x/#" }]);
  });

  it("refuses a policy that is none, with each place", async () => {
    const body = { roles: { r: { allow: [{ pubish: "x" }] } }, rolls: {} };
    const reply = await ask(door, "/v1/policy", { method: "PUT", key: adminKey, body });
    expect(reply.status).toBe(422);
    const paths = (reply.json["errors"] as { path: string; message: string }[]).map(({ path }) => path);
    expect(paths).toContain("rolls");
    expect(paths.some((path) => path.startsWith("roles.r.allow[0]"))).toBe(true);
    expect(door.administration.applied).toBeUndefined();
  });

  it("explains", async () => {
    const reply = await ask(door, "/v1/why?principal=p&action=publish&topic=a%2Fb", { key: adminKey });
    expect(reply.json).toEqual({ allowed: false, because: "p publish a/b" });
    expect((await ask(door, "/v1/why?principal=p&action=admin.keys", { key: adminKey })).status).toBe(200);
    for (const query of ["", "?principal=p", "?principal=p&action=publish", "?principal=p&action=fly&topic=a"]) {
      expect((await ask(door, `/v1/why${query}`, { key: adminKey })).status).toBe(400);
    }
  });

  it("refuses unknown and repeated parameters", async () => {
    expect((await ask(door, "/v1/keys?limit=1", { key: adminKey })).status).toBe(400);
    expect((await ask(door, "/v1/policy?dryRun=1", { method: "PUT", key: adminKey, body: {} })).status).toBe(400);
    const twice = await ask(door, "/v1/policy?dryRun=true&dryRun=false", { method: "PUT", key: adminKey, body: {} });
    expect(twice.json["detail"]).toBe("dryRun is given more than once");
    expect(door.administration.applied).toBeUndefined();
  });

  it("serves metrics as Prometheus text", async () => {
    const reply = await ask(door, "/metrics", { key: adminKey });
    expect(reply.headers["content-type"]).toBe("text/plain; version=0.0.4; charset=utf-8");
    expect(reply.text).toBe("# HELP mess_up Up.\n# TYPE mess_up gauge\nmess_up 1\n");
  });

  it("does not show a mistake of ours, but reports it", async () => {
    door.administration.broken = true;
    const reply = await ask(door, "/v1/keys", { key: adminKey });
    expect(reply.status).toBe(500);
    expect(reply.text).not.toContain("/etc/secret");
    expect(door.failures).toHaveLength(1);
  });
});

describe("bodies", () => {
  const post = (body: string, headers: Record<string, string> = {}): ReturnType<typeof ask> =>
    ask(door, "/v1/keys", { method: "POST", key: adminKey, body, headers });

  it("refuses what is not JSON", async () => {
    expect((await post("{", {})).json["type"]).toBe("urn:mess:problem:not-json");
    expect((await post('{"name":"secret-word"', {})).text).not.toContain("secret-word");
    expect((await post("name=a", { "content-type": "application/x-www-form-urlencoded" })).status).toBe(415);
    expect((await post("{}", { "content-type": "text/plain" })).status).toBe(415);
    expect((await post("{}", { "content-encoding": "gzip" })).status).toBe(415);
  });

  it("takes a body at the limit and refuses one beyond, announced or not, without reading on", async () => {
    const body = (length: number): string => `${JSON.stringify({ name: "a", roles: [] }).padEnd(length)}`;
    await door.listening.close();
    door = await openDoor({ limits: { httpBodyBytesMax: 1_000 } });
    expect((await post(body(1_000))).status).toBe(201);
    expect((await post(body(1_001))).status).toBe(413);
    expect((await post(body(1_000), { "transfer-encoding": "chunked" })).status).toBe(201);
    expect((await post(body(1_001), { "transfer-encoding": "chunked" })).status).toBe(413);
    const head = `POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${adminKey}\r\nContent-Type: application/json\r\n`;
    const announced = await raw(door, `${head}Content-Length: 1000000000\r\n\r\n{`);
    expect(announced).toMatch(/^HTTP\/1\.1 413 /);
    expect(announced).toMatch(/connection: close/i);
  });

  it("does not read a body before the credential is checked", async () => {
    const head = "POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nConnection: close\r\n";
    const answer = await raw(door, `${head}Content-Length: 100000\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 401 /);
  });
});

describe("the protocol", () => {
  it("refuses too large headers with 431", async () => {
    const answer = await raw(door, `GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
    expect(answer).toContain("urn:mess:problem:headers-too-large");
  });

  it("refuses slow requests with 408", async () => {
    await door.listening.close();
    door = await openDoor({ limits: { httpRequestDeadlineMs: 200 } });
    const began = performance.now();
    expect(await raw(door, "GET /livez HTTP/1.1\r\nHost: local")).toMatch(/^HTTP\/1\.1 408 /);
    const head = `POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${adminKey}\r\n`;
    expect(await raw(door, `${head}Content-Type: application/json\r\nContent-Length: 9\r\n\r\n{`)).toMatch(
      /^HTTP\/1\.1 408 /,
    );
    expect(performance.now() - began).toBeLessThan(2_500);
  });

  it.each([
    ["rubbish", "hello\r\n\r\n"],
    ["no Host", "GET /livez HTTP/1.1\r\n\r\n"],
    [
      "both lengths",
      "POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    ],
    ["two lengths", "POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"],
    ["bad chunk", "POST /livez HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"],
    ["space before colon", "GET /livez HTTP/1.1\r\nHost : localhost\r\n\r\n"],
    ["negative length", "POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n"],
    ["HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
  ])("refuses %s with 400 and closes", async (_, bytes) => {
    expect(await raw(door, bytes)).toMatch(/^HTTP\/1\.1 400 /);
    expect((await ask(door, "/livez")).status).toBe(200);
  });

  it("gives back every place", async () => {
    for (let round = 0; round < 50; round += 1) await ask(door, "/livez");
    const socket = connect(door.listening.port, "127.0.0.1");
    await until(() => door.listening.connections >= 1);
    socket.destroy();
    await until(() => door.admission.connections === 0);
    expect(door.listening.connections).toBe(0);
  });
});

describe("Host and Origin", () => {
  it.each(["localhost", "LOCALHOST:1234", "127.0.0.1:99", "[::1]:8443", "broker.example"])(
    "answers to %s",
    async (host) => {
      expect((await ask(door, "/livez", { headers: { host } })).status).toBe(200);
    },
  );

  it.each([
    "evil.example",
    "localhost.evil.example",
    "10.9.8.7",
    "localhost:x",
    "a@localhost",
    "[::2]",
    "localhost,evil",
  ])("does not answer to %s", async (host) => {
    for (const path of ["/livez", "/v1/keys", "/nothing"]) {
      const reply = await ask(door, path, { headers: { host }, key: adminKey });
      expect([400, 421]).toContain(reply.status);
      expect(reply.json["type"]).toMatch(/^urn:mess:problem:(bad-request|foreign-host)$/);
    }
  });

  it("does not answer to a foreign name in the request line", async () => {
    const head = "HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    expect(await raw(door, `GET http://evil.example/livez ${head}`)).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  it("refuses changes that pages of other sites make a browser send", async () => {
    const create = (headers: Record<string, string>): ReturnType<typeof ask> =>
      ask(door, "/v1/keys", { method: "POST", key: adminKey, body: { name: "a", roles: [] }, headers });
    const own = `127.0.0.1:${door.listening.port}`;
    for (const origin of ["https://evil.example", "null", `https://${own}`, `http://127.0.0.1:1`, "http://localhost"]) {
      const reply = await create({ host: own, origin });
      expect(reply).toMatchObject({ status: 403, json: { type: "urn:mess:problem:foreign-origin" } });
    }
    expect((await create({ "sec-fetch-site": "cross-site" })).status).toBe(403);
    expect((await create({ host: own, origin: `http://${own}`, "sec-fetch-site": "same-origin" })).status).toBe(201);
  });
});
