import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { sameVerdicts } from "./support/verdicts.ts";

const noRights = lacks("there are no rights by default: every door gives everything");

export const b16 = attack({
  id: "B16",
  title: "Consumer: authorization per topic",
  threat: "A consumer takes from a group or a queue what it could not subscribe to.",
  mitigation: "`share` and `consume` are rights beside `subscribe`, asked by the one `authorize()` for every door.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    {
      name: "shared subscriptions asked for through every door",
      run: (arena) => sameVerdicts(arena, { actions: ["share"], seed: 16 }),
      elsewhere: noRights,
    },
    { name: "a queue over topics that the consumer may not read", run: queueOverForeign, elsewhere: noRights },
  ],
});

/** `consume` on the name alone is no right to read what the subscription gathers. */
async function queueOverForeign(arena: Arena): Promise<void> {
  const owner = await arena.principal("tenant");
  const base = `/v1/subscriptions/${owner.name}`;
  const declared = await arena.ask(owner, base, { method: "PUT", body: { filters: [owner.topic("#")] } });
  if (declared.status !== 201) throw new Error(`not declared: ${declared.status} ${declared.text}`);
  const client = await arena.connect(owner);
  await client.publish({ topic: owner.topic("x"), payload: "secret", qos: 1 });
  const stranger = await arena.principalWith({ allow: [{ consume: owner.name }] });
  const pulled = await arena.ask(stranger, `${base}/pull`, { method: "POST", body: { max: 1 } });
  hold(pulled.status === 403, `a pull without \`subscribe\` is answered ${pulled.status} ${pulled.text}`);
  hold((await arena.statusOf(stranger, `${base}/events`)) === 403, "a stream without `subscribe` is opened");
  const dead = await arena.ask(stranger, `${base}/dead`);
  hold(!dead.text.includes("secret"), "dead letters show what may not be read");
  for (const door of arena.doors) {
    const reader = await arena.connect(stranger, {}, door);
    const { codes } = await reader.subscribe({ filter: `$mess/queue/${owner.name}/#`, qos: 1 }, { refusable: true });
    hold((codes[0] ?? 0) >= 0x80, `${door.name}: the queue is granted`);
  }
}
