import { unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { nothingComes } from "./support/moves.ts";

export const e04 = attack({
  id: "E4",
  title: "Session takeover and ownership of client ids",
  threat: "Two principals meet in one session: by names that run together, by case, by what a server assigns.",
  mitigation: "Sessions are kept by principal and client id as two things; assigned ids are random.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    {
      name: "names that run together: a + b:c and a:b + c",
      run: runTogether,
      elsewhere: hasNone("a session belongs to nobody: A2"),
    },
    { name: "client ids that differ in nothing one sees", run: lookalikes },
    { name: "an id that the server assigned, guessed", run: assigned },
  ],
});

async function runTogether(arena: Arena): Promise<void> {
  for (const separator of [":", "|", " ", ".", "-", "_", "@", "%2F", "\\"]) {
    const base = unique("p");
    const one = await arena.principal("everything", base);
    const other = await arena.principal("everything", `${base}${separator}x`);
    const session = await arena.connect(one, { ...arena.lasting(), clientId: `x${separator}y` });
    await session.subscribe({ filter: one.topic("private"), qos: 1 });
    const thief = await arena.attempt(other, { ...arena.lasting(), clientId: "y" });
    hold(thief.connack?.sessionPresent === false, `${base} and ${base}${separator}x meet in one session`);
    hold(!session.isClosed, "the first one was thrown off");
  }
}

async function lookalikes(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const base = unique("id");
  const ids = [`${base}é`, `${base}e\u0301`, `${base}É`, base, base.toUpperCase(), `${base} `, ` ${base}`];
  const clients = [];
  for (const clientId of ids) clients.push(await arena.connect(owner, { ...arena.lasting(), clientId }));
  for (const [index, client] of clients.entries()) {
    hold(client.connack?.sessionPresent === false, `${JSON.stringify(ids[index])} is taken for another id`);
    hold(!client.isClosed, `${JSON.stringify(ids[index])} was thrown off by a lookalike`);
  }
}

async function assigned(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const seen = new Set<string>();
  for (let count = 0; count < 6; count += 1) {
    const client = await arena.connect(owner, { clientId: "" });
    const id = client.connack?.properties.assignedClientIdentifier;
    if (id === undefined) continue;
    hold(!seen.has(id) && id.length >= 16, `the server assigns ${id}`);
    seen.add(id);
    const stranger = await arena.attempt(await arena.principal(), { clientId: id, cleanStart: false });
    hold(!client.isClosed, "a stranger throws off a client by the id that the server assigned");
    await nothingComes(stranger.client, "a stranger gets what is for another", 50);
  }
}
