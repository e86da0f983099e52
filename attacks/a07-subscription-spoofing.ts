import { unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold } from "./support/attack.ts";
import { atEachDoor } from "./support/moves.ts";

export const a07 = attack({
  id: "A7",
  title: "Subscription manager: subscribing as somebody else",
  threat: "Somebody says to be another when they subscribe: by a user name, a header, a property, a path.",
  mitigation:
    "Identity comes from the credential alone; sessions and leases carry it, and every act asks for it again.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    atEachDoor("the name of another with a credential that is not theirs", async (arena, door) => {
      const owner = await arena.principal();
      const thief = await arena.principal();
      const claims = [
        { username: owner.id || owner.name, password: thief.secret || "guess" },
        { username: owner.name, password: thief.secret || "guess" },
        { username: owner.id || owner.name, password: "" },
        { username: owner.id || owner.name },
      ];
      for (const credentials of claims) {
        const { connack, client } = await arena.attempt({ credentials }, {}, door);
        hold(connack?.code !== 0, `let in as ${credentials.username} with ${credentials.password ?? "no password"}`);
        client.stream.destroy();
      }
    }),
    {
      name: "the subscription of another over HTTP, by path, header and token",
      run: overHttp,
      elsewhere: hasNone("has no HTTP API for subscriptions"),
    },
  ],
});

async function overHttp(arena: Arena): Promise<void> {
  const owner = await arena.principal("tenant");
  const thief = await arena.principal("tenant");
  const base = `/v1/subscriptions/${owner.name}`;
  const declared = await arena.ask(owner, base, { method: "PUT", body: { filters: [owner.topic("#")] } });
  if (declared.status !== 201) throw new Error(`not declared: ${declared.status} ${declared.text}`);
  const client = await arena.connect(owner);
  await client.publish({ topic: owner.topic("job"), payload: "for the owner", qos: 1 });
  const pulled = await arena.ask(owner, `${base}/pull`, { method: "POST", body: { max: 1 } });
  const { messages } = JSON.parse(pulled.text) as { messages: { token: string }[] };
  const token = messages[0]?.token ?? "";
  if (token === "") throw new Error(`the owner got nothing: ${pulled.text}`);
  const tries: readonly (readonly [string, string, object?])[] = [
    ["POST", `${base}/pull`, { max: 1 }],
    ["GET", `${base}/events`],
    ["GET", base],
    ["GET", `${base}/dead`],
    ["POST", `${base}/reset`, { to: "earliest" }],
    ["DELETE", `${base}?force=true`],
    ["POST", `/v1/sessions/${owner.name}/subscriptions`, { filters: ["#"] }],
    ...["ack", "nack", "reject", "release", "extend"].map((verb): readonly [string, string, object] => [
      "POST",
      `${base}/${verb}`,
      { tokens: [token] },
    ]),
  ];
  for (const [method, path, body] of tries) {
    const { status, text } = await arena.ask(thief, path, { method, ...(body !== undefined && { body }) });
    hold(status === 403 || status === 404, `a stranger: ${method} ${path} is answered ${status} ${text}`);
  }
  const settled = await arena.ask(owner, `${base}/ack`, { method: "POST", body: { tokens: [token] } });
  hold(settled.text.includes('"done"'), `the owner's lease is gone: ${settled.text} ${unique("")}`);
}
