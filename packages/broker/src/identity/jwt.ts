/**
 * JWTs as credentials (RFC 7519, and RFC 8725 for what to refuse). The token says which key of which issuer made it; it
 * has no say in anything else: algorithm, issuer, audience, and where keys are, come from the configuration. A key that
 * is inside the token, or an address where one is to be got, is never looked at.
 */
import {
  decodeJwt,
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  jwtVerify,
  type ProtectedHeaderParameters,
} from "jose";
import type { Identity, Refused } from "../model/authentication.ts";
import type { JwtAlgorithm } from "../model/jwt.ts";
import { isKid } from "./jwks.ts";
import type { JwksSource } from "./jwks-source.ts";

/** One that this broker takes tokens of. */
export interface JwtIssuer {
  /** Name in the configuration, for `Identity.keyId` and the log. */
  readonly name: string;
  /** `iss`, compared byte by byte. */
  readonly issuer: string;
  /** One of them must be in `aud`. */
  readonly audience: readonly string[];
  readonly algorithms: readonly JwtAlgorithm[];
  readonly principalClaim: string;
  /** Stands before what the claim says. */
  readonly principalPrefix: string;
  readonly clockToleranceMs: number;
  readonly maxLifetimeMs: number;
  readonly keys: JwksSource;
}

export interface JwtVerifierParts {
  readonly issuers: readonly JwtIssuer[];
  /** Is it a principal that tokens may name? */
  readonly knows: (principal: string) => boolean;
}

/** Longer ones are refused before anything of them is read. */
export const jwtBytesMax: number = 8 * 1_024;
/** What a header may hold: nothing that brings a key, points to one, or changes what is signed. */
const headerMembers: ReadonlySet<string> = new Set(["alg", "kid", "typ", "x5t", "x5t#S256"]);
const types: ReadonlySet<string> = new Set(["jwt", "at+jwt", "application/jwt", "application/at+jwt"]);
const form = /^[\w-]+\.[\w-]+\.[\w-]+$/;

export class JwtVerifier {
  readonly #issuers: ReadonlyMap<string, JwtIssuer>;
  readonly #knows: (principal: string) => boolean;

  constructor(parts: JwtVerifierParts) {
    this.#issuers = new Map(parts.issuers.map((issuer) => [issuer.issuer, issuer]));
    this.#knows = parts.knows;
  }

  /** @param now wall-clock milliseconds. Never rejects. */
  async verify(token: string, now: number): Promise<Identity | Refused> {
    try {
      return await this.#verify(token, now);
    } catch (error) {
      return refused(reasonOf(error));
    }
  }

  async #verify(token: string, now: number): Promise<Identity | Refused> {
    if (token.length > jwtBytesMax) return refused(`it is longer than ${jwtBytesMax} bytes`);
    if (!form.test(token)) return refused("it is not signed, or not of three parts");
    const header = decodeProtectedHeader(token);
    const problem = headerProblem(header);
    if (problem !== undefined) return refused(problem);
    const { iss } = decodeJwt(token);
    const issuer = typeof iss === "string" ? this.#issuers.get(iss) : undefined;
    if (issuer === undefined) return refused("its issuer is not known here");
    const { kid = "", alg = "" } = header;
    if (!(issuer.algorithms as readonly string[]).includes(alg)) return refused("its algorithm is not taken");
    const found = await issuer.keys.find(kid);
    if (found === undefined) return refused("its key is not one of its issuer's");
    if (found.algorithm !== alg) return refused("its algorithm is not that of its key");
    const { payload } = await jwtVerify(token, found.key, {
      algorithms: [found.algorithm],
      issuer: issuer.issuer,
      audience: [...issuer.audience],
      clockTolerance: issuer.clockToleranceMs / 1_000,
      currentDate: new Date(now),
      requiredClaims: ["exp"],
    });
    return this.#identity(payload, { issuer, kid, now });
  }

  /** The signature holds, and the claims that the standard names. */
  #identity(payload: JWTPayload, from: { issuer: JwtIssuer; kid: string; now: number }): Identity | Refused {
    const { issuer, kid, now } = from;
    const { principalClaim, principalPrefix, clockToleranceMs, maxLifetimeMs } = issuer;
    const { exp = 0, iat } = payload;
    const endsAt = exp * 1_000;
    if (iat !== undefined && iat * 1_000 > now + clockToleranceMs) return refused("it was made in the future");
    const madeAt = iat === undefined ? now - clockToleranceMs : Math.min(iat * 1_000, now);
    if (endsAt - madeAt > maxLifetimeMs) return refused(`it lives longer than ${maxLifetimeMs / 1_000} s`);
    const claim = Object.hasOwn(payload, principalClaim) ? payload[principalClaim] : undefined;
    if (typeof claim !== "string" || claim === "") return refused("it does not say whose it is");
    const principal = `${principalPrefix}${claim}`;
    if (!this.#knows(principal)) return refused("whose it is is not known here");
    return { principal, keyId: `jwt:${issuer.name}:${kid}`, method: "jwt", expiresAt: endsAt + clockToleranceMs };
  }
}

function headerProblem(header: ProtectedHeaderParameters): string | undefined {
  const foreign = Object.keys(header).find((member) => !headerMembers.has(member));
  if (foreign !== undefined) return "its header holds what none may hold here (a key, an address, an extension)";
  if (!isKid(header.kid)) return "its header names no key (kid)";
  const { typ } = header;
  if (typ !== undefined && !(typeof typ === "string" && types.has(typ.toLowerCase()))) return "it is of another type";
  return undefined;
}

function refused(why: string): Refused {
  return { refused: `the token is not valid: ${why}` };
}

/** Nothing of the token is in it. */
function reasonOf(error: unknown): string {
  if (error instanceof errors.JWTExpired) return "it has ended";
  if (error instanceof errors.JWTClaimValidationFailed) {
    if (error.claim === "nbf" && error.reason === "check_failed") return "it does not count yet";
    return error.claim === "aud" ? "it is for somebody else" : `its claims are not valid (${claimOf(error.claim)})`;
  }
  if (error instanceof errors.JWSSignatureVerificationFailed) return "its signature is wrong";
  return "it cannot be read";
}

const claims: ReadonlySet<string> = new Set(["iss", "aud", "exp", "nbf", "iat", "sub"]);

function claimOf(claim: string): string {
  return claims.has(claim) ? claim : "another";
}
