import { readFileSync } from "node:fs";
import * as build from "../test/support/packets.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hold, lacks } from "./support/attack.ts";
import { nothingComes } from "./support/moves.ts";
import { refusedEverywhere, signingTopic, taken } from "./support/signing.ts";

const noSignatures = lacks("verifies no signatures of messages");

export const d07 = attack({
  id: "D7",
  title: "Message signing",
  threat:
    "A signature is taken off, moved to another message, or made to hold by its mathematics: another form of the same number, a key that signs everything.",
  mitigation:
    "JWS with one allowed form over topic, properties, payload, key, time and number; topics that require it take nothing without, by any door; weak keys are refused when they are registered.",
  ways: ["tcp-tls", "websocket-tls", "https"],
  steps: [
    { name: "messages without a signature where one is required", run: stripped, elsewhere: noSignatures },
    { name: "a signature of another topic, other properties, another form", run: moved, elsewhere: noSignatures },
    { name: "keys under which anything verifies", run: weakKeys, elsewhere: noSignatures },
  ],
});

async function stripped(arena: Arena): Promise<void> {
  const { owner, topic } = await signingTopic(arena);
  const watcher = await arena.connect(await arena.principal("everything"));
  await watcher.subscribe({ filter: topic, qos: 2 });
  await refusedEverywhere(arena, owner, { topic, payload: "unsigned" }, "sig.required");
  for (const door of arena.doors) {
    for (const qos of [0, 1, 2]) {
      for (const version of [4, 5] as const) {
        const client = await arena.connect(owner, { version }, door);
        const id = qos === 0 ? 0 : 9;
        client.send(build.publish({ version, topic, payload: "unsigned", qos, id, retain: qos === 1 }));
        if (qos === 2) client.send(build.ack("PUBREL", id));
      }
    }
    const { connack } = await arena.attempt(owner, { will: { topic, payload: "unsigned" } }, door);
    hold(connack?.code !== 0, `${door.name}: a will, which nobody can sign, is taken`);
  }
  await nothingComes(watcher, "an unsigned message is delivered", 500);
}

/** The order of the group, little endian as in the second half of a signature (RFC 8032 section 5.1). */
const order = 2n ** 252n + 27_742_317_777_372_353_535_851_937_790_883_648_493n;

async function moved(arena: Arena): Promise<void> {
  const { owner, signer, topic } = await signingTopic(arena);
  const payload = "pay 100";
  await taken(arena, owner, { topic, payload, signature: await signer.sign(topic, payload) });
  const signature = await signer.sign(topic, payload);
  const [header = "", value = ""] = signature.split("..");
  const elsewhere = `${topic}/other`;
  const changed: readonly (readonly [string, string])[] = [
    ["S and the order of the group", `${header}..${withOtherS(value)}`],
    [
      "another spelling of the last bits",
      `${header}..${value.slice(0, -1)}${value.endsWith("A") ? "B" : otherTail(value)}`,
    ],
    ["padding", `${signature}==`],
    ["the payload attached", `${header}.${Buffer.from(payload).toString("base64url")}.${value}`],
    ["no algorithm", `${withHeader(header, { alg: "none" })}..`],
    ["a key in the header", `${withHeader(header, { jwk: {} })}..${value}`],
  ];
  for (const [what, other] of changed) {
    await refusedEverywhere(arena, owner, { topic, payload, signature: other }, "sig.").catch((error: Error) => {
      error.message = `${what}: ${error.message}`;
      throw error;
    });
  }
  await refusedEverywhere(arena, owner, { topic: elsewhere, payload, signature }, "sig.bad");
  await refusedEverywhere(arena, owner, { topic, payload: "pay 999", signature }, "sig.bad");
}

function withHeader(header: string, more: object): string {
  const members = JSON.parse(Buffer.from(header, "base64url").toString()) as object;
  return Buffer.from(JSON.stringify({ ...members, ...more })).toString("base64url");
}

/** The same signature, with a number that is the same modulo the order: it must not be another valid one. */
function withOtherS(value: string): string {
  const bytes = Buffer.from(value, "base64url");
  let s = order;
  for (let index = 63; index >= 32; index -= 1) s += BigInt(bytes[index] ?? 0) << BigInt(8 * (index - 32));
  for (let index = 32; index < 64; index += 1) bytes[index] = Number((s >> BigInt(8 * (index - 32))) & 255n);
  return bytes.toString("base64url");
}

/** 64 bytes leave four bits over in the last character of base64url. */
function otherTail(value: string): string {
  const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return alphabet[alphabet.indexOf(value.at(-1) ?? "A") ^ 1] ?? "A";
}

/** SubjectPublicKeyInfo of Ed25519 without its 32 bytes (RFC 8410). */
const spki = Buffer.from("302a300506032b6570032100", "hex");

async function weakKeys(arena: Arena): Promise<void> {
  const { owner } = await signingTopic(arena);
  const vectors = JSON.parse(readFileSync(new URL("../docs/vectors/signing.json", import.meta.url), "utf8")) as {
    refusedPublicKeys: readonly { publicKey: string; why: string }[];
  };
  if (vectors.refusedPublicKeys.length < 4) throw new Error("the vectors have no weak keys");
  for (const { publicKey, why } of vectors.refusedPublicKeys) {
    const der = Buffer.concat([spki, Buffer.from(publicKey, "base64url")]).toString("base64");
    const pem = `-----BEGIN PUBLIC KEY-----\n${der}\n-----END PUBLIC KEY-----\n`;
    const body = { principal: owner.name, publicKey: pem };
    const { status } = await arena.admin("/v1/signing-keys", { method: "POST", body });
    hold(status >= 400 && status < 500, `a key of ${why} is registered (${status})`);
  }
  const stranger = await arena.principal("everything");
  const { status } = await arena.ask(stranger, "/v1/signing-keys", {
    method: "POST",
    body: { principal: owner.name, algorithm: "HS256" },
  });
  hold(status === 403, `a stranger registers a key for another: ${status}`);
}
