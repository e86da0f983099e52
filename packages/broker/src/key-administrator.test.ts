/** Keys and tokens over a real engine: who may make what, what ends when, and that nobody locks everybody out. */
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { codeOf, Workbench } from "./administrator.test-data.ts";
import type { KeyAdministrator } from "./key-administrator.ts";
import type { NewKey } from "./model/administration.ts";
import type { CredentialHolder } from "./model/key-administration.ts";
import type { Grant, Policy } from "./model/policy.ts";

const policy: Policy = {
  roles: {
    writer: { allow: [{ action: "publish", filter: "a/#" }], deny: [] },
    maker: {
      allow: [
        { action: "admin.keys", filter: "#" },
        { action: "publish", filter: "dev/#" },
      ],
      deny: [],
    },
  },
  principals: { shop: { roles: ["writer"] }, maker: { roles: ["maker"] } },
};
const day = 86_400_000;
const minute = 60_000;
const scope: readonly Grant[] = [{ action: "publish", filter: "a/x" }];

let bench: Workbench;

beforeEach(async () => {
  bench = await Workbench.open({ policy, limits: { tokensPerPrincipalMax: 3, tokensMax: 4 } });
  await bench.administrator.createAdminKey();
});
afterEach(() => bench.close());

function keys(): KeyAdministrator {
  return bench.administrator.keys;
}

function holder({ id, principal }: NewKey): CredentialHolder {
  return { principal, keyId: id };
}

async function shopKey(lifetimeMs?: number): Promise<NewKey> {
  return bench.administrator.createKey("admin", "shop", [], lifetimeMs);
}

function admits(key: NewKey): string | undefined {
  return bench.administrator.keys.identify(key.id, key.secret)?.principal;
}

