/** Passwords by SCRAM: the exchange, joined to who has one. */
import { fakeVerifier, ScramExchange, type ScramStep, scram, scramPlus } from "./identity/scram.ts";
import type { Exchange, ExchangeStep, Presented, Refused } from "./model/authentication.ts";
import { iterationsDefault, type PasswordRecord, passwordKeyId, saltBytes } from "./model/password.ts";

export interface ScramLoginParts {
  readonly passwords: ReadonlyMap<string, PasswordRecord>;
  /** 32 bytes that stay the same over restarts: names that nobody has are asked with salts that are made of them. */
  readonly secret: Uint8Array;
  readonly random: { bytes(length: number): Uint8Array };
}

const nonceBytes = 18;
export const scramMethods: readonly string[] = [scram, scramPlus];

export class ScramLogin {
  readonly #parts: ScramLoginParts;

  constructor(parts: ScramLoginParts) {
    this.#parts = parts;
  }

  /** `failed` is called for a wrong proof, and for what is no SCRAM: with the name, if somebody has it. */
  begin(method: string, presented: Presented, failed: (principal: string | undefined) => void): Exchange | Refused {
    const { passwords, random, secret } = this.#parts;
    const channelBinding = presented.channelBinding?.();
    if (method !== scram && method !== scramPlus) return { refused: `served are ${scramMethods.join(" and ")}` };
    if (method === scramPlus && channelBinding === undefined) {
      return { refused: `${scramPlus} needs TLS 1.3; use ${scram}` };
    }
    let asked: PasswordRecord | undefined;
    const exchange = new ScramExchange({
      method,
      channelBinding,
      nonce: Buffer.from(random.bytes(nonceBytes)).toString("base64"),
      verifierOf: (username) => {
        // Made in any case: a name that somebody has takes no less time.
        const unknown = fakeVerifier(secret, username, { saltBytes, iterations: iterationsDefault });
        asked = passwords.get(username);
        return asked ?? unknown;
      },
    });
    const take = (step: ScramStep): ExchangeStep => {
      if ("challenge" in step) return step;
      // Set anew or removed since it was asked for: the proof was of what counts no more.
      const isKnown = asked !== undefined && passwords.get(asked.principal) === asked;
      if ("data" in step && isKnown && asked !== undefined) {
        const { principal } = asked;
        return { identity: { principal, keyId: passwordKeyId(principal), method: "scram" }, data: step.data };
      }
      failed(isKnown ? asked?.principal : undefined);
      return { refused: "problem" in step ? step.problem : "the user name or the password is wrong" };
    };
    return { next: (data) => take(exchange.next(data)) };
  }
}
