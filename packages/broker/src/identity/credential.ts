import { type Credential, checksumHolds } from "./api-key.ts";

/** No id of ours is longer, and no header that carries a credential. */
const ID_LENGTH_MAX = 128;
const SECRET_LENGTH_MAX = 1_024;
const BEARER = "bearer ";

/**
 * Reads `id.secret`, as `admin.key` and the API carry it; a line end is allowed. The problem tells how to mend and
 * never shows a part of the line.
 */
export function parseCredentialLine(line: string): Credential | { readonly problem: string } {
  const text = line.trim();
  if (text === "") return { problem: "the key is empty; it has the form id.secret" };
  const credential = split(text);
  if (credential === undefined) return { problem: "the key has not the form id.secret, on one line" };
  if (!checksumHolds(credential.secret)) {
    return { problem: "the secret is incomplete or mistyped (its checksum does not hold); copy the whole key again" };
  }
  return credential;
}

/**
 * The credential of an HTTP `Authorization: Bearer id.secret` (RFC 6750), or `undefined` when there is none of that
 * form. The secret's checksum is not asked here: whether a key is right is one decision, made where keys are known.
 */
export function parseBearer(authorization: string | undefined): Credential | undefined {
  if (authorization === undefined || authorization.length > BEARER.length + ID_LENGTH_MAX + SECRET_LENGTH_MAX) {
    return undefined;
  }
  if (authorization.slice(0, BEARER.length).toLowerCase() !== BEARER) return undefined;
  return split(authorization.slice(BEARER.length).trim());
}

function split(text: string): Credential | undefined {
  const dot = text.indexOf(".");
  if (dot < 1 || dot > ID_LENGTH_MAX) return undefined;
  const id = text.slice(0, dot);
  const secret = text.slice(dot + 1);
  if (secret === "" || secret.length > SECRET_LENGTH_MAX || !isVisible(id) || !isVisible(secret)) return undefined;
  return { id, secret };
}

/** Visible ASCII only: no spaces, no control characters, nothing to inject into a header or a log. */
function isVisible(text: string): boolean {
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    if (unit <= 0x20 || unit >= 0x7f) return false;
  }
  return true;
}
