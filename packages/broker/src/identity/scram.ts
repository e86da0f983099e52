/**
 * The server's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677): four messages after which both sides
 * know that the other one knows the password, or what was derived from it, and nobody else has learned anything.
 */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { type PasswordVerifier, scramKeyBytes } from "../model/password.ts";
import {
  type ClientFirst,
  readClientFinal,
  readClientFirst,
  writeServerFinal,
  writeServerFirst,
} from "./scram-messages.ts";

export const scram = "SCRAM-SHA-256";
export const scramPlus = "SCRAM-SHA-256-PLUS";
/** The channel binding of RFC 9266: TLS 1.3 has no other. */
export const bindingName = "tls-exporter";

export interface ScramOptions {
  readonly method: typeof scram | typeof scramPlus;
  /** Keying material of the channel; `undefined` where there is none, or it cannot be bound to. */
  readonly channelBinding: Uint8Array | undefined;
  /** Our part of the nonce: printable ASCII without a comma. */
  readonly nonce: string;
  /** Of somebody unknown too: one that looks like a real one, the same each time, and that no password fits. */
  readonly verifierOf: (username: string) => PasswordVerifier;
}

export type ScramStep =
  | { readonly challenge: Uint8Array }
  /** The password was right; `data` is our proof to the client. */
  | { readonly username: string; readonly data: Uint8Array }
  /** `username` where a proof was wrong. */
  | { readonly problem: string; readonly username?: string };

const malformed = "this is no message of SCRAM";

/** waiting for the first message ──▶ waiting for the proof ──▶ over. A step after the end is a problem. */
export class ScramExchange {
  readonly #options: ScramOptions;
  #first: ClientFirst | undefined;
  #verifier: PasswordVerifier | undefined;
  #serverFirst = "";
  #isOver = false;

  constructor(options: ScramOptions) {
    this.#options = options;
  }

  next(data: Uint8Array): ScramStep {
    if (this.#isOver) return { problem: "this exchange is over" };
    const step = this.#first === undefined ? this.#begin(data) : this.#finish(this.#first, data);
    this.#isOver = !("challenge" in step);
    return step;
  }

  #begin(data: Uint8Array): ScramStep {
    const first = readClientFirst(data);
    if (first === undefined) return { problem: malformed };
    const problem = this.#bindingProblem(first);
    if (problem !== undefined) return { problem };
    this.#first = first;
    const verifier = this.#options.verifierOf(first.username);
    this.#verifier = verifier;
    this.#serverFirst = writeServerFirst(first.nonce + this.#options.nonce, verifier.salt, verifier.iterations);
    return { challenge: Buffer.from(this.#serverFirst) };
  }

  /** RFC 5802 section 6: nobody in between may talk us out of the channel binding. */
  #bindingProblem({ flag, bindingName: name }: ClientFirst): string | undefined {
    const { method, channelBinding } = this.#options;
    if (method === scram) {
      if (flag === "p") return `the channel is bound by the method ${scramPlus}`;
      // It could, and was told that we cannot. We can: who told it so?
      return flag === "y" && channelBinding !== undefined ? "channel binding is offered, use it" : undefined;
    }
    if (channelBinding === undefined) return "this connection has no channel binding: it needs TLS 1.3";
    return flag === "p" && name === bindingName ? undefined : `the channel binding is ${bindingName}`;
  }

  #finish(first: ClientFirst, data: Uint8Array): ScramStep {
    const final = readClientFinal(data);
    const verifier = this.#verifier;
    if (final === undefined || verifier === undefined) return { problem: malformed };
    const { username } = first;
    const isBound = equal(final.binding, this.#expectedBinding(first));
    const isFresh = final.nonce === first.nonce + this.#options.nonce;
    const signed = `${first.bare},${this.#serverFirst},${final.withoutProof}`;
    // The work is done in any case: what was wrong cannot be told by the time.
    const isProven = proves(final.proof, verifier, signed);
    if (!isBound || !isFresh || !isProven) return { problem: "the user name or the password is wrong", username };
    return { username, data: Buffer.from(writeServerFinal(hmac(verifier.serverKey, signed))) };
  }

  #expectedBinding({ flag, gs2Header }: ClientFirst): Buffer {
    const header = Buffer.from(gs2Header);
    const { channelBinding } = this.#options;
    return flag === "p" && channelBinding !== undefined ? Buffer.concat([header, channelBinding]) : header;
  }
}

/** What a client of an unknown name is asked with: made of the name and a secret, so that it is the same each time. */
export function fakeVerifier(
  secret: Uint8Array,
  username: string,
  shape: { saltBytes: number; iterations: number },
): PasswordVerifier {
  const salt = hmac(secret, `salt\0${username}`).subarray(0, shape.saltBytes);
  const nothing = hmac(secret, `keys\0${username}`);
  return { salt, iterations: shape.iterations, storedKey: nothing, serverKey: nothing };
}

/** H(proof XOR ClientSignature) = StoredKey. */
function proves(proof: Buffer, { storedKey }: PasswordVerifier, signed: string): boolean {
  const signature = hmac(storedKey, signed);
  const hasLength = proof.length === scramKeyBytes;
  const clientKey = Buffer.alloc(scramKeyBytes);
  for (let at = 0; at < scramKeyBytes; at++) clientKey[at] = (signature[at] as number) ^ (proof[at] ?? 0);
  return equal(createHash("sha256").update(clientKey).digest(), storedKey) && hasLength;
}

function hmac(key: Uint8Array, data: string): Buffer {
  return createHmac("sha256", key).update(data, "utf8").digest();
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}
