import { unique } from "../test/support/names.ts";
import type { Arena, Principal } from "./support/arena.ts";
import { attack, hasNone, hold, holds } from "./support/attack.ts";
import { nothingComes } from "./support/moves.ts";

export const a08 = attack({
  id: "A8",
  title: "Subscription manager: changing another's subscriptions",
  threat: "Somebody ends or changes the session of another: by its client id, by topics of control, by the API.",
  mitigation:
    "A client reaches its own session only; ending others is an administrative act with a right and an audit record.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    { name: "by client id, UNSUBSCRIBE and topics of control", run: overMqtt },
    {
      name: "by the API, with every role that administers something else",
      run: overHttp,
      elsewhere: hasNone("has no HTTP API that changes sessions"),
    },
  ],
});

interface Absent {
  readonly owner: Principal;
  readonly session: { readonly clientId: string };
  readonly filter: string;
}

/** Somebody who subscribed and is away. */
async function absent(arena: Arena): Promise<Absent> {
  const owner = await arena.principal();
  const session = { ...arena.lasting(), clientId: unique("away") };
  const client = await arena.connect(owner, session);
  const filter = owner.topic("inbox");
  await client.subscribe({ filter, qos: 1 });
  await client.drop();
  return { owner, session, filter };
}

/** The session is there with what it subscribed to, and nothing else came. */
async function asBefore(arena: Arena, { owner, session, filter }: Absent): Promise<void> {
  const sender = await arena.connect(owner);
  await sender.publish({ topic: filter, payload: "still", qos: 1 });
  const back = await arena.connect(owner, session);
  hold(back.connack?.sessionPresent === true, "the session of the owner is gone");
  await holds("the owner's subscription is gone", async () => {
    const { payload } = await back.message();
    if (payload.toString() !== "still") throw new Error(`got ${payload.toString()}`);
  });
  await nothingComes(back, "the owner's subscriptions are others", 100);
}

async function overMqtt(arena: Arena): Promise<void> {
  const victim = await absent(arena);
  const { clientId } = victim.session;
  for (const door of arena.doors) {
    const thief = await arena.principal();
    for (const fields of [{ cleanStart: true }, { ...arena.lasting(0) }]) {
      const { client, connack } = await arena.attempt(thief, { ...fields, clientId }, door);
      if (connack?.code === 0) await client.unsubscribe(victim.filter).catch(() => undefined);
      client.stream.destroy();
    }
    for (const topic of [`$SYS/disconnect/${clientId}`, `$CONTROL/kick/${clientId}`, `$mess/sessions/${clientId}`]) {
      const { client } = await arena.attempt(thief, {}, door);
      await client.publish({ topic, payload: clientId, qos: 1 }).catch(() => undefined);
      client.stream.destroy();
    }
  }
  await asBefore(arena, victim);
}

async function overHttp(arena: Arena): Promise<void> {
  const victim = await absent(arena);
  const { clientId } = victim.session;
  for (const role of ["tenant", "masked", "viewer", "auditor", "publisher-admin"] as const) {
    const other = await arena.principal(role);
    for (const path of [`/v1/sessions/${clientId}`, `/v1/sessions/${victim.owner.name}/${clientId}`]) {
      const { status } = await arena.ask(other, path, { method: "DELETE" });
      hold(status === 403 || status === 404, `${role}: DELETE ${path} is answered ${status}`);
    }
    const { status } = await arena.ask(other, `/v1/keys/${victim.owner.id}`, { method: "DELETE" });
    hold(status === 403, `${role} revokes another's key: ${status}`);
  }
  await asBefore(arena, victim);
}
