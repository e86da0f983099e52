// LESSONS 36, RabbitMQ CVE-2026-44838. Elsewhere a client id was put into the regular expression of a right, so that
// somebody called `.*` had every right. Here names are compared and never run, and one made to be slow is not.
import { expect } from "vitest";
import { nothingComes } from "../../attacks/support/moves.ts";
import { unique } from "../support/names.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();

const loaded = [
  ".*",
  "a|.*",
  "(?:)",
  "[^/]*",
  "^",
  "$",
  "\\w+",
  "(a+)+$",
  `${"a".repeat(60)}!`,
  "%c",
  "__proto__",
  "constructor",
];

atEachDoor(field, "names with operators in them", async (arena, door) => {
  const owner = await arena.principal();
  const sender = await arena.connect(owner);
  for (const loadedName of loaded) {
    const made = await arena.admin("/v1/keys", { method: "POST", body: { name: loadedName, roles: ["tenant"] } });
    expect([201, 400, 422], loadedName).toContain(made.status);
    const { id, secret } =
      made.status === 201 ? (JSON.parse(made.text) as { id: string; secret: string }) : await arena.principal();
    const credentials = { username: id, password: secret };
    const began = performance.now();
    const { client, connack } = await arena.attempt({ credentials }, { clientId: loadedName }, door);
    expect(performance.now() - began, loadedName).toBeLessThan(3_000);
    if (connack?.code !== 0) continue;
    const { codes } = await client.subscribe([owner.topic("#"), "#", "+/+"], { refusable: true });
    expect(codes, loadedName).toEqual([0x87, 0x87, 0x87]);
    const published = await client.publish({ topic: owner.topic(unique("x")), payload: "x", qos: 1 });
    expect(published?.code, loadedName).toBe(0x87);
    await sender.publish({ topic: owner.topic("x"), payload: "x", qos: 1 });
    await nothingComes(client, `${loadedName} reads what is for another`, 30);
    client.stream.destroy();
    if (made.status === 201) await arena.admin(`/v1/keys/${id}`, { method: "DELETE" });
  }
});
