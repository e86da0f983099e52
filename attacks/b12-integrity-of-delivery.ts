import { createPublicKey } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { messageVerifier } from "../packages/client/src/signing/index.ts";
import { mess, messAt } from "../test/support/cli.ts";
import { unique } from "../test/support/names.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import type { Door } from "./support/broker.ts";
import { scratch } from "./support/files.ts";
import { atEachDoor } from "./support/moves.ts";
import { signingTopic, taken } from "./support/signing.ts";
import { Tap } from "./support/tap.ts";

export const b12 = attack({
  id: "B12",
  title: "Delivery: integrity of what is delivered",
  threat: "Somebody on the way, or the broker's own disk, changes a message, and the consumer takes it.",
  mitigation:
    "TLS on every connection; signed checkpoints, and proofs against them that anybody verifies without the broker.",
  ways: ["tcp-tls", "websocket-tls"],
  steps: [
    atEachDoor("an amount changed on the way to the broker", (arena, door) => changedOnTheWay(arena, door, true)),
    atEachDoor("an amount changed on the way to the consumer", (arena, door) => changedOnTheWay(arena, door, false)),
    {
      name: "a proof that a message is in the journal, changed",
      run: changedProof,
      elsewhere: lacks("proves nothing of what it stored"),
    },
    {
      name: "a signed message that the broker itself changed, to a consumer that verifies",
      run: changedByBroker,
      elsewhere: lacks("has no form for signed messages"),
    },
  ],
});

/** Changes `100` to `999` where it sees it, and a byte of anything large where it sees nothing. */
async function changedOnTheWay(arena: Arena, door: Door, inbound: boolean): Promise<void> {
  let isOn = false;
  const change = (bytes: Buffer, fromClient: boolean): Buffer => {
    if (!isOn || fromClient !== inbound) return bytes;
    const changed = Buffer.from(bytes);
    const at = changed.indexOf("pay 100");
    if (at >= 0) changed.write("pay 999", at);
    else if (bytes.length > 60) changed[bytes.length - 20] = (bytes[bytes.length - 20] ?? 0) ^ 1;
    return changed;
  };
  const tap = await Tap.on(door.endpoint, change);
  try {
    const tapped = { ...door, endpoint: tap.endpoint };
    const owner = await arena.principal();
    const topic = owner.topic(unique("x"));
    const reader = await arena.connect(owner, {}, inbound ? door : tapped);
    reader.autoAck = true;
    await reader.subscribe({ filter: topic, qos: 1 });
    const sender = await arena.connect(owner, {}, inbound ? tapped : door);
    isOn = true;
    sender.publish({ topic, payload: `pay 100 ${"x".repeat(200)}`, qos: 1 }).catch(() => undefined);
    const got = await reader.message(1_500).catch(() => undefined);
    hold(
      got === undefined || got.payload.toString().startsWith("pay 100"),
      `the consumer reads ${got?.payload.toString().slice(0, 7)}`,
    );
  } finally {
    tap.close();
  }
}

async function changedProof(arena: Arena): Promise<void> {
  const directory = scratch();
  const at = (name: string): string => join(directory, name);
  const owner = await arena.principal();
  const client = await arena.connect(owner);
  await client.publish({ topic: owner.topic("x"), payload: "x", qos: 1 });
  const key = await messAt(arena.server, ["proof", "key"]);
  writeFileSync(at("log.key"), key.stdout);
  const made = await messAt(arena.server, ["proof", "5", "--out", at("proof")]);
  if (key.code !== 0 || made.code !== 0) throw new Error(`no proof: ${key.stderr}${made.stderr}`);
  const verify = async (path: string): Promise<number | null> =>
    (await mess(["proof", "verify", path, "--log-key", at("log.key")])).code;
  if ((await verify(at("proof"))) !== 0) throw new Error("the proof itself does not verify");
  const text = readFileSync(at("proof"), "utf8");
  const lines = text.split("\n");
  // every third line, so that each part has its turn: what is proved, the path, the checkpoint, its signature
  for (let index = 0; index < lines.length; index += 3) {
    const line = lines[index] ?? "";
    if (line === "") continue;
    const middle = Math.floor(line.length / 2);
    const other = line[middle] === "A" ? "B" : "A";
    const changed = line.slice(0, middle) + other + line.slice(middle + 1);
    writeFileSync(at("changed"), lines.with(index, changed).join("\n"));
    const code = await verify(at("changed"));
    hold(code === 65, `a proof with another line ${index + 1} verifies (${code}): ${changed}`);
  }
}

/** The consumer trusts the publisher's key and not the broker: whatever is changed, it must see it. */
async function changedByBroker(arena: Arena): Promise<void> {
  const { owner, signer, topic } = await signingTopic(arena);
  const listed = await arena.admin("/v1/signing-keys");
  const { signingKeys } = JSON.parse(listed.text) as { signingKeys: { id: string; publicKey: string }[] };
  const { publicKey = "" } = signingKeys.find(({ id }) => id === signer.kid) ?? {};
  const jwk = createPublicKey(publicKey).export({ format: "jwk" }) as { kty: string; crv: string; x: string };
  const verify = await messageVerifier({ keys: [{ ...jwk, kid: signer.kid, alg: "EdDSA" }] });
  const payload = Buffer.from("pay 100");
  const value = await signer.sign(topic, "pay 100");
  const signature = ["mess-signature", value] as [string, string];
  await taken(arena, owner, { topic, payload: "pay 100", signature: value });
  const right = { topic, payload, properties: { userProperties: [signature] } };
  await verify(right);
  const changed = [
    { ...right, payload: Buffer.from("pay 999") },
    { ...right, topic: `${topic}/other` },
    { ...right, properties: { userProperties: [signature, ["to", "mallory"] as [string, string]] } },
    { ...right, properties: { userProperties: [signature], contentType: "text/plain" } },
    { ...right, properties: { userProperties: [] } },
    { ...right, properties: { userProperties: [["mess-signature", value.slice(0, -4)] as [string, string]] } },
  ];
  for (const message of changed) {
    const isTaken = await verify(message).then(
      () => true,
      () => false,
    );
    hold(!isTaken, `a consumer that verifies takes ${JSON.stringify(message)}`);
  }
}
