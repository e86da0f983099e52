import { afterEach, beforeEach, expect, it } from "vitest";
import { adminKey, ask, type Door, openDoor, type Reply, readerKey } from "./http.test-data.ts";

let door: Door;
beforeEach(async () => {
  door = await openDoor();
});
afterEach(async () => {
  expect(door.failures).toEqual([]);
  await door.listening.close();
});

const post = (body: unknown): Promise<Reply> => ask(door, "/v1/signing-keys", { method: "POST", key: adminKey, body });

it("adds the public key of a principal, and makes a secret where one is asked for", async () => {
  expect(await post({ principal: "p", name: "line 1", publicKey: "PEM" })).toMatchObject({
    status: 201,
    json: { id: "sk_1", principal: "p", algorithm: "EdDSA" },
  });
  expect(await post({ principal: "p", algorithm: "HS256" })).toMatchObject({
    status: 201,
    json: { id: "sk_2", principal: "p", algorithm: "HS256", secret: "shown-once" },
  });
  expect(door.signingKeys.added).toEqual([
    { by: "admin", key: { principal: "p", name: "line 1", algorithm: "EdDSA", publicKey: "PEM" } },
    { by: "admin", key: { principal: "p", name: "", algorithm: "HS256" } },
  ]);
});

it.each([
  [{ principal: "p" }, /publicKey is missing/],
  [{ principal: "p", algorithm: "HS256", publicKey: "PEM" }, /publicKey is of EdDSA alone/],
  [{ principal: "p", algorithm: "none", publicKey: "PEM" }, /algorithm/],
  [{ principal: "p", publicKey: "x".repeat(1_025) }, /publicKey/],
  [{ principal: "p", secret: "own", publicKey: "PEM" }, /secret/],
  [{ principal: "nobody", publicKey: "PEM" }, /there is no nobody/],
])("refuses %j", async (body, why) => {
  const reply = await post(body);
  expect(reply).toMatchObject({ status: 422 });
  expect(JSON.stringify(reply.json)).toMatch(why);
  expect(door.signingKeys.added).toEqual([]);
});

it("lists and removes", async () => {
  door.signingKeys.views = [{ id: "sk_1", principal: "p", name: "", algorithm: "HS256", createdAt: 1 }];
  const list = await ask(door, "/v1/signing-keys", { key: adminKey });
  expect(list.json).toEqual({ signingKeys: door.signingKeys.views });
  const remove = (id: string): Promise<Reply> =>
    ask(door, `/v1/signing-keys/${id}`, { method: "DELETE", key: adminKey });
  expect((await remove("sk_1")).status).toBe(204);
  expect((await remove("sk_gone")).status).toBe(404);
  expect(door.signingKeys.removed).toEqual([{ by: "admin", id: "sk_1" }]);
});

it("is for admin.keys alone, and a repeat makes no second secret", async () => {
  const body = { principal: "p", algorithm: "HS256" };
  expect((await ask(door, "/v1/signing-keys", { key: readerKey })).status).toBe(403);
  expect((await ask(door, "/v1/signing-keys", { method: "POST", key: readerKey, body })).status).toBe(403);
  const headers = { "idempotency-key": "a" };
  expect((await ask(door, "/v1/signing-keys", { method: "POST", key: adminKey, body, headers })).status).toBe(400);
  expect(door.signingKeys.added).toEqual([]);
});
