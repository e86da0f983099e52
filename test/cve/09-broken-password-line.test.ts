// LESSONS 9, Mosquitto CVE-2018-12551. Elsewhere a line of the password file that could not be read became a user whose
// password was empty. Here credentials come over the API alone, one that is incomplete is not made, and a blank secret
// is never right; a store whose bytes were changed does not start.
import { writeFileSync } from "node:fs";
import { expect, it } from "vitest";
import { copyOfData } from "../../attacks/support/files.ts";
import { allStartsRefused } from "../../attacks/support/refused-starts.ts";
import { unique } from "../support/names.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField({ env: { MESS_LIMITS__SEGMENT_BYTES: "8MiB" } });

atEachDoor(field, "no blank or half credential is one", async (arena, door) => {
  const owner = await arena.principal();
  const halves = [
    {},
    { username: "" },
    { username: "", password: "" },
    { username: owner.id },
    { username: owner.id, password: "" },
    { username: owner.id, password: "\0" },
    { username: owner.name, password: "" },
    { username: `${owner.id}:`, password: "" },
    { username: "*", password: "*" },
    { password: owner.secret },
  ];
  for (const credentials of halves) {
    for (const version of [4, 5] as const) {
      const { connack } = await arena.attempt({ credentials }, { version }, door);
      expect(connack?.code, JSON.stringify(Object.keys(credentials))).not.toBe(0);
    }
  }
});

it("no half credential is made", async () => {
  const { arena } = field;
  const name = unique("p");
  for (const body of [{}, { name: "" }, { name, roles: null }, { name, roles: "tenant" }, [], "x", { roles: [] }]) {
    const { status } = await arena.admin("/v1/keys", { method: "POST", body });
    expect(status, JSON.stringify(body)).toBeGreaterThanOrEqual(400);
  }
  for (const body of [
    {},
    { password: "" },
    { password: null },
    { password: " " },
    { password: "\0" },
    { password: 1 },
  ]) {
    const { status } = await arena.admin(`/v1/principals/${name}/password`, { method: "PUT", body });
    expect(status, JSON.stringify(body)).toBeGreaterThanOrEqual(400);
    expect(status, JSON.stringify(body)).toBeLessThan(500);
  }
});

it("a store with the wrong key file does not start as an empty one", async () => {
  const { arena } = field;
  await arena.principal();
  const dataDir = copyOfData(arena.broker.dataDir);
  writeFileSync(`${dataDir}.kek`, "", { mode: 0o400 });
  await allStartsRefused([{ what: "an empty key file", dataDir, codes: [65, 77, 78] }]);
});
