// LESSONS 31, NATS CVE-2026-33216 and CVE-2026-33247. Elsewhere a password stood on the page of statistics, as the name
// of a client, and secrets of the command line on a page for debugging. Here secrets are put wherever one could be, and
// then looked for wherever one could come out.
import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { readable } from "../../attacks/support/files.ts";
import { unique } from "../support/names.ts";
import { useField } from "./support.ts";

const field = useField();

it("no secret comes out of logs, pages, the process or the disk", async () => {
  const { arena } = field;
  const owner = await arena.principal();
  const secrets: string[] = [owner.secret, arena.server.admin.secret];
  const secret = (): string => {
    const made = randomBytes(24).toString("base64url");
    secrets.push(made);
    return made;
  };
  const seen = await arena.observe();
  const reader = await arena.connect(owner);
  await reader.subscribe(owner.topic("x"));
  for (const [index, version] of ([4, 5, 4, 5] as const).entries()) {
    const wrong = { credentials: { username: owner.id, password: secret() } };
    (await arena.attempt(wrong, { version }, arena.doors[index % 2])).client.stream.destroy();
  }
  const password = secret();
  const principal = unique("p");
  await arena.principal("tenant", principal);
  await arena.admin(`/v1/principals/${principal}/password`, { method: "PUT", body: { password } });
  for (const door of arena.doors) {
    const { client } = await arena.attempt({ credentials: { username: principal, password } }, {}, door);
    if (!client.isClosed) await client.publish({ topic: `${principal}/x`, payload: "x" });
  }
  const shown: string[] = [];
  const headers = [
    { authorization: `Bearer ${owner.id}.${secret()}` },
    { authorization: `Basic ${Buffer.from(`${owner.id}:${secret()}`).toString("base64")}` },
    { cookie: `session=${secret()}`, authorization: `Bearer ${secret()}` },
  ];
  for (const sent of headers) shown.push((await arena.ask(undefined, "/v1/whoami", { headers: sent })).text);
  shown.push((await arena.admin("/v1/keys", { method: "POST", body: { name: "", secret: secret() } })).text);
  const pages = [
    "/metrics",
    "/v1/keys",
    "/v1/passwords",
    "/v1/policy",
    "/v1/whoami",
    "/v1/storage",
    "/openapi.json",
    "/docs",
  ];
  for (const path of [...pages, "/v1/nothing", "/debug/pprof", "/v1/tokens"])
    shown.push((await arena.admin(path)).text);
  const { pid } = arena.server;
  for (const name of ["cmdline", "environ"]) shown.push(readFileSync(`/proc/${pid}/${name}`, "latin1"));
  shown.push(seen.text(), arena.server.stdout);
  const all = shown.join("\n");
  expect(secrets.filter((each) => all.includes(each))).toEqual([]);
  expect(readable(arena.broker.dataDir, secrets).filter((each) => !each.startsWith("admin.key:"))).toEqual([]);
  expect(secrets.length).toBeGreaterThan(10);
});
