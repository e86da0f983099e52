import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold, lacks } from "./support/attack.ts";
import { atEachDoor, cutOff, nothingComes } from "./support/moves.ts";

export const a04 = attack({
  id: "A4",
  title: "Topic manager: topics created or deleted without a right",
  threat:
    "Somebody who may publish also makes, changes or deletes what is kept of a topic: its settings, its last value, its queue.",
  mitigation:
    "What has state needs a right of its own: `retain` for the last value, `manage` or `create` for declarations; all of it default deny and in the audit trail.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("a last value set and cleared by somebody who may only publish", async (arena, door) => {
      const owner = await arena.principal("everything");
      const topic = owner.topic("state");
      const sender = await arena.connect(owner, {}, door);
      await sender.publish({ topic, payload: "kept", qos: 1, retain: true });
      const weak = await arena.principalWith({ allow: [{ publish: owner.topic("#") }] });
      for (const payload of ["replaced", ""]) {
        const client = await arena.connect(weak, {}, door);
        const answer = await client.publish({ topic, payload, qos: 1, retain: true }).catch(() => undefined);
        if (arena.isMess) hold(answer?.code === 0x87, `retain without the right is answered ${answer?.code}`);
        const reader = await arena.connect(owner, {}, door);
        await reader.subscribe(topic);
        const message = await reader.message(1_000).catch(() => undefined);
        hold(message?.payload.toString() === "kept", `the last value is ${message?.payload.toString() ?? "gone"}`);
      }
      const old = await arena.connect(weak, { version: 4 }, door);
      old.publish({ topic, payload: "replaced", qos: 1, retain: true }).catch(() => undefined);
      if (arena.isMess) await cutOff(arena, old, { otherwise: "a refused publish is acknowledged to 3.1.1" });
    }),
    {
      name: "declarations over HTTP without `manage`",
      run: declarations,
      elsewhere: hasNone("has no topics with settings that clients could change"),
    },
    {
      name: "the whole store replaced or thrown away by a client",
      run: wholesale,
      elsewhere: {
        mosquitto: hasNone("has no such request"),
        nats: lacks("streams are purged and deleted by any client through $JS.API (JetStream is on, accounts are not)"),
      },
    },
  ],
});

async function declarations(arena: Arena): Promise<void> {
  const owner = await arena.principal("tenant");
  const filter = `/v1/topics/${encodeURIComponent(owner.topic("#"))}`;
  const declared = await arena.ask(owner, filter, { method: "PUT", body: { retention: "1h" } });
  if (declared.status !== 201) throw new Error(`the owner may not declare: ${declared.status} ${declared.text}`);
  const before = (await arena.admin("/v1/topics")).text;
  for (const role of ["publisher", "masked", "viewer", "operator", "auditor"] as const) {
    const weak = await arena.principal(role);
    for (const [method, path, body] of [
      ["DELETE", filter, undefined],
      ["PUT", filter, { retention: "1s" }],
      ["PUT", `/v1/topics/${encodeURIComponent(weak.topic("new"))}`, { retention: "1s" }],
      ["DELETE", `/v1/subscriptions/${owner.name}?force=true`, undefined],
    ] as const) {
      const { status } = await arena.ask(weak, path, { method, ...(body !== undefined && { body }) });
      hold(status === 403 || status === 404 || status === 401, `${role}: ${method} ${path} is answered ${status}`);
    }
  }
  hold((await arena.admin("/v1/topics")).text === before, "the declarations are others than before");
}

async function wholesale(arena: Arena): Promise<void> {
  const owner = await arena.principal("tenant");
  const client = await arena.connect(owner);
  await client.publish({ topic: owner.topic("state"), payload: "kept", qos: 1, retain: true });
  for (const role of ["tenant", "everything", "publisher-admin", "auditor"] as const) {
    const other = await arena.principal(role);
    const backup = await arena.ask(other, "/v1/backup");
    hold(backup.status === 403, `${role} takes a backup: ${backup.status}`);
    for (const path of ["/v1/restore", "/v1/messages", "/v1/topics", "/v1/subscriptions"]) {
      const { status } = await arena.ask(other, path, { method: "DELETE" });
      hold(status === 404 || status === 405, `DELETE ${path} is answered ${status}`);
    }
  }
  const reader = await arena.connect(owner);
  await reader.subscribe(owner.topic("state"));
  hold((await reader.message()).payload.toString() === "kept", "the last value is gone");
  await nothingComes(reader, "more than the last value came");
}
