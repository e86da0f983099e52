import type { Credential } from "../../../identity/api-key.ts";
import { parseBearer } from "../../../identity/credential.ts";
import type { Administration } from "../../../model/administration.ts";
import { HttpRefusal } from "./problem.ts";

/** Slows guessing down; `CredentialThrottle` is one. Times are monotonic milliseconds. */
export interface AuthenticationThrottle {
  retryAfterMs(address: string, nowMs: number): number;
  failed(address: string, nowMs: number): void;
}

export interface AuthenticationParts {
  readonly administration: Administration;
  /** Left out in insecure development mode. */
  readonly throttle?: AuthenticationThrottle;
  readonly monotonic: () => number;
  /** In insecure development mode everyone is this principal, whatever credential is sent. */
  readonly anonymous?: string;
}

/** Who asks. */
export interface Caller {
  readonly principal: string;
  /** Empty without authentication. */
  readonly keyId: string;
}

const BASIC = "basic ";
const BASIC_LENGTH_MAX = 2_048;

/**
 * The caller of a request by its `Authorization` header: `Bearer id.secret` (RFC 6750) or `Basic` with the id as user
 * and the secret as password (RFC 7617). Throws 401, or 429 while the address has failed too often; then the
 * credential is not looked at, so that a right guess cannot be told from a wrong one.
 */
export function authenticate(parts: AuthenticationParts, authorization: string | undefined, address: string): Caller {
  if (parts.anonymous !== undefined) return { principal: parts.anonymous, keyId: "" };
  if (authorization === undefined) throw unauthorized("send Authorization: Bearer ID.SECRET");
  const now = parts.monotonic();
  const waitMs = parts.throttle?.retryAfterMs(address, now) ?? 0;
  if (waitMs > 0) {
    const seconds = Math.ceil(waitMs / 1_000);
    throw new HttpRefusal("too-many-attempts", `try again in ${seconds} s`, {
      headers: { "retry-after": String(seconds) },
    });
  }
  const credential = parseBearer(authorization) ?? parseBasic(authorization);
  const principal =
    credential === undefined ? undefined : parts.administration.authenticate(credential.id, credential.secret);
  if (credential !== undefined && principal !== undefined) return { principal, keyId: credential.id };
  parts.throttle?.failed(address, now);
  // Nothing of what was sent: people paste secrets into the wrong field, and logs keep them for ever.
  parts.administration.audit("auth.fail", { method: "http", address });
  throw unauthorized("the key is wrong, revoked, or not of the form ID.SECRET");
}

/** Only Bearer is offered: for Basic a browser would ask, remember, and send it with every request after. */
function unauthorized(detail: string): HttpRefusal {
  return new HttpRefusal("unauthorized", detail, { headers: { "www-authenticate": 'Bearer realm="mess"' } });
}

function parseBasic(authorization: string): Credential | undefined {
  if (authorization.length > BASIC_LENGTH_MAX) return undefined;
  if (authorization.slice(0, BASIC.length).toLowerCase() !== BASIC) return undefined;
  const text = Buffer.from(authorization.slice(BASIC.length).trim(), "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 1 || colon === text.length - 1) return undefined;
  return { id: text.slice(0, colon), secret: text.slice(colon + 1) };
}
