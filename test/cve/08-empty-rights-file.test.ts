// LESSONS 8, Mosquitto CVE-2018-12550. Elsewhere a rights file that was empty, or held nothing but comments, allowed
// everything. Here nothing in a file is nothing that is allowed, and what is no file keeps the rights that were.
import { execFileSync } from "node:child_process";
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { scratch } from "../../attacks/support/files.ts";
import { sleep } from "../support/names.ts";
import * as build from "../support/packets.ts";
import { useField } from "./support.ts";

const policyFile = join(scratch(), "policy.toml");
writeFileSync(policyFile, "");
// a bystander would lose its rights too
const field = useField({ args: ["--policy-file", policyFile] }, { isWatched: false });

const contents: readonly (readonly [string, () => void])[] = [
  ["nothing", () => writeFileSync(policyFile, "")],
  ["white space", () => writeFileSync(policyFile, " \t\r\n\n")],
  ["a comment", () => writeFileSync(policyFile, "# nobody may anything\n")],
  ["a byte order mark", () => writeFileSync(policyFile, "\ufeff")],
  ["NUL bytes", () => writeFileSync(policyFile, Buffer.alloc(64))],
  ["a directory", () => mkdirSync(policyFile)],
  ["no file", () => undefined],
  ["a pipe that nobody writes to", () => void execFileSync("mkfifo", [policyFile])],
];

it("no file without a grant grants", async () => {
  const { arena } = field;
  const stranger = await arena.principal("bare");
  const before = await arena.connect(stranger);
  for (const [what, make] of contents) {
    rmSync(policyFile, { recursive: true, force: true });
    make();
    const seen = await arena.observe();
    arena.server.signal("SIGHUP");
    for (let waited = 0; waited < 15 && !seen.text().includes('"event":"reload.'); waited += 1) await sleep(20);
    expect((await arena.attempt({})).connack?.code, what).not.toBe(0);
    for (const client of [
      before,
      ...(await Promise.all(arena.doors.map((door) => arena.connect(stranger, {}, door)))),
    ]) {
      const { codes } = await client.subscribe(["#", "x"], { refusable: true });
      expect(codes, what).toEqual([0x87, 0x87]);
      expect((await client.publish({ topic: "x", payload: "x", qos: 1 }))?.code, what).toBe(0x87);
    }
    expect((await arena.ask(stranger, "/v1/policy")).status, what).toBe(403);
  }
});

// Each reload waits in a thread of the pool that the journal needs too, and there are four.
it("a pipe as the rights file, reloaded five times, holds up nothing else", async () => {
  const file = join(scratch(), "policy.toml");
  writeFileSync(file, "");
  const arena = await field.arena.own({ args: ["--policy-file", file] });
  const client = await arena.connect(await arena.principal());
  rmSync(file);
  execFileSync("mkfifo", [file]);
  for (let count = 0; count < 5; count += 1) {
    arena.server.signal("SIGHUP");
    await sleep(60);
  }
  client.send(build.publish({ topic: "x", payload: "x", qos: 1, id: 1 }));
  await client.take("PUBACK", 1_500);
});
