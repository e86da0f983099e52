// LESSONS 1, Mosquitto CVE-2017-7650. Elsewhere a rights pattern such as `x/%c` was filled in with the client id as it
// came, so that a client called `#` or `+` read what was meant for everybody. Here no pattern takes a client id, the
// only name that is filled in is that of a principal, and a principal with a wildcard in its name cannot be made.
import { expect, it } from "vitest";
import { nothingComes } from "../../attacks/support/moves.ts";
import { unique } from "../support/names.ts";
import { atEachDoor, useField } from "./support.ts";

const field = useField();
const wild = ["#", "+", "a/#", "a/+", "/", ""];

it("a pattern with the client id in it, and a principal called like a wildcard, are refused", async () => {
  const { arena } = field;
  for (const template of ["dev/{clientId}/#", "dev/%c/{client}", "dev/x{principal}/#"]) {
    const body = { roles: { r: { allow: [{ subscribe: template }] } } };
    const { status } = await arena.admin("/v1/policy?dryRun=true", { method: "PUT", body });
    expect(status, template).toBe(422);
  }
  for (const name of wild) {
    const { status } = await arena.admin("/v1/keys", { method: "POST", body: { name, roles: ["tenant"] } });
    expect(status, `principal ${name}`).toBeGreaterThanOrEqual(400);
  }
});

atEachDoor(field, "a client id that is a wildcard reaches nothing more", async (arena, door) => {
  const owner = await arena.principal();
  const sender = await arena.connect(owner);
  const thief = await arena.principal();
  for (const clientId of wild) {
    const { client, connack } = await arena.attempt(thief, { clientId }, door);
    expect([0, 0x85], `id ${clientId}`).toContain(connack?.code);
    if (connack?.code !== 0) continue;
    const filters = ["#", "+/private", owner.topic("#"), `${unique("x")}/#`];
    const { codes } = await client.subscribe(filters, { refusable: true });
    expect(codes, `id ${clientId}`).toEqual(filters.map(() => 0x87));
    const refused = await client.publish({ topic: owner.topic("private"), payload: "x", qos: 1 });
    expect(refused?.code, `id ${clientId}`).toBe(0x87);
    await sender.publish({ topic: owner.topic("private"), payload: "of another", qos: 1 });
    await nothingComes(client, `client id ${clientId} reads what is for another`, 100);
  }
});
