/** Messages of the signing vectors: those that hold, and each way in which one does not. */
import { createHash, type KeyObject, sign } from "node:crypto";
import { type KeyVector, otherKey, sensorKey, sharedKey } from "./keys.ts";
import { holding, type Message, privateKey, refused, signed, type Vector } from "./sign-with-jose.ts";

const plain: Message = { principal: "sensor", topic: "plant/1/temperature", payload: Buffer.from('{"celsius":21.5}') };
const full: Message = {
  ...plain,
  contentType: "application/json",
  responseTopic: "plant/1/answers",
  correlationData: Buffer.from([0, 255, 128]),
  userProperties: [
    ["unit", "second"],
    ["Unit", "after"],
    ["é", "ü"],
    ["unit", "first of two is the one before"],
    ["mess-key", "not signed"],
  ],
};
const groupOrder = 2n ** 252n + 27742317777372353535851937790883648493n;

export async function messageVectors(): Promise<readonly Vector[]> {
  return [...(await good()), ...(await otherMessages()), ...(await otherHeaders()), ...(await otherSignatures())];
}

async function good(): Promise<Vector[]> {
  return [
    await holding("Ed25519, no properties", plain, sensorKey),
    await holding("HMAC-SHA-256, no properties", plain, sharedKey),
    await holding("Ed25519, all properties", full, sensorKey),
    await holding("HMAC-SHA-256, all properties", full, sharedKey),
    await holding("no payload", { ...plain, payload: Buffer.alloc(0) }, sensorKey),
    await holding(
      "a payload of all bytes, with dots",
      { ...plain, payload: Buffer.from([...Array(256).keys(), 46, 46]) },
      sensorKey,
    ),
    await holding("a topic beyond ASCII", { ...plain, topic: 'høyde/"1"\\π/😀' }, sensorKey),
    await holding("an empty content type is not an absent one", { ...plain, contentType: "" }, sensorKey),
    await holding("another principal", { ...plain, principal: "other" }, otherKey),
    await holding("300 s old", plain, sensorKey, { iat: -300 }),
    await holding("300 s ahead", plain, sensorKey, { iat: 300 }),
  ];
}

/** The signature is whole, but the message is another. */
async function otherMessages(): Promise<Vector[]> {
  const signature = await signed(full, sensorKey);
  const flipped = Buffer.from(full.payload);
  flipped.writeUInt8(flipped.readUInt8(3) ^ 1, 3);
  const { responseTopic: _, ...unanswered } = full;
  const swapped = [...(full.userProperties ?? [])].reverse();
  const bad = (name: string, message: Message): Vector => refused(name, "sig.bad", message, signature);
  return [
    bad("one bit of the payload flipped", { ...full, payload: flipped }),
    bad("another topic", { ...full, topic: "plant/2/temperature" }),
    bad("another content type", { ...full, contentType: "text/plain" }),
    bad("the response topic taken away", unanswered),
    bad("user properties of one name in another order", { ...full, userProperties: swapped }),
    bad("published by another principal", { ...full, principal: "other" }),
    refused("301 s old", "sig.stale", plain, await signed(plain, sensorKey, { iat: -301 })),
    refused("301 s ahead", "sig.stale", plain, await signed(plain, sensorKey, { iat: 301 })),
  ];
}

/** A signature that holds over a header that is not the one form. */
async function otherHeaders(): Promise<Vector[]> {
  const vectors: Vector[] = [];
  const add = async (name: string, header: Readonly<Record<string, unknown>>): Promise<void> => {
    vectors.push(refused(name, "sig.bad", plain, await signed(plain, sensorKey, header)));
  };
  await add("the key of another principal named", { kid: otherKey.id });
  await add("a key that is not known", { kid: "sk_nobody" });
  await add("a path as key", { kid: "../../dev/null" });
  await add("a number used once of 15 bytes", { jti: "AAECAwQFBgcICQoLDA0O" });
  await add("one more member", { typ: "JOSE" });
  await add("a key in the header", { jwk: { kty: "OKP", crv: "Ed25519", x: sensorKey.publicKey } });
  await add("a time with a fraction", { iat: 0.5 });
  await add("the payload encoded", { b64: true });
  await add("the topic as a number", { mess: { topic: 1 } });
  await add("over 2 KiB", { mess: { topic: "x".repeat(1_500) } });
  return vectors;
}

/** Made by hand: no library makes them. */
async function otherSignatures(): Promise<Vector[]> {
  const signature = await signed(plain, sensorKey);
  const [header = "", , tail = ""] = signature.split(".");
  const text = Buffer.from(header, "base64url").toString();
  const withHeader = (changed: string): string => signedByHand(changed, plain.payload, sensorKey);
  const bad = (name: string, changed: string): Vector => refused(name, "sig.bad", plain, changed);
  return [
    bad("a flipped bit of the signature", `${header}..${tail.startsWith("A") ? "B" : "A"}${tail.slice(1)}`),
    bad("S greater than the group's order", `${header}..${withGreaterS(tail)}`),
    bad("another spelling of the last two bits", `${header}..${tail.slice(0, -1)}${nextDigit(tail.slice(-1))}`),
    bad("padded base64", `${header}..${tail}==`),
    bad("an algorithm of nothing", `${Buffer.from(text.replace("EdDSA", "none")).toString("base64url")}..`),
    bad("the public key as the secret of HMAC", hmacByPublicKey(text)),
    bad("a space in the header", withHeader(text.replace('"b64":', '"b64": '))),
    bad(
      "members in another order",
      withHeader(text.replace('"b64":false,"crit":["b64"]', '"crit":["b64"],"b64":false')),
    ),
    bad("a member twice", withHeader(text.replace('"iat"', '"kid":"sk_other","iat"'))),
    bad("the payload attached", `${header}.${plain.payload.toString("base64url")}.${tail}`),
    bad("nothing", ""),
  ];
}

/** Over a header as it stands here: it holds, and only its form is wrong. */
function signedByHand(header: string, payload: Buffer, key: KeyVector): string {
  const text = Buffer.from(header).toString("base64url");
  const signature = sign(null, Buffer.concat([Buffer.from(`${text}.`), payload]), privateKey(key) as KeyObject);
  return `${text}..${signature.toString("base64url")}`;
}

/** S + L is the same number to a careless verifier. */
function withGreaterS(tail: string): string {
  const bytes = Buffer.from(tail, "base64url");
  let s = BigInt(`0x${Buffer.from(bytes.subarray(32)).reverse().toString("hex")}`) + groupOrder;
  for (let at = 32; at < 64; at++, s >>= 8n) bytes[at] = Number(s & 255n);
  return bytes.toString("base64url");
}

function nextDigit(digit: string): string {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  return digits[digits.indexOf(digit) + 1] ?? "";
}

function hmacByPublicKey(header: string): string {
  const text = Buffer.from(header.replace("EdDSA", "HS256")).toString("base64url");
  const key = Buffer.from(sensorKey.publicKey ?? "", "base64url");
  return `${text}..${hmac(key, Buffer.concat([Buffer.from(`${text}.`), plain.payload]))}`;
}

/** RFC 2104 by hand, for it must not be our own code that is tested here. */
function hmac(key: Buffer, data: Buffer): string {
  const padded = Buffer.concat([key], 64);
  const sha256 = (...parts: readonly Uint8Array[]): Buffer =>
    createHash("sha256").update(Buffer.concat(parts)).digest();
  const inner = sha256(
    padded.map((byte) => byte ^ 0x36),
    data,
  );
  return sha256(
    padded.map((byte) => byte ^ 0x5c),
    inner,
  ).toString("base64url");
}
