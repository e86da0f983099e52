import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import type { TargetName } from "./support/broker.ts";
import { atEachDoor, nothingComes } from "./support/moves.ts";

/** Trees that each broker keeps for itself. */
const reserved: Readonly<Record<TargetName, readonly string[]>> = {
  mess: ["$SYS/broker/version", "$mess/queue/x", "$mess/dead/x", "$share/g/t", "$CONTROL/x", "$MQTT/sess/x"],
  mosquitto: ["$SYS/broker/version", "$SYS/broker/clients/total", "$CONTROL/dynamic-security/v1"],
  nats: ["$SYS/ACCOUNT/x/CONNECT", "$MQTT/sess/x", "$JS/EVENT/x"],
};

export const a05 = attack({
  id: "A5",
  title: "Topic manager: squatting on topic names",
  threat:
    "Somebody publishes under names that are the broker's own or another's, or under a name that only looks the same, and is taken for them.",
  mitigation:
    "Grants with `{principal}` as one literal level; the `$` trees are reserved; names are compared by their bytes; what is declared belongs to an owner.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("messages in trees of the broker itself", async (arena, door) => {
      const watcher = await arena.connect(await arena.principal("admin"), {}, door);
      const trees = ["$SYS/#", "$mess/#", "$CONTROL/#", "$MQTT/#", "$JS/#"];
      await watcher.subscribe(trees, { refusable: true });
      for (const topic of reserved[arena.broker.name]) {
        const client = await arena.connect(await arena.principal("everything"), {}, door);
        const answer = await client.publish({ topic, payload: "forged", qos: 1 }).catch(() => undefined);
        if (arena.isMess) hold((answer?.code ?? 0x87) >= 0x80, `a publish to ${topic} is acknowledged`);
        const got = await watcher
          .take(({ name, payload }) => name === "PUBLISH" && payload.toString() === "forged", 200)
          .catch(() => undefined);
        hold(got === undefined, `a message on ${topic} is delivered`);
      }
    }),
    atEachDoor("a name that looks the same in another normal form", async (arena, door) => {
      const owner = await arena.principal();
      const composed = owner.topic("caf\u00e9");
      const decomposed = owner.topic("cafe\u0301");
      const sender = await arena.connect(owner, {}, door);
      await sender.publish({ topic: composed, payload: "kept", qos: 1, retain: true });
      const reader = await arena.connect(owner, {}, door);
      await reader.subscribe(decomposed);
      await sender.publish({ topic: composed, payload: "live", qos: 1 });
      await nothingComes(reader, "two names of different bytes are one topic");
    }),
    {
      name: "names of others: their subscriptions, their trees, principals that are patterns",
      run: namesOfOthers,
      elsewhere: hasNone("names belong to nobody by default: A15"),
    },
  ],
});

async function namesOfOthers(arena: Arena): Promise<void> {
  const owner = await arena.principal("tenant");
  const squatter = await arena.principal("tenant");
  const settings = { filters: [squatter.topic("#")] };
  const name = `/v1/subscriptions/${owner.name}`;
  const taken = await arena.ask(squatter, name, { method: "PUT", body: settings });
  hold(taken.status === 403 || taken.status === 404, `a stranger declares ${name}: ${taken.status}`);
  const tree = `/v1/topics/${encodeURIComponent(owner.topic("#"))}`;
  for (const filter of [tree, "/v1/topics/%23", `/v1/topics/${encodeURIComponent("+/#")}`]) {
    const { status } = await arena.ask(squatter, filter, { method: "PUT", body: { retention: "1h" } });
    hold(status === 403, `a stranger declares ${filter}: ${status}`);
  }
  for (const wild of ["+", "#", "a/b", `${owner.name}/x`, "{principal}", "$SYS"]) {
    const { status } = await arena.admin("/v1/keys", { method: "POST", body: { name: wild, roles: ["tenant"] } });
    hold(status >= 400, `a principal is called ${wild}`);
  }
}
