/** A client of SCRAM with all it may say wrongly, written from RFC 5802 and apart from the client package. */
import { createHash, createHmac, pbkdf2Sync } from "node:crypto";
import type { PasswordVerifier } from "../model/password.ts";

const hmac = (key: Uint8Array, data: string): Buffer => createHmac("sha256", key).update(data).digest();

export function verifierFor(password: string, salt: Uint8Array, iterations: number): PasswordVerifier {
  const salted = pbkdf2Sync(password.normalize("NFKC"), salt, iterations, 32, "sha256");
  const storedKey = createHash("sha256").update(hmac(salted, "Client Key")).digest();
  return { salt, iterations, storedKey, serverKey: hmac(salted, "Server Key") };
}

export interface ClientWish {
  readonly username: string;
  readonly password: string;
  readonly nonce: string;
  /** `n,,` by default. */
  readonly header?: string;
  readonly binding?: Uint8Array;
  /** In place of the one that the server made, in the last message alone. */
  readonly lastNonce?: string;
}

export class TestScramClient {
  readonly #wish: ClientWish;
  readonly #bare: string;
  serverSignature = "";

  constructor(wish: ClientWish) {
    this.#wish = wish;
    const name = wish.username.replaceAll("=", "=3D").replaceAll(",", "=2C");
    this.#bare = `n=${name},r=${wish.nonce}`;
  }

  get first(): Buffer {
    return Buffer.from(`${this.#wish.header ?? "n,,"}${this.#bare}`);
  }

  final(challenge: Uint8Array): Buffer {
    const serverFirst = Buffer.from(challenge).toString();
    const [, nonce = "", salt = "", iterations = ""] = /^r=([^,]+),s=([^,]+),i=(\d+)$/.exec(serverFirst) ?? [];
    const { header = "n,,", binding = new Uint8Array(0), password, lastNonce = nonce } = this.#wish;
    const salted = pbkdf2Sync(
      password.normalize("NFKC"),
      Buffer.from(salt, "base64"),
      Number(iterations),
      32,
      "sha256",
    );
    const clientKey = hmac(salted, "Client Key");
    const bound = Buffer.concat([Buffer.from(header), binding]).toString("base64");
    const withoutProof = `c=${bound},r=${lastNonce}`;
    const signed = `${this.#bare},${serverFirst},${withoutProof}`;
    const signature = hmac(createHash("sha256").update(clientKey).digest(), signed);
    const proof = clientKey.map((byte, at) => byte ^ (signature[at] as number));
    this.serverSignature = `v=${hmac(hmac(salted, "Server Key"), signed).toString("base64")}`;
    return Buffer.from(`${withoutProof},p=${Buffer.from(proof).toString("base64")}`);
  }
}
