import { sleep, unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { cutOff, nothingComes } from "./support/moves.ts";

const nothingToRevoke = lacks("there are no credentials or rights by default: nothing can be taken away");

export const b06 = attack({
  id: "B6",
  title: "Subscriptions: authentication and authorization",
  threat:
    "Somebody whose key or right was taken away goes on reading: what is live, what waited for them, what is retained.",
  mitigation:
    "Revocation ends connections by key id within a second; rights are asked for at the moment of each delivery.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    { name: "a revoked key", run: revokedKey, elsewhere: nothingToRevoke },
    { name: "a right that was taken away", run: revokedRight, elsewhere: nothingToRevoke },
  ],
});

async function revokedKey(arena: Arena): Promise<void> {
  const owner = await arena.principal();
  const links = [];
  for (const door of arena.doors) {
    const client = await arena.connect(owner, {}, door);
    await client.subscribe({ filter: owner.topic("#"), qos: 1 });
    links.push(client);
  }
  const { status } = await arena.admin(`/v1/keys/${owner.id}`, { method: "DELETE" });
  if (status !== 204) throw new Error(`the key is not revoked: ${status}`);
  for (const client of links) {
    await cutOff(arena, client, { within: 2_000, codes: [0x87, 0x98], otherwise: "a revoked key goes on reading" });
    hold(client.waiting("PUBLISH").length === 0, "something came after the revocation");
  }
  for (const door of arena.doors) {
    const { connack } = await arena.attempt(owner, {}, door);
    hold(connack?.code !== 0, "a revoked key is let in");
  }
  hold((await arena.ask(owner, "/v1/whoami")).status === 401, "a revoked key is taken over HTTP");
}

async function revokedRight(arena: Arena): Promise<void> {
  const name = unique("p");
  const topic = `shared-${name}/x`;
  const reader = await arena.principalWith({ allow: [{ subscribe: topic }] }, name);
  const sender = await arena.connect(await arena.principal("everything"));
  const session = { ...arena.lasting(), clientId: unique("reader") };
  const live = await arena.connect(reader);
  await live.subscribe({ filter: topic, qos: 1 });
  const away = await arena.connect(reader, session);
  await away.subscribe({ filter: topic, qos: 1 });
  await away.drop();
  for (const retain of [true, false]) await sender.publish({ topic, payload: "before", qos: 1, retain });
  live.autoAck = true;
  await live.messages(2);
  await arena.setRights(name, { allow: [] });
  await sender.publish({ topic, payload: "after", qos: 1 });
  if (!live.isClosed) await nothingComes(live, "a live subscription goes on without the right");
  await sleep(100);
  const back = await arena.attempt(reader, session);
  if (back.connack?.code === 0) {
    await nothingComes(back.client, "what waited is delivered without the right");
    await back.client.subscribe({ filter: topic, qos: 1 }, { refusable: true });
    await nothingComes(back.client, "what is retained is delivered without the right");
  }
  const { status } = await arena.ask(reader, `/v1/events?filter=${encodeURIComponent(topic)}`);
  hold(status === 403, `a stream without the right is answered ${status}`);
}
