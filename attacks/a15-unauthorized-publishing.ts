import { sleep, unique } from "../test/support/names.ts";
import type { Arena, Principal } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import type { Door } from "./support/broker.ts";
import { atEachDoor, cutOff, nothingComes } from "./support/moves.ts";

const nobody: Partial<Principal> = { credentials: {} };
const noRights = lacks("there are no rights by default: whoever connects publishes everything");

export const a15 = attack({
  id: "A15",
  title: "Producer: publishing without a right",
  threat: "Somebody without a credential, or beyond their grants, publishes: at once, or by a will when they are gone.",
  mitigation:
    "No listener without authentication, default deny; a will is asked for at CONNECT and again when it is sent.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("publishing without a credential", withoutCredential),
    atEachDoor("publishing beyond the grants", beyondGrants),
    { name: "a will on a topic without the right", run: deniedWill, elsewhere: noRights },
    { name: "a will whose author lost the right before it is sent", run: willAfterRevocation, elsewhere: noRights },
  ],
});

async function withoutCredential(arena: Arena, door: Door): Promise<void> {
  const owner = await arena.principal("everything");
  const watcher = await arena.connect(owner, {}, door);
  const topic = owner.topic("x");
  await watcher.subscribe({ filter: owner.topic("#"), qos: 1 });
  for (const version of [4, arena.broker.version] as const) {
    const will = { topic, payload: "a will of nobody" };
    const { client, connack } = await arena.attempt(nobody, { version, will }, door);
    if (arena.isMess) hold(connack?.code === (version === 5 ? 0x87 : 5), `CONNACK says ${connack?.code}`);
    if (connack?.code === 0) await client.publish({ topic, payload: "of nobody", qos: 1 }).catch(() => undefined);
    client.stream.destroy();
  }
  await nothingComes(watcher, "somebody without a credential publishes");
  if (!arena.isMess) return;
  const { status } = await arena.ask(undefined, `/v1/messages?topic=${encodeURIComponent(topic)}`, { method: "POST" });
  hold(status === 401, `a publish over HTTP without a key is answered ${status}`);
}

async function beyondGrants(arena: Arena, door: Door): Promise<void> {
  const owner = await arena.principal();
  const watcher = await arena.connect(owner, {}, door);
  await watcher.subscribe({ filter: owner.topic("#"), qos: 1 });
  const thief = await arena.principal();
  for (const qos of arena.broker.name === "nats" ? [0, 1] : [0, 1, 2]) {
    const client = await arena.connect(thief, {}, door);
    const answer = await client.publish({ topic: owner.topic("x"), payload: "forged", qos }).catch(() => undefined);
    if (arena.isMess && qos > 0) hold(answer?.code === 0x87, `QoS ${qos} is answered ${answer?.code}`);
    if (arena.isMess && qos === 0) await cutOff(arena, client, { codes: [0x87] });
  }
  await nothingComes(watcher, "a stranger publishes into the tree of another");
  if (!arena.isMess) return;
  const old = await arena.connect(thief, { version: 4 }, door);
  old.publish({ topic: owner.topic("x"), payload: "forged", qos: 1 }).catch(() => undefined);
  await cutOff(arena, old, { otherwise: "3.1.1 hears an acknowledgement of what was refused" });
  const path = `/v1/messages?topic=${encodeURIComponent(owner.topic("x"))}`;
  const { status } = await arena.ask(thief, path, { method: "POST", body: "forged" });
  hold(status === 403, `a publish over HTTP beyond the grants is answered ${status}`);
}

async function deniedWill(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const thief = await arena.principal();
  for (const door of arena.doors) {
    const will = { topic: owner.topic("x"), payload: "forged" };
    const { connack } = await arena.attempt(thief, { will }, door);
    hold(connack?.code === 0x87, `a will beyond the grants is answered ${connack?.code}`);
  }
}

async function willAfterRevocation(arena: Arena): Promise<void> {
  const name = unique("p");
  const topic = `${name}/will`;
  const before = await arena.principalWith({ allow: [{ publish: `${name}/#`, will: `${name}/#` }] }, name);
  const watcher = await arena.connect(await arena.principal("everything"));
  await watcher.subscribe({ filter: topic, qos: 1 });
  const seen = await arena.observe();
  const author = await arena.connect(before, { will: { topic, payload: "too late", qos: 1 } });
  await arena.setRights(name, { allow: [{ publish: `${name}/#` }] });
  author.stream.destroy();
  await nothingComes(watcher, "a will is sent whose author may not any more", 500);
  for (let waited = 0; waited < 40 && seen.events("acl.deny").length === 0; waited += 1) await sleep(50);
  const denied = seen.events("acl.deny").map((event) => JSON.stringify(event));
  hold(
    denied.some((text) => text.includes('"will"') && text.includes(name)),
    "the denied will is in no audit record",
  );
}
