import { unique } from "../test/support/names.ts";
import type { RawClient } from "../test/support/raw-client.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import type { Door } from "./support/broker.ts";
import { browse } from "./support/browse.ts";
import { atEachDoor, nothingComes } from "./support/moves.ts";

const noRights = lacks("there are no rights by default: whoever connects reads everything");

export const a06 = attack({
  id: "A6",
  title: "Subscription manager: subscriptions without a right",
  threat:
    "Somebody subscribes to what they may not read, or to so much that it is among it: live, retained, from their queue, or shared.",
  mitigation:
    "A filter must be covered by one allow and by no deny; the concrete topic is asked again at every delivery; a deny beats every allow.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("a stranger subscribes to everything", async (arena, door) => {
      const owner = await arena.principal();
      const stranger = await arena.connect(await arena.principal(), {}, door);
      await stranger.subscribe(["#", "+/#", owner.topic("#"), `$share/g/${owner.topic("#")}`], { refusable: true });
      const sender = await arena.connect(owner, {}, door);
      await sender.publish({ topic: owner.topic("private"), payload: "secret", qos: 1 });
      await nothingComes(stranger, "a stranger reads what is not for them");
    }),
    atEachDoor("a wildcard that is allowed reaches what is denied", masked, { elsewhere: noRights }),
    { name: "the same over HTTP: pages, streams, pulls", run: overHttp, elsewhere: noRights },
  ],
});

/** Whatever comes must not be from below `secret`; the end mark shows that what came before has come. */
async function onlyOpen(client: RawClient, end: string): Promise<void> {
  for (;;) {
    const { topic, payload } = await client.message();
    hold(!topic.startsWith("secret/"), `${topic} is delivered to somebody who must not read it`);
    if (payload.toString() === end) return;
  }
}

async function masked(arena: Arena, door: Door): Promise<void> {
  const admin = await arena.connect(await arena.principal("everything"), {}, door);
  const level = unique("x");
  const publish = async (payload: string, retain = false): Promise<void> => {
    await admin.publish({ topic: `secret/${level}`, payload: "secret", qos: 1, retain });
    await admin.publish({ topic: `open/${level}`, payload, qos: 1, retain });
  };
  await publish("kept", true);
  const reader = await arena.principal("masked");
  const session = { ...arena.lasting(), clientId: unique("reader") };
  const client = await arena.connect(reader, session, door);
  client.autoAck = true;
  const filters = ["#", `+/${level}`, "secret/#", "secret/+", `$share/g/secret/#`, `$share/h/+/${level}`];
  const { codes } = await client.subscribe(
    filters.map((filter) => ({ filter, qos: 1 })),
    { refusable: true },
  );
  const granted = filters.filter((_, index) => (codes[index] ?? 0x80) < 0x80);
  hold(!granted.some((filter) => filter.includes("secret")), `granted: ${granted.join(", ")}`);
  if (!granted.includes("#")) throw new Error("the allowed # is refused");
  await publish("live");
  await onlyOpen(client, "live");
  await client.drop();
  await publish("queued");
  const back = await arena.connect(reader, session, door);
  back.autoAck = true;
  await onlyOpen(back, "queued");
  await back.ping();
  const more = back.waiting("PUBLISH").map(({ topic }) => topic);
  hold(!more.some((topic) => topic.startsWith("secret/")), `what is denied waited in the queue: ${more.join(", ")}`);
}

async function overHttp(arena: Arena): Promise<void> {
  const admin = await arena.connect(await arena.principal("everything"));
  const level = unique("x");
  for (const tree of ["secret", "open"]) {
    await admin.publish({ topic: `${tree}/${level}`, payload: `from ${tree}`, qos: 1, retain: true });
  }
  const reader = await arena.principal("masked");
  for (const filter of [`+/${level}`, `secret/${level}`, "secret/#", "#"]) {
    const shown = await browse(arena, reader, filter);
    hold(!shown.some(({ payload }) => payload === "from secret"), `pages of ${filter} show what is denied`);
  }
  const allowed = await browse(arena, reader, `open/${level}`);
  if (allowed.length === 0) throw new Error("the page of what is allowed is empty");
  const { status } = await arena.ask(reader, "/v1/events?filter=secret%2F%23");
  hold(status === 403, `a stream of what is denied is answered ${status}`);
}