describe("a key with an end", () => {
  it("says when it ends, and counts over a restart until then", async () => {
    const before = Date.now();
    const key = await shopKey(90 * day);
    expect(key.expiresAt).toBeGreaterThanOrEqual(before + 90 * day);
    expect(admits(key)).toBe("shop");
    await bench.restart();
    expect(admits(key)).toBe("shop");
    const view = bench.administrator.listKeys().find(({ id }) => id === key.id);
    expect(view?.expiresAt).toBe(key.expiresAt);
  });

  it("says what it is, so that the door can end what came by it", async () => {
    const key = await shopKey(day);
    const { expiresAt } = key;
    expect(keys().identify(key.id, key.secret)).toEqual({ principal: "shop", keyId: key.id, method: "key", expiresAt });
    const token = await keys().createToken(holder(key), { lifetimeMs: minute, scope });
    expect(keys().identify(token.id, token.secret)).toEqual({
      principal: `shop~${token.id}`,
      keyId: token.id,
      method: "token",
      expiresAt: token.expiresAt,
    });
    expect(keys().identify(key.id, token.secret)).toBeUndefined();
    expect(keys().identify(key.id, "")).toBeUndefined();
    expect(keys().identify("k_none", "")).toBeUndefined();
  });

  it("is refused from its end on, though its record is still there", async () => {
    const key = await shopKey(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(bench.engine.machine.state.keys.has(key.id)).toBe(true);
    expect(admits(key)).toBeUndefined();
  });

  it("does not count as the key that leads back in", async () => {
    const [first] = bench.administrator.listKeys();
    await bench.administrator.createKey("admin", "admin", [], day);
    expect(await codeOf(bench.administrator.revokeKey("admin", first?.id ?? ""))).toBe("conflict");
    await bench.administrator.createKey("admin", "admin", []);
    expect(await codeOf(bench.administrator.revokeKey("admin", first?.id ?? ""))).toBe("done");
  });
});

describe("rotation", () => {
  it("makes a new key beside the old one, which ends after the overlap", async () => {
    const old = await shopKey();
    const rotated = await keys().rotateKey("admin", old.id, { overlapMs: 3 * minute });
    expect(rotated).toMatchObject({ principal: "shop", replaces: old.id });
    expect(rotated.expiresAt).toBeUndefined();
    expect([admits(old), admits(rotated)]).toEqual(["shop", "shop"]);
    await bench.restart();
    const view = bench.administrator.listKeys().find(({ id }) => id === old.id);
    expect(view).toMatchObject({ expiresAt: rotated.replacedEndsAt, replacedBy: rotated.id });
    expect(bench.events("key.rotated")).toMatchObject([{ id: old.id, replacedBy: rotated.id, by: "admin" }]);
  });

  it("gives the new key the life that the old one had, and does not lengthen the old one's", async () => {
    const old = await shopKey(day);
    const rotated = await keys().rotateKey("admin", old.id, { overlapMs: 30 * day });
    expect(rotated.replacedEndsAt).toBe(old.expiresAt);
    expect((rotated.expiresAt ?? 0) - (old.expiresAt ?? 0)).toBeLessThan(5_000);
    const longer = await keys().rotateKey("admin", rotated.id, { overlapMs: 0, lifetimeMs: 7 * day });
    expect((longer.expiresAt ?? 0) - Date.now()).toBeGreaterThan(6 * day);
    expect(admits(rotated)).toBeUndefined();
  });

  it("is refused of what is not there, ended, replaced, a token, and of more than one holds", async () => {
    const old = await shopKey();
    const overlapMs = minute;
    const rotate = (by: string, id: string): Promise<string> => codeOf(keys().rotateKey(by, id, { overlapMs }));
    expect(await rotate("admin", "k_none")).toBe("not-found");
    const token = await keys().createToken(holder(old), { lifetimeMs: minute });
    expect(await rotate("admin", token.id)).toBe("not-found");
    expect(await rotate("maker", old.id)).toBe("forbidden");
    expect(await rotate("admin", old.id)).toBe("done");
    expect(await rotate("admin", old.id)).toBe("conflict");
    const brief = await shopKey(1);
    await new Promise((resolve) => setTimeout(resolve, 5));
    expect(await rotate("admin", brief.id)).toBe("not-found");
  });

  it("never leaves the broker with no lasting admin key", async () => {
    const [first] = bench.administrator.listKeys();
    const id = first?.id ?? "";
    expect(await codeOf(keys().rotateKey("admin", id, { overlapMs: minute, lifetimeMs: day }))).toBe("conflict");
    expect(await codeOf(keys().rotateKey("admin", id, { overlapMs: minute }))).toBe("done");
  });
});

describe("a token", () => {
  it("acts as its principal, or with a scope under a name of its own", async () => {
    const key = await shopKey();
    const plain = await keys().createToken(holder(key), { lifetimeMs: 15 * minute });
    const scoped = await keys().createToken(holder(key), { lifetimeMs: 15 * minute, scope });
    expect([admits(plain), admits(scoped)]).toEqual(["shop", `shop~${scoped.id}`]);
    expect(scoped.principal).toBe(`shop~${scoped.id}`);
    const may = (by: string, topic: string): boolean => bench.administrator.authorize(by, "publish", topic);
    expect([may("shop", "a/y"), may(scoped.principal, "a/y"), may(scoped.principal, "a/x")]).toEqual([
      true,
      false,
      true,
    ]);
    await bench.restart();
    expect(admits(scoped)).toBe(`shop~${scoped.id}`);
    expect(may(scoped.principal, "a/y")).toBe(false);
    expect(bench.administrator.listKeys().map(({ id }) => id)).not.toContain(scoped.id);
    expect(bench.events("token.created")).toHaveLength(2);
  });

  it("makes no tokens, with or without a scope", async () => {
    const key = await shopKey();
    for (const more of [{}, { scope }]) {
      const token = await keys().createToken(holder(key), { lifetimeMs: minute, ...more });
      expect(await codeOf(keys().createToken(holder(token), { lifetimeMs: minute }))).toBe("forbidden");
    }
    // One that has just ended: its id is not known any more.
    const gone = { principal: "shop~k_gone", keyId: "k_gone" };
    expect(await codeOf(keys().createToken(gone, { lifetimeMs: minute }))).toBe("forbidden");
  });

  it("ends when the credential ends that it was made with, at the latest", async () => {
    const key = await shopKey(5 * minute);
    const token = await keys().createToken(holder(key), { lifetimeMs: 15 * minute });
    expect(token.expiresAt).toBe(key.expiresAt);
    const soon = Date.now() + minute;
    const caller = { principal: "shop", keyId: "jwt:idp:1", expiresAt: soon };
    expect((await keys().createToken(caller, { lifetimeMs: 15 * minute })).expiresAt).toBe(soon);
  });

  it("is revoked with the credential that it was made with", async () => {
    const key = await shopKey();
    const token = await keys().createToken(holder(key), { lifetimeMs: minute });
    await bench.administrator.revokeKey("admin", key.id);
    expect(admits(token)).toBeUndefined();
  });

  it("is bounded in number and in life", async () => {
    const key = await shopKey();
    const make = (lifetimeMs = minute): Promise<string> => codeOf(keys().createToken(holder(key), { lifetimeMs }));
    expect(await make(day + 1)).toBe("invalid");
    expect([await make(), await make(), await make(), await make()]).toEqual(["done", "done", "done", "conflict"]);
    const other: CredentialHolder = { principal: "maker", keyId: "" };
    const makeOther = (): Promise<string> => codeOf(keys().createToken(other, { lifetimeMs: minute }));
    expect([await makeOther(), await makeOther()]).toEqual(["done", "conflict"]);
    expect(bench.events("limit.hit").map(({ limit }) => limit)).toEqual(["tokensPerPrincipalMax", "tokensMax"]);
  });

  it("is seen and ended by its principal, by admin.keys, and by itself alone", async () => {
    const key = await shopKey();
    const admin: CredentialHolder = { principal: "admin", keyId: "k_admin" };
    const one = await keys().createToken(holder(key), { lifetimeMs: minute });
    const two = await keys().createToken(holder(key), { lifetimeMs: minute, scope });
    const seen = (caller: CredentialHolder): string[] =>
      keys()
        .listTokens(caller)
        .map(({ id }) => id);
    expect(seen(holder(key))).toEqual([one.id, two.id]);
    expect(seen(holder(one))).toEqual([one.id]);
    expect(seen(holder(two))).toEqual([two.id]);
    expect(seen(admin)).toEqual([]);
    expect(keys().listTokens(holder(two))[0]).toMatchObject({ principal: "shop", scope });
    const revoke = (caller: CredentialHolder, id: string): Promise<string> => codeOf(keys().revokeToken(caller, id));
    expect(await revoke({ principal: "other", keyId: "k_o" }, one.id)).toBe("not-found");
    expect(await revoke(holder(two), one.id)).toBe("not-found");
    expect(await revoke(holder(one), two.id)).toBe("not-found");
    expect(await revoke(holder(key), key.id)).toBe("not-found");
    expect(await revoke(holder(two), two.id)).toBe("done");
    expect(await revoke(admin, one.id)).toBe("done");
    expect(seen(holder(key))).toEqual([]);
  });
});

describe("a token made with a password", () => {
  it("goes when the password is changed, and when it is removed", async () => {
    const { passwords } = bench.administrator;
    const verifier = {
      iterations: 600_000,
      salt: Buffer.alloc(16, 1),
      storedKey: Buffer.alloc(32, 2),
      serverKey: Buffer.alloc(32, 3),
    };
    const caller: CredentialHolder = { principal: "shop", keyId: "password:shop" };
    const make = (): Promise<NewKey> => keys().createToken(caller, { lifetimeMs: minute });
    await passwords.set("admin", "shop", verifier);
    const one = await make();
    expect(admits(one)).toBe("shop");
    await passwords.set("admin", "shop", verifier);
    const two = await make();
    expect([admits(one), admits(two)]).toEqual([undefined, "shop"]);
    await passwords.remove("admin", "shop");
    expect(admits(two)).toBeUndefined();
  });
});
