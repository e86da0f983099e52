import type { Signer, SignFields } from "../test/support/signer.ts";
import type { Arena, Principal } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { browse } from "./support/browse.ts";
import { refusedEverywhere, signingTopic, taken } from "./support/signing.ts";

export const a16 = attack({
  id: "A16",
  title: "Producer: message spoofing",
  threat: "A message says to be of somebody else, and consumers cannot tell.",
  mitigation:
    "The broker writes the authenticated principal into the record and tells it to consumers; no publisher can set it. Messages may be signed, and a key counts for its principal alone.",
  ways: ["tcp-tls", "https"],
  steps: [
    {
      name: "a publisher that names another as the author",
      run: namesAnother,
      elsewhere: lacks("does not tell a consumer who published"),
    },
    {
      name: "a signed message with the key of another, or one that was removed",
      run: keyOfAnother,
      elsewhere: lacks("verifies no signatures of messages"),
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

async function keyOfAnother(arena: Arena): Promise<void> {
  const { owner, signer, forger, forgerSigner, topic } = await signingTopic(arena);
  const payload = "pay 100";
  const sign = (by: Signer, fields: SignFields = {}): Promise<string> => by.sign(topic, payload, fields);
  await taken(arena, owner, { topic, payload, signature: await sign(signer) });
  const refused: readonly (readonly [Principal, string])[] = [
    [forger, await sign(signer)],
    [forger, await sign(forgerSigner, { kid: signer.kid })],
    [owner, await sign(forgerSigner)],
    [owner, await sign(forgerSigner, { kid: signer.kid })],
    [owner, await sign(signer, { kid: "sk_unknown" })],
    [owner, await sign(signer, { kid: "../../dev/null" })],
  ];
  for (const [who, signature] of refused) await refusedEverywhere(arena, who, { topic, payload, signature }, "sig.bad");
  const removed = await arena.admin(`/v1/signing-keys/${signer.kid}`, { method: "DELETE" });
  if (removed.status !== 204) throw new Error(`the key is not removed: ${removed.status}`);
  await refusedEverywhere(arena, owner, { topic, payload, signature: await sign(signer) }, "sig.bad");
}
