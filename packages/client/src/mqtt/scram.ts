/** The client's side of SCRAM-SHA-256 and SCRAM-SHA-256-PLUS (RFC 5802, RFC 7677; channel binding of RFC 9266). */
import { MessError } from "../mess-error.ts";
import type { World } from "../world.ts";
import type { ClientExchange } from "./client-exchange.ts";
import { prepared } from "./prepare-password.ts";
import { fromBase64, hmac, scramKeys, toBase64 } from "./scram-keys.ts";

export interface ScramOptions {
  /** Name of the principal. */
  readonly username: string;
  readonly password: string;
  /**
   * True by default: over TLS 1.3 the login is bound to this very connection (SCRAM-SHA-256-PLUS), so that nobody in
   * between can pass it on. False for servers that cannot.
   */
  readonly channelBinding?: boolean;
}

const nonceBytes = 18;
/** Fewer, and whoever plays the server learns what is cheap to guess from; more, and it makes the client busy for ever. */
const iterationsMin = 4_096;
const iterationsMax = 10_000_000;
const serverFirst = /^r=([\x21-\x2b\x2d-\x7e]+),s=([A-Za-z0-9+/]+={0,2}),i=([1-9]\d{0,7})(?:,|$)/;

/** One login. `binding`: keying material of the channel, if there is any. */
export class ScramLogin implements ClientExchange {
  readonly method: string;
  readonly #options: ScramOptions;
  readonly #header: string;
  readonly #binding: Uint8Array;
  readonly #nonce: string;
  readonly #bare: string;
  /** What the server has to say at the end. */
  #expected: string | undefined;

  /** @throws MessError for a name that none can be */
  constructor(options: ScramOptions, binding: Uint8Array | undefined, world: Pick<World, "bytes">) {
    const bound = options.channelBinding === false ? undefined : binding;
    this.method = bound === undefined ? "SCRAM-SHA-256" : "SCRAM-SHA-256-PLUS";
    this.#options = options;
    this.#header = bound === undefined ? "n,," : "p=tls-exporter,,";
    this.#binding = bound ?? new Uint8Array(0);
    this.#nonce = toBase64(world.bytes(nonceBytes));
    const name = prepared(options.username, "user name").replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#bare = `n=${name},r=${this.#nonce}`;
  }

  first(): Uint8Array {
    return new TextEncoder().encode(this.#header + this.#bare);
  }

  async next(challenge: Uint8Array): Promise<Uint8Array> {
    const text = new TextDecoder().decode(challenge);
    const [, nonce = "", salt = "", count = ""] = serverFirst.exec(text) ?? [];
    const iterations = Number(count);
    if (this.#expected !== undefined || !nonce.startsWith(this.#nonce) || nonce.length === this.#nonce.length) {
      throw new MessError("PROTOCOL_ERROR", "the server's challenge is not one of SCRAM");
    }
    if (iterations < iterationsMin || iterations > iterationsMax) {
      throw new MessError("PROTOCOL_ERROR", `the server asks for ${count} iterations`, {
        hint: `from ${iterationsMin} to ${iterationsMax} are done`,
      });
    }
    // Claimed before anything is awaited: one challenge is answered.
    this.#expected = "";
    const keys = await scramKeys(this.#options.password, fromBase64(salt), iterations);
    const withoutProof = `c=${toBase64(this.#bound())},r=${nonce}`;
    const signed = `${this.#bare},${text},${withoutProof}`;
    const signature = await hmac(keys.storedKey, signed);
    const proof = keys.clientKey.map((byte, at) => byte ^ (signature[at] ?? 0));
    this.#expected = `v=${toBase64(await hmac(keys.serverKey, signed))}`;
    return new TextEncoder().encode(`${withoutProof},p=${toBase64(proof)}`);
  }

  finish(data: Uint8Array | undefined): void {
    const said = data === undefined ? "" : (new TextDecoder().decode(data).split(",")[0] ?? "");
    if (this.#expected !== undefined && this.#expected !== "" && said === this.#expected) return;
    throw new MessError("NOT_AUTHORIZED", "the server did not prove that it knows the password", {
      hint: "is it the server you meant? The password is safe: it was not sent",
      retryable: false,
    });
  }

  #bound(): Uint8Array {
    const header = new TextEncoder().encode(this.#header);
    const bound = new Uint8Array(header.length + this.#binding.length);
    bound.set(header);
    bound.set(this.#binding, header.length);
    return bound;
  }
}
