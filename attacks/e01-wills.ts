import { sleep, unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold, lacks } from "./support/attack.ts";
import { nothingComes } from "./support/moves.ts";

const noRights = lacks("there are no rights by default: any will is sent");

export const e01 = attack({
  id: "E1",
  title: "Will messages",
  threat:
    "A will is the one publish whose author is gone when it happens: delayed, retained, after a revocation, in another's tree.",
  mitigation:
    "A will needs `will`, `publish`, and `retain` if it is kept: asked at CONNECT and again at the moment it is sent.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    { name: "a delayed will after its author's rights were taken away", run: delayed, elsewhere: noRights },
    { name: "a will of a key that was revoked", run: revoked, elsewhere: noRights },
    {
      name: "a retained will without the right to retain, and one in the tree of the broker",
      run: kept,
      elsewhere: noRights,
    },
    {
      name: "a will of a connection that was refused",
      run: ofTheRefused,
      elsewhere: hasNone("refuses nobody by default"),
    },
  ],
});

const rights = (name: string): { allow: { publish: string; will: string }[] } => ({
  allow: [{ publish: `${name}/#`, will: `${name}/#` }],
});

async function delayed(arena: Arena): Promise<void> {
  const name = unique("p");
  const topic = `${name}/will`;
  const watcher = await arena.connect(await arena.principal("everything"));
  await watcher.subscribe({ filter: topic, qos: 1 });
  const author = await arena.principalWith(rights(name), name);
  for (const left of [{ publish: `${name}/#` }, { will: `${name}/#` }]) {
    await arena.setRights(name, rights(name));
    const will = { topic, payload: "too late", qos: 1, properties: { willDelayInterval: 1 } };
    const client = await arena.connect(author, { will, properties: { sessionExpiryInterval: 30 } });
    client.stream.destroy();
    await sleep(100);
    await arena.setRights(name, { allow: [left as { publish: string }] });
    await nothingComes(watcher, `a will is sent with nothing but ${Object.keys(left).join()}`, 1_600);
  }
}

async function revoked(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const watcher = await arena.connect(await arena.principal("everything"));
  await watcher.subscribe({ filter: owner.topic("will"), qos: 1 });
  for (const door of arena.doors) {
    await arena.connect(owner, { will: { topic: owner.topic("will"), payload: "of a revoked key", qos: 1 } }, door);
  }
  await arena.admin(`/v1/keys/${owner.id}`, { method: "DELETE" });
  await nothingComes(watcher, "a revoked key leaves its will", 800);
}

async function kept(arena: Arena): Promise<void> {
  const name = unique("p");
  const author = await arena.principalWith(rights(name), name);
  for (const door of arena.doors) {
    const wills = [
      { topic: `${name}/will`, payload: "kept", retain: true },
      { topic: "$SYS/will", payload: "x" },
      { topic: "$mess/queue/x", payload: "x" },
      { topic: "other/will", payload: "x" },
    ];
    for (const will of wills) {
      const { connack, client } = await arena.attempt(author, { will }, door);
      hold((connack?.code ?? 0x87) !== 0, `a will on ${will.topic} is taken`);
      client.stream.destroy();
    }
  }
}

async function ofTheRefused(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const watcher = await arena.connect(owner);
  await watcher.subscribe({ filter: owner.topic("#"), qos: 1 });
  const will = { topic: owner.topic("will"), payload: "of nobody" };
  for (const door of arena.doors) {
    for (const version of [4, 5] as const) {
      const bad = { credentials: { username: owner.id, password: "wrong" } };
      const { client } = await arena.attempt(bad, { will, version }, door);
      client.stream.destroy();
    }
  }
  await nothingComes(watcher, "somebody who was refused leaves a will", 500);
}
