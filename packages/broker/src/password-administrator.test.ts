import { afterEach, beforeEach, expect, test } from "vitest";
import { codeOf, Workbench } from "./administrator.test-data.ts";
import type { PasswordVerifier } from "./model/password.ts";

const verifier: PasswordVerifier = {
  salt: Buffer.alloc(16, 1),
  iterations: 15_000,
  storedKey: Buffer.alloc(32, 2),
  serverKey: Buffer.alloc(32, 3),
};
const policy = {
  roles: {
    device: { allow: [{ action: "publish", filter: "d/#" } as const], deny: [] },
    keeper: {
      allow: [
        { action: "publish", filter: "d/#" },
        { action: "admin.keys", filter: "#" },
      ] as const,
      deny: [],
    },
    reader: { allow: [{ action: "subscribe", filter: "#" } as const], deny: [] },
  },
  principals: { dev: { roles: ["device"] }, keeper: { roles: ["keeper"] }, eye: { roles: ["reader"] } },
};
let bench: Workbench;

beforeEach(async () => {
  bench = await Workbench.open({ policy });
});
afterEach(() => bench.close());

test("one may set passwords of those who may no more than oneself; refusals are audited", async () => {
  const { passwords } = bench.administrator;
  await passwords.set("keeper", "dev", verifier);
  await passwords.set("keeper", "keeper", verifier);
  await passwords.set("admin", "admin", verifier);
  expect(await codeOf(passwords.set("keeper", "eye", verifier))).toBe("forbidden");
  expect(await codeOf(passwords.set("keeper", "admin", verifier))).toBe("forbidden");
  for (const nobody of ["nobody", "constructor", "__proto__", ""]) {
    expect(await codeOf(passwords.set("admin", nobody, verifier))).toBe("not-found");
  }
  expect(passwords.list().map(({ principal, iterations }) => [principal, iterations])).toEqual([
    ["dev", 15_000],
    ["keeper", 15_000],
    ["admin", 15_000],
  ]);
  expect(bench.audited.filter(({ event }) => event === "admin.refused")).toHaveLength(6);
});

test.each([
  ["salt", { salt: Buffer.alloc(15) }],
  ["storedKey", { storedKey: Buffer.alloc(31) }],
  ["serverKey", { serverKey: Buffer.alloc(0) }],
  ["iterations", { iterations: 14_999 }],
  ["iterations", { iterations: 10_000_001 }],
  ["iterations", { iterations: 20_000.5 }],
])("a verifier with another %s than it must have is refused", async (_, wrong) => {
  expect(await codeOf(bench.administrator.passwords.set("admin", "dev", { ...verifier, ...wrong }))).toBe("invalid");
});

test("it is there after a restart until it is removed, once", async () => {
  await bench.administrator.passwords.set("admin", "dev", verifier);
  await bench.restart();
  const { passwords } = bench.administrator;
  expect(passwords.list()).toHaveLength(1);
  await passwords.remove("admin", "dev");
  expect(await codeOf(passwords.remove("admin", "dev"))).toBe("not-found");
  await bench.restart();
  expect(bench.administrator.passwords.list()).toEqual([]);
});
