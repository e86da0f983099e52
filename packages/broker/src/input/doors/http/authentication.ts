import type { Socket } from "node:net";
import { parseBearer } from "../../../identity/credential.ts";
import {
  type Authenticator,
  isRefused,
  type Presented,
  type PresentedCertificate,
  type Refused,
} from "../../../model/authentication.ts";
import { HttpRefusal } from "./problem.ts";

export interface AuthenticationParts {
  readonly authenticator: Authenticator;
  /** In insecure development mode everyone is this principal, whatever credential is sent. */
  readonly anonymous?: string;
  /** The client certificate that came with a connection, judged now. */
  readonly presented?: (socket: Socket) => PresentedCertificate | undefined;
}

/** Who asks. */
export interface Caller {
  readonly principal: string;
  /** Empty without authentication. */
  readonly keyId: string;
  /** Wall-clock milliseconds after which what is open for the caller ends. */
  readonly expiresAt?: number;
}

/** What an `Authorization` header shows, in the words of MQTT. */
interface Shown {
  readonly username: string | undefined;
  readonly password: Uint8Array;
}

const BASIC = "basic ";
const BASIC_LENGTH_MAX = 2_048;
const BEARER = "bearer ";
/** The three parts of a JWT (RFC 7515 section 3.1). */
const TOKEN_FORM = /^[\w-]+\.[\w-]+\.[\w-]*$/;
const TOKEN_LENGTH_MAX = 8_192;
/** Has no form that is served; it is asked for all the same, so that it counts as a guess. */
const nothing: Shown = { username: "", password: new Uint8Array(0) };

/**
 * The caller of a request: by its `Authorization` header, `Bearer id.secret` or `Bearer` with a JWT (RFC 6750), or `Basic`
 * with the id as user and the secret as password (RFC 7617); else by its client certificate. Rejects with 401, or 429
 * while the address has failed too often, or 503 while too many are being looked at.
 */
export async function authenticate(
  parts: AuthenticationParts,
  authorization: string | undefined,
  presented: Presented,
): Promise<Caller> {
  if (parts.anonymous !== undefined) return { principal: parts.anonymous, keyId: "" };
  if (authorization === undefined && presented.certificate === undefined) {
    throw unauthorized("send Authorization: Bearer ID.SECRET, or show a client certificate");
  }
  const shown = authorization === undefined ? undefined : (readAuthorization(authorization) ?? nothing);
  const verdict = await parts.authenticator.authenticate(shown?.username, shown?.password, presented);
  if (isRefused(verdict)) throw refusalOf(verdict);
  const { principal, keyId, expiresAt } = verdict;
  return { principal, keyId, ...(expiresAt !== undefined && { expiresAt }) };
}

/** What is known of a connection before anybody says who it is. */
export function presentedBy({ presented }: AuthenticationParts, socket: Socket): Presented {
  const kind = "encrypted" in socket && socket.encrypted === true ? "https" : "http";
  const certificate = presented?.(socket);
  return { address: socket.remoteAddress ?? "", kind, ...(certificate !== undefined && { certificate }) };
}

function refusalOf({ refused, retryAfterMs, busy, isCertificate }: Refused): HttpRefusal {
  if (busy === true) {
    return new HttpRefusal("unavailable", "too many authentications are under way; try again", {
      headers: { "retry-after": "1" },
    });
  }
  if (isCertificate === true) return unauthorized(refused);
  if (retryAfterMs === undefined) return unauthorized("the key is wrong, revoked, or not of the form ID.SECRET");
  const seconds = Math.ceil(retryAfterMs / 1_000);
  return new HttpRefusal("too-many-attempts", `try again in ${seconds} s`, {
    headers: { "retry-after": String(seconds) },
  });
}

/** Only Bearer is offered: for Basic a browser would ask, remember, and send it with every request after. */
function unauthorized(detail: string): HttpRefusal {
  return new HttpRefusal("unauthorized", detail, { headers: { "www-authenticate": 'Bearer realm="mess"' } });
}

function readAuthorization(authorization: string): Shown | undefined {
  const token = readToken(authorization);
  if (token !== undefined) return { username: undefined, password: Buffer.from(token) };
  const key = parseBearer(authorization);
  return key === undefined ? readBasic(authorization) : { username: key.id, password: Buffer.from(key.secret) };
}

function readToken(authorization: string): string | undefined {
  if (authorization.length > BEARER.length + TOKEN_LENGTH_MAX) return undefined;
  if (authorization.slice(0, BEARER.length).toLowerCase() !== BEARER) return undefined;
  const token = authorization.slice(BEARER.length).trim();
  return TOKEN_FORM.test(token) ? token : undefined;
}

function readBasic(authorization: string): Shown | undefined {
  if (authorization.length > BASIC_LENGTH_MAX) return undefined;
  if (authorization.slice(0, BASIC.length).toLowerCase() !== BASIC) return undefined;
  const text = Buffer.from(authorization.slice(BASIC.length).trim(), "base64").toString("utf8");
  const colon = text.indexOf(":");
  if (colon < 1 || colon === text.length - 1) return undefined;
  return { username: text.slice(0, colon), password: Buffer.from(text.slice(colon + 1)) };
}
