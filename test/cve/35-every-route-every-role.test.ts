// LESSONS 35, NATS CVE-2025-30215 and CVE-2026-33222. Elsewhere one call of an API for administrators lacked the check
// that all its siblings had, and a restore wrote into the data of others. Here every route there is, from the table the
// server is made of, is asked by every role that has no right to it; and a restore makes new data or nothing.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { scratch } from "../../attacks/support/files.ts";
import type { Role } from "../../attacks/support/roles.ts";
import { defaultLimits } from "../../packages/broker/src/config/limits.ts";
import { routesOf } from "../../packages/broker/src/input/doors/http/routes.ts";
import { builtInRoles } from "../../packages/broker/src/security/built-in-roles.ts";
import { mess } from "../support/cli.ts";
import { useField } from "./support.ts";

const field = useField();

const roles: readonly Role[] = [
  "bare",
  "tenant",
  "everything",
  "viewer",
  "operator",
  "publisher-admin",
  "security-admin",
  "auditor",
];

const holds = (role: string, permission: string): boolean =>
  builtInRoles.some(({ name, allow }) => name === role && allow.some(({ action }) => action === permission));

it("no route of administration is open to a role without its right", async () => {
  const { arena } = field;
  const routes = routesOf(defaultLimits);
  let refused = 0;
  for (const role of [undefined, ...roles]) {
    const who = role === undefined ? undefined : await arena.principal(role);
    for (const { method, path, permission } of routes) {
      if (permission === "public" || (permission === "authenticated" && role !== undefined)) continue;
      if (role !== undefined && holds(role, permission)) continue;
      const { status } = await arena.ask(who, path.replaceAll(/:\w+/g, "x"), { method });
      expect([401, 403], `${role ?? "nobody"}: ${method} ${path}`).toContain(status);
      refused += 1;
    }
  }
  expect(refused).toBeGreaterThan(100);
});

it("a restore goes into no data that are there, and takes no file that is none", async () => {
  const { arena } = field;
  const { dataDir } = arena.broker;
  const forged = join(scratch(), "forged.tar");
  writeFileSync(forged, Buffer.alloc(10_240));
  const before = (await arena.admin("/v1/policy")).text;
  for (const to of [dataDir, join(scratch(), "new")]) {
    const { code, stderr } = await mess(["restore", forged, "--data", to, "--kek-file", `${dataDir}.kek`]);
    expect(code, stderr).not.toBe(0);
  }
  expect((await arena.admin("/v1/policy")).text).toBe(before);
});
