/** Tokens and the rotation of keys over HTTP: what the door takes, refuses, and passes on. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { adminKey, ask, type Door, openDoor, type Reply, readerKey } from "./http.test-data.ts";

let door: Door;

beforeEach(async () => {
  door = await openDoor();
});
afterEach(() => door.listening.close());

function make(body: unknown, key: string = readerKey): Promise<Reply> {
  return ask(door, "/v1/tokens", { method: "POST", key, body });
}

describe("POST /v1/tokens", () => {
  const caller = { principal: "reader", keyId: "reader-key" };

  it("makes one for whoever asks, for a quarter of an hour if nothing is said", async () => {
    const reply = await ask(door, "/v1/tokens", { method: "POST", key: readerKey });
    expect(reply.status).toBe(201);
    expect(reply.headers["location"]).toBe("/v1/tokens/k_token");
    expect(reply.json).toEqual({
      id: "k_token",
      secret: "mess_token",
      principal: "reader~k_token",
      expiresAt: 9,
    });
    expect(door.keyAdministration.asked).toEqual([{ verb: "createToken", caller, wish: { lifetimeMs: 15 * 60_000 } }]);
  });

  it("narrows it to grants, in either form of a policy", async () => {
    const allow = [
      { publish: ["a/#", "b"] },
      { action: "subscribe", filter: "dev/{principal}/#" },
      { admin: "metrics" },
    ];
    expect((await make({ allow, expiresIn: "2h" })).status).toBe(201);
    expect(door.keyAdministration.asked).toEqual([
      {
        verb: "createToken",
        caller,
        wish: {
          lifetimeMs: 2 * 3_600_000,
          scope: [
            { action: "publish", filter: "a/#" },
            { action: "publish", filter: "b" },
            { action: "subscribe", filter: "dev/{principal}/#" },
            { action: "admin.metrics", filter: "#" },
          ],
        },
      },
    ]);
    await make({ allow: [] });
    expect(door.keyAdministration.asked.at(-1)).toMatchObject({ wish: { scope: [] } });
  });

  it.each([
    ["a principal of its own choice", { principal: "admin" }, 422],
    ["a life beyond the limit", { expiresIn: "25h" }, 422],
    ["no life at all", { expiresIn: 0 }, 422],
    ["a negative life", { expiresIn: -1 }, 422],
    ["an endless one", { expiresIn: null }, 422],
    ["grants that are no array", { allow: "a/#" }, 422],
    ["an unknown action", { allow: [{ become: "a/#" }] }, 422],
    ["a broken filter", { allow: [{ subscribe: "a/#/b" }] }, 422],
    ["the right to make keys", { allow: [{ admin: "keys" }] }, 422],
    ["all admin rights at once", { allow: [{ admin: "*" }] }, 422],
    ["too many grants", { allow: [{ publish: Array.from({ length: 33 }, (_, index) => `t/${index}`) }] }, 422],
    ["filters too long", { allow: Array.from({ length: 5 }, () => ({ publish: "x".repeat(1_000) })) }, 422],
    ["a grant that is a prototype", '{"allow":[{"__proto__":{"publish":"#"}}]}', 422],
  ])("refuses %s", async (_what, body, status) => {
    const reply = await make(body);
    expect(reply.status).toBe(status);
    expect(reply.json["errors"]).toBeDefined();
    expect(door.keyAdministration.asked).toEqual([]);
  });

  it("refuses an Idempotency-Key: the secret is shown once", async () => {
    const reply = await ask(door, "/v1/tokens", {
      method: "POST",
      key: readerKey,
      headers: { "idempotency-key": "1" },
    });
    expect(reply.status).toBe(400);
    expect(door.keyAdministration.asked).toEqual([]);
  });
});

describe("a token", () => {
  it("makes and ends no credentials, whatever its principal may", async () => {
    door.keyAdministration.tokens.add("admin-key");
    const refused: [string, string, unknown][] = [
      ["GET", "/v1/keys", undefined],
      ["POST", "/v1/keys", { name: "x", roles: [] }],
      ["DELETE", "/v1/keys/k_1", undefined],
      ["POST", "/v1/keys/k_1/rotation", {}],
    ];
    for (const [method, path, body] of refused) {
      const reply = await ask(door, path, { method, key: adminKey, ...(body !== undefined && { body }) });
      expect([path, reply.status]).toEqual([path, 403]);
      expect(reply.json["detail"]).toContain("a token makes and ends no credentials");
    }
    expect((await ask(door, "/v1/policy", { key: adminKey })).status).toBe(200);
  });

  it("is listed without its secret, and revoked", async () => {
    const listed = { id: "k_1", principal: "reader", createdAt: 1, expiresAt: 2 };
    door.keyAdministration.listed = [listed, { ...listed, scope: [{ action: "publish", filter: "a" }] }];
    expect((await ask(door, "/v1/tokens", { key: readerKey })).json).toEqual({
      tokens: [listed, { ...listed, allow: [{ action: "publish", filter: "a" }] }],
    });
    expect((await ask(door, "/v1/tokens/k_1", { method: "DELETE", key: readerKey })).status).toBe(204);
    expect(door.keyAdministration.asked.at(-1)).toMatchObject({ verb: "revokeToken", id: "k_1" });
  });
});

describe("POST /v1/keys/:id/rotation", () => {
  it("takes overlap and life, and has a day and the old life as standard", async () => {
    const rotate = (body?: unknown): Promise<Reply> =>
      ask(door, "/v1/keys/k_1/rotation", { method: "POST", key: adminKey, ...(body !== undefined && { body }) });
    expect(await rotate()).toMatchObject({ status: 201, json: { id: "k_new", replaces: "k_1", replacedEndsAt: 7 } });
    expect((await rotate({ overlap: "0s", expiresIn: "90d" })).status).toBe(201);
    expect(door.keyAdministration.asked).toEqual([
      { verb: "rotateKey", by: "admin", id: "k_1", rotation: { overlapMs: 86_400_000 } },
      { verb: "rotateKey", by: "admin", id: "k_1", rotation: { overlapMs: 0, lifetimeMs: 90 * 86_400_000 } },
    ]);
    for (const body of [{ overlap: "91d" }, { overlap: -1 }, { expiresIn: "1s" }, { expiresIn: "11000d" }])
      expect((await rotate(body)).status).toBe(422);
  });
});
