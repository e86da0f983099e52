import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { browse } from "./support/browse.ts";

export const a16 = attack({
  id: "A16",
  title: "Producer: message spoofing",
  threat: "A message says to be of somebody else, and consumers cannot tell.",
  mitigation:
    "The broker writes the authenticated principal into the record and tells it to consumers; no publisher can set it.",
  ways: ["tcp-tls", "https"],
  steps: [
    {
      name: "a publisher that names another as the author",
      run: namesAnother,
      elsewhere: lacks("does not tell a consumer who published"),
    },
  ],
});

async function namesAnother(arena: Arena): Promise<void> {
  const owner = await arena.principal("everything");
  const forger = await arena.principal("everything");
  const topic = owner.topic("order");
  // so that the page below has something to show
  const kept = await arena.ask(owner, `/v1/topics/${encodeURIComponent(topic)}`, {
    method: "PUT",
    body: { retention: "1h" },
  });
  if (kept.status !== 201) throw new Error(`not declared: ${kept.status} ${kept.text}`);
  const client = await arena.connect(forger, { clientId: owner.name });
  const userProperty: [string, string][] = [
    ["publisher", owner.name],
    ["principal", owner.name],
  ];
  await client.publish({ topic, payload: "1", qos: 1, properties: { userProperty } });
  for (const headers of [
    { "Mess-Header-Publisher": owner.name },
    { From: owner.name, "X-Forwarded-User": owner.name },
  ]) {
    const path = `/v1/messages?topic=${encodeURIComponent(topic)}`;
    await arena.ask(forger, path, { method: "POST", body: "2", headers: headers as Record<string, string> });
  }
  const messages = await browse(arena, owner, topic);
  if (messages.length < 2) throw new Error(`only ${messages.length} messages are shown`);
  for (const { publisher } of messages) hold(publisher === forger.name, `the author is told to be ${publisher}`);
}
