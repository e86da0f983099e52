import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Administrator } from "./administrator.ts";
import { defaultLimits } from "./config/limits.ts";
import { headerReader, schemaCompiler } from "./content-readers.ts";
import { openDataHome } from "./data-home.ts";
import { BrokerEngine } from "./engine.ts";
import { nodeHost } from "./host/node-host.ts";
import { AdministrationError } from "./model/administration.ts";
import type { Policy } from "./model/policy.ts";

const policy: Policy = {
  roles: {
    provisioner: {
      allow: [
        { action: "admin.keys", filter: "#" },
        { action: "publish", filter: "dev/#" },
      ],
      deny: [],
    },
    device: { allow: [{ action: "publish", filter: "dev/{principal}/#" }], deny: [] },
    everything: { allow: [{ action: "publish", filter: "#" }], deny: [] },
  },
  principals: {
    maker: { roles: ["provisioner"] },
    boss: { roles: ["everything"] },
    chief: { roles: ["security-admin"] },
  },
};

let root: string;
let engine: BrokerEngine;
let administrator: Administrator;
let audited: { event: string; detail: Readonly<Record<string, string | number>> }[];

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "mess-admin-"));
  audited = [];
  const host = nodeHost();
  const home = await openDataHome({
    host,
    kek: { directory: join(root, "data") },
    limits: { ...defaultLimits, segmentBytes: 1024 * 1024 },
  });
  engine = await BrokerEngine.start({
    host,
    opened: home.opened,
    directory: home.directory,
    limits: defaultLimits,
    firstPolicy: policy,
    everythingAllowed: false,
    headers: headerReader,
    schemas: schemaCompiler,
    machine: {
      reconnectGraceMs: 0,
      observeAudit: (event, detail) => audited.push({ event, detail }),
      observeFailure: () => undefined,
    },
  });
  administrator = new Administrator({
    engine,
    host,
    beginBackup: home.opened.beginBackup,
    storage: home.storage,
    log: home.log,
    devPrincipal: undefined,
    doorMetrics: () => [],
  });
});
afterEach(async () => {
  await engine.stop();
  await rm(root, { recursive: true, force: true });
});

async function code(act: Promise<unknown>): Promise<string> {
  try {
    await act;
    return "done";
  } catch (error) {
    if (error instanceof AdministrationError) return error.code;
    throw error;
  }
}

describe("createKey", () => {
  it.each([
    ["maker", "d1", ["device"], "done"],
    ["maker", "d1", [], "done"],
    ["maker", "d1", ["everything"], "forbidden"],
    ["maker", "boss", [], "forbidden"],
    ["maker", "admin", [], "forbidden"],
    ["maker", "d1", ["admin"], "forbidden"],
    ["maker", "d1", ["constructor"], "invalid"],
    ["maker", "toString", ["device"], "done"],
    ["maker", "boss", ["device"], "conflict"],
    ["maker", "a/b", ["device"], "invalid"],
    ["chief", "admin", [], "done"],
    ["admin", "boss", [], "done"],
    ["boss", "boss", [], "done"],
    // A principal of that name is nobody special.
    ["mess", "admin", [], "forbidden"],
  ])("by %s for %s with %j: %s", async (by, name, roles, expected) => {
    expect(await code(administrator.createKey(by, name, roles))).toBe(expected);
    const events = audited.map(({ event }) => event);
    if (expected === "done") expect(events).toContain("key.created");
    else {
      expect(audited).toMatchObject([{ event: "admin.refused", detail: { act: "key.create", by, code: expected } }]);
      expect(administrator.listKeys()).toEqual([]);
    }
  });

  it("makes a key that works", async () => {
    const { id, secret } = await administrator.createKey("admin", "d1", ["device"]);
    expect(administrator.keys.identify(id, secret)?.principal).toBe("d1");
    expect(administrator.authorize("d1", "publish", "dev/d1/t")).toBe(true);
    expect(administrator.authorize("d1", "publish", "dev/d2/t")).toBe(false);
  });
});

describe("the last key with a right", () => {
  it("cannot be revoked, whoever's it is, and every other can", async () => {
    const first = await administrator.createAdminKey();
    expect(await code(administrator.revokeKey("admin", first.id))).toBe("conflict");
    const chief = await administrator.createKey("admin", "chief", []);
    const maker = await administrator.createKey("admin", "maker", []);
    expect(await code(administrator.revokeKey("chief", first.id))).toBe("done");
    // `maker` may make keys too, but not change the policy.
    expect(await code(administrator.revokeKey("maker", chief.id))).toBe("conflict");
    expect(await code(administrator.revokeKey("chief", maker.id))).toBe("done");
    expect(await code(administrator.revokeKey("chief", chief.id))).toBe("conflict");
    expect(await code(administrator.revokeKey("chief", "ghost"))).toBe("not-found");
    const refused = audited.filter(({ event }) => event === "admin.refused").map(({ detail }) => detail);
    expect(refused).toMatchObject([
      { act: "key.revoke", by: "admin", code: "conflict", target: first.id },
      { act: "key.revoke", by: "maker", code: "conflict", target: chief.id },
      { act: "key.revoke", by: "chief", code: "conflict", target: chief.id },
      { act: "key.revoke", by: "chief", code: "not-found", target: "ghost" },
    ]);
  });

  it("does not lose the right by a policy either", async () => {
    const first = await administrator.createAdminKey();
    await administrator.createKey("admin", "chief", []);
    await administrator.revokeKey("chief", first.id);
    const without: Policy = { ...policy, principals: { chief: { roles: ["viewer"] } } };
    expect(await code(administrator.applyPolicy("chief", without, false))).toBe("conflict");
    expect(administrator.policy()).toEqual({ ...policy, topics: {}, subscriptions: {} });
    await administrator.createKey("chief", "admin", []);
    expect(await administrator.applyPolicy("chief", without, false)).toMatchObject({ applied: true });
  });
});

describe("backup", () => {
  it("is one at a time, and leaves an audit record either way", async () => {
    const first = await administrator.backup("chief");
    expect(audited.at(-1)).toMatchObject({ event: "backup.begin", detail: { by: "chief", bytes: first.bytes } });
    await expect(administrator.backup("chief")).rejects.toMatchObject({ code: "conflict" });
    expect(audited.at(-1)).toMatchObject({ event: "admin.refused", detail: { act: "backup", code: "conflict" } });
    first.close();
    (await administrator.backup("chief")).close();
  });
});
