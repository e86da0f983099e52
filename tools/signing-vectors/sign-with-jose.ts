/** Signs messages as docs/signing.md says, by `jose` and by nothing of mess. */
import { createHash, createPrivateKey, type KeyObject } from "node:crypto";
import { FlattenedSign } from "jose";
import type { KeyVector } from "./keys.ts";

export interface Message {
  readonly principal: string;
  readonly topic: string;
  readonly payload: Buffer;
  readonly contentType?: string;
  readonly responseTopic?: string;
  readonly correlationData?: Buffer;
  readonly userProperties?: readonly (readonly [name: string, value: string])[];
}

export interface Vector {
  readonly name: string;
  /** What it is answered with; absent when it holds. */
  readonly refused?: "sig.bad" | "sig.stale";
  /** Seconds since 1970. */
  readonly now: number;
  readonly message: Readonly<Record<string, unknown>>;
  /** Of those that hold: the bytes that are hashed. */
  readonly canonicalProperties?: string;
  readonly signature: string;
}

const now = 1_900_000_000;
let signatures = 0;

/** @param changes of the protected header; `iat` counts from now, `mess` adds to its members. */
export async function signed(
  message: Message,
  key: KeyVector,
  changes: Readonly<Record<string, unknown>> = {},
): Promise<string> {
  const { iat = 0, mess, ...others } = changes as { iat?: number; mess?: object };
  const props = createHash("sha256").update(canonicalProperties(message)).digest("base64url");
  // Of each signature its own, and the same whenever the vectors are made.
  const jti = createHash("sha256").update(`nonce ${signatures++}`).digest().subarray(0, 16).toString("base64url");
  const header = {
    alg: key.algorithm,
    b64: false,
    crit: ["b64"],
    kid: key.id,
    iat: now + iat,
    jti,
    mess: { topic: message.topic, props, ...mess },
    ...others,
  };
  const jws = await new FlattenedSign(message.payload).setProtectedHeader(header).sign(privateKey(key));
  return `${jws.protected}..${jws.signature}`;
}

export async function holding(
  name: string,
  message: Message,
  key: KeyVector,
  changes: { readonly iat?: number } = {},
): Promise<Vector> {
  const canonical = canonicalProperties(message).toString("base64url");
  return {
    name,
    now,
    message: shown(message),
    canonicalProperties: canonical,
    signature: await signed(message, key, changes),
  };
}

export function refused(name: string, problem: "sig.bad" | "sig.stale", message: Message, signature: string): Vector {
  return { name, refused: problem, now, message: shown(message), signature };
}

function shown({ payload, correlationData, ...others }: Message): Readonly<Record<string, unknown>> {
  return {
    ...others,
    payload: payload.toString("base64url"),
    ...(correlationData !== undefined && { correlationData: correlationData.toString("base64url") }),
  };
}

export function privateKey({ algorithm, publicKey, secret }: KeyVector): KeyObject | Uint8Array {
  if (algorithm === "HS256") return Buffer.from(secret, "base64url");
  return createPrivateKey({ key: { kty: "OKP", crv: "Ed25519", x: publicKey ?? "", d: secret }, format: "jwk" });
}

/** Written a second time on purpose: a mistake in the broker's own must not be in the vectors too. */
function canonicalProperties(message: Message): Buffer {
  const bytes: number[] = [];
  const add = (value: string | Buffer): void => {
    const encoded = Buffer.from(value as string, "utf8");
    bytes.push(Math.floor(encoded.length / 256), encoded.length % 256, ...encoded);
  };
  if (message.contentType !== undefined) {
    bytes.push(3);
    add(message.contentType);
  }
  if (message.responseTopic !== undefined) {
    bytes.push(8);
    add(message.responseTopic);
  }
  if (message.correlationData !== undefined) {
    bytes.push(9);
    add(message.correlationData);
  }
  const own = (message.userProperties ?? []).filter(([name]) => !/^mess-/.test(name));
  const names = [...new Set(own.map(([name]) => name))].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  for (const name of names) {
    for (const [, value] of own.filter(([each]) => each === name)) {
      bytes.push(38);
      add(name);
      add(value);
    }
  }
  return Buffer.from(bytes);
}
