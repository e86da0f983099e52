import { unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { atEachDoor, nothingComes } from "./support/moves.ts";

export const c04 = attack({
  id: "C4",
  title: "Exploitation of metadata",
  threat:
    "Who talks when about what is learnt without reading a message: from trees of the broker, metrics, answers, the disk.",
  mitigation:
    "Topics, ids and times are encrypted on disk; `$SYS`, `/metrics` and `$mess` need a right; no topic is a label; what one may not see is answered like what is not there.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("trees of the broker, read by somebody who administers nothing", async (arena, door) => {
      const stranger = await arena.connect(await arena.principal("everything"), {}, door);
      const trees = ["$SYS/#", "$mess/#", "$MQTT/#", "$JS/#", "$CONTROL/#"];
      const { codes } = await stranger.subscribe(trees, { refusable: true });
      if (arena.isMess)
        hold(!codes.some((code) => code < 0x80), `a tree of the broker is granted: ${codes.join(", ")}`);
      await arena.connect(await arena.principal(), { ...arena.lasting(), clientId: unique("watched") }, door);
      await nothingComes(stranger, "a stranger reads what the broker knows of others", 1_500);
    }),
    {
      name: "numbers without the right, and names in the numbers",
      run: numbers,
      elsewhere: hasNone("has no metrics by default"),
    },
    {
      name: "what is there, learnt from the way it is refused",
      run: oracles,
      elsewhere: hasNone("has no HTTP API by default"),
    },
  ],
});

async function numbers(arena: Arena): Promise<void> {
  for (const role of ["tenant", "everything", "masked", "publisher-admin", "security-admin"] as const) {
    const { status } = await arena.ask(await arena.principal(role), "/metrics");
    hold(status === 403, `/metrics is answered ${status} to ${role}`);
  }
  const word = unique("MARKER");
  const owner = await arena.principal("everything", `${word}-principal`);
  const client = await arena.connect(owner, { ...arena.lasting(), clientId: `${word}-id` });
  await client.subscribe(`${word}/topic/#`);
  await client.publish({ topic: `${word}/topic/x`, payload: word, qos: 1, retain: true });
  const { text } = await arena.admin("/metrics");
  hold(!text.includes(word), "a name of a client stands in the metrics");
}

async function oracles(arena: Arena): Promise<void> {
  const owner = await arena.principal("tenant");
  const name = `/v1/subscriptions/${owner.name}`;
  const body = { filters: [owner.topic("#")] };
  const declared = await arena.ask(owner, name, { method: "PUT", body });
  if (declared.status !== 201) throw new Error(`not declared: ${declared.status} ${declared.text}`);
  const tree = `/v1/topics/${encodeURIComponent(owner.topic("#"))}`;
  await arena.ask(owner, tree, { method: "PUT", body: { retention: "1h" } });
  const missing = unique("p");
  const stranger = await arena.principal("tenant");
  const pairs: readonly (readonly [string, string, string])[] = [
    ["GET", name, `/v1/subscriptions/${missing}`],
    ["DELETE", name, `/v1/subscriptions/${missing}`],
    ["GET", `${name}/dead`, `/v1/subscriptions/${missing}/dead`],
    ["GET", tree, `/v1/topics/${encodeURIComponent(`${missing}/#`)}`],
    ["DELETE", tree, `/v1/topics/${encodeURIComponent(`${missing}/#`)}`],
    ["DELETE", `/v1/keys/${owner.id}`, "/v1/keys/k_nothing"],
  ];
  for (const [method, there, nowhere] of pairs) {
    const one = await arena.ask(stranger, there, { method });
    const other = await arena.ask(stranger, nowhere, { method });
    const plain = (text: string): string => text.replaceAll(owner.name, "NAME").replaceAll(missing, "NAME");
    const isSame = one.status === other.status && plain(one.text) === plain(other.text);
    hold(isSame, `${method} ${there}: ${one.status} ${one.text}, but of nothing: ${other.status} ${other.text}`);
  }
}
