// LESSONS 3, Mosquitto CVE-2017-7652. Elsewhere a signal to reload, sent while the process was out of descriptors, made
// it read nothing and fall back to defaults without rights. Here a reload that cannot read leaves the old policy, and
// everybody who is connected stays under it.
import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { expect, it } from "vitest";
import { scratch } from "../../attacks/support/files.ts";
import { sleep } from "../support/names.ts";
import { tool } from "../support/tools.ts";
import { descriptorsOf, useField } from "./support.ts";

const policyFile = join(scratch(), "policy.toml");
writeFileSync(
  policyFile,
  '[[roles.tenant.allow]]\npublish = "{principal}/#"\nsubscribe = "{principal}/#"\n[[roles.everything.allow]]\npublish = "#"\n',
);
const field = useField({ args: ["--policy-file", policyFile] });
const prlimit = tool("prlimit");

it.skipIf(prlimit === undefined)("SIGHUP with all descriptors taken leaves the policy as it is", async () => {
  const { arena } = field;
  const { pid } = arena.server;
  const tenant = await arena.principal();
  const before = await arena.connect(tenant);
  const seen = await arena.observe();
  const limit = descriptorsOf(pid) + 10;
  const setLimit = (most: number): Buffer => execFileSync(prlimit ?? "", ["--pid", `${pid}`, `--nofile=${most}:`]);
  setLimit(limit);
  const { host, port } = arena.door.endpoint;
  const sockets: Socket[] = Array.from({ length: 40 }, () => connect({ host, port, localAddress: arena.address }));
  for (const socket of sockets) socket.on("error", () => socket.destroy());
  try {
    for (let waited = 0; waited < 100 && descriptorsOf(pid) < limit - 1; waited += 1) await sleep(20);
    expect(descriptorsOf(pid)).toBeGreaterThanOrEqual(limit - 1);
    arena.server.signal("SIGHUP");
    await sleep(300);
    const { codes } = await before.subscribe(["other/#", tenant.topic("#")], { refusable: true });
    expect(codes).toEqual([0x87, 0]);
  } finally {
    setLimit(1_024);
    for (const socket of sockets) socket.destroy();
  }
  await sleep(200);
  expect(arena.server.pid).toBe(pid);
  expect(seen.text()).toMatch(/EMFILE|reload/i);
  for (const door of arena.doors) {
    const anonymous = await arena.attempt({}, {}, door);
    expect(anonymous.connack?.code).not.toBe(0);
    const client = await arena.connect(tenant, {}, door);
    const { codes } = await client.subscribe(["other/#", tenant.topic("#")], { refusable: true });
    expect(codes).toEqual([0x87, 0]);
  }
});
