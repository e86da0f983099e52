/** Topics whose messages must be signed, and who signs. */
import { generateKeyPairSync } from "node:crypto";
import type { Packet } from "../../test/support/decoder.ts";
import { Signer } from "../../test/support/signer.ts";
import type { Arena, Principal } from "./arena.ts";
import { hold } from "./attack.ts";
import type { Door } from "./broker.ts";

export interface Signing {
  readonly owner: Principal;
  readonly signer: Signer;
  /** May publish and has a key of its own. */
  readonly forger: Principal;
  readonly forgerSigner: Signer;
  /** Messages there must be signed. */
  readonly topic: string;
}

const refusedCode = 0x87;

export async function signingTopic(arena: Arena): Promise<Signing> {
  const owner = await arena.principal("everything");
  const forger = await arena.principal("everything");
  const path = `/v1/topics/${encodeURIComponent(owner.topic("#"))}`;
  const { status, text } = await arena.ask(owner, path, { method: "PUT", body: { signing: "required" } });
  if (status !== 201) throw new Error(`not declared: ${status} ${text}`);
  const [signer, forgerSigner] = [await signerOf(arena, owner), await signerOf(arena, forger)];
  return { owner, signer, forger, forgerSigner, topic: owner.topic("orders") };
}

/** An Ed25519 key of somebody. */
export async function signerOf(arena: Arena, { name }: Principal): Promise<Signer> {
  const { publicKey, privateKey } = generateKeyPairSync("ed25519");
  const body = { principal: name, publicKey: publicKey.export({ type: "spki", format: "pem" }) };
  const { status, text } = await arena.admin("/v1/signing-keys", { method: "POST", body });
  if (status !== 201) throw new Error(`no signing key for ${name}: ${status} ${text}`);
  const { id } = JSON.parse(text) as { id: string };
  return new Signer({ kid: id, alg: "EdDSA", ...(privateKey.export({ format: "jwk" }) as Record<string, string>) });
}

export interface Sent {
  readonly topic: string;
  readonly payload: string;
  readonly signature?: string;
  /** Beside the signature. */
  readonly properties?: readonly (readonly [string, string])[];
}

/** PUBLISH at QoS 1 with a signature; what the broker answers. */
export async function publishSigned(
  arena: Arena,
  who: Principal,
  sent: Sent,
  door?: Door,
): Promise<Packet | undefined> {
  const client = await arena.connect(who, {}, door);
  const { topic, payload, signature, properties = [] } = sent;
  const userProperty = [
    ...properties,
    ...(signature === undefined ? [] : [["mess-signature", signature] as const]),
  ].map(([name, value]): [string, string] => [name, value]);
  return client.publish({ topic, payload, qos: 1, properties: { userProperty } }).catch(() => undefined);
}

/** The same over HTTP: status and problem. */
export async function postSigned(arena: Arena, who: Principal, sent: Sent): Promise<{ status: number; text: string }> {
  const { topic, payload, signature } = sent;
  const body = { topic, payload, ...(signature !== undefined && { signature }) };
  return arena.ask(who, "/v1/batch", { method: "POST", body, headers: { "content-type": "application/x-ndjson" } });
}

/** Every door refuses it, with a reason that begins so. */
export async function refusedEverywhere(arena: Arena, who: Principal, sent: Sent, reason: string): Promise<void> {
  const told = `${reason} expected`;
  for (const door of arena.doors) {
    const answer = await publishSigned(arena, who, sent, door);
    const said = String(answer?.properties.reasonString);
    hold(answer === undefined || answer.code === refusedCode, `${door.name}: ${told}, answered ${answer?.code}`);
    if (answer !== undefined && !said.startsWith(reason)) throw new Error(`${door.name}: ${told}, said ${said}`);
  }
  const { status, text } = await postSigned(arena, who, sent);
  hold(status >= 400 && status < 500, `HTTP: ${told}, answered ${status} ${text}`);
  if (!text.includes(reason)) throw new Error(`HTTP: ${told}, said ${text}`);
}

/** It is taken; else nothing that is refused proves anything. */
export async function taken(arena: Arena, who: Principal, sent: Sent): Promise<void> {
  const answer = await publishSigned(arena, who, sent);
  if ((answer?.code ?? 0x80) >= 0x80) {
    throw new Error(`a good signature is refused: ${answer?.code} ${String(answer?.properties.reasonString)}`);
  }
}
