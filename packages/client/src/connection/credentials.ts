import { MessError } from "../mess-error.ts";

/** A key of mess: its id and its secret. */
export interface Credentials {
  readonly keyId: string;
  readonly secret: string;
}

/** Asked again for each connection. The signal fires when the answer is not needed any more. */
export type Ask<T> = (options: { readonly signal: AbortSignal }) => T | Promise<T>;

/**
 * Who the client is: a key or token as `token` (`KEYID.SECRET`, as `mess key create` and `mess token` print it; or a JWT of
 * an issuer that the server takes), or a key in its two parts. A function is asked again for each connection, so that keys
 * may be rotated, and tokens renewed, while the program runs.
 */
export type Auth = Credentials | { readonly token: string | Ask<string> } | Ask<Credentials>;

/** Whether asking again may bring another answer. */
export function mayChange(auth: Auth | undefined): boolean {
  return typeof auth === "function" || (auth !== undefined && "token" in auth && typeof auth.token === "function");
}

export async function credentialsOf(auth: Auth | undefined, signal: AbortSignal): Promise<Credentials | undefined> {
  if (auth === undefined) return undefined;
  try {
    if (typeof auth === "function") return await auth({ signal });
    if (!("token" in auth)) return auth;
    return splitToken(typeof auth.token === "function" ? await auth.token({ signal }) : auth.token);
  } catch (cause) {
    if (cause instanceof MessError) throw cause;
    // Where keys come from may be down for a while: worth another try.
    throw new MessError("NOT_AUTHORIZED", "the credentials could not be had: the callback failed", {
      cause,
      retryable: true,
    });
  }
}

/** A JWT says itself whose it is; the user name is for those who need one to send a password. */
const jwtUser = "jwt";

/** The text is not repeated in the error: it is a secret. */
function splitToken(token: string): Credentials {
  const text = typeof token === "string" ? token.trim() : "";
  const parts = text.split(".");
  const [keyId = "", secret = ""] = parts;
  if (!parts.includes("")) {
    if (parts.length === 2) return { keyId, secret };
    if (parts.length === 3) return { keyId: jwtUser, secret: text };
  }
  throw new MessError("INVALID_ARGUMENT", "the token is neither a key of mess nor a JWT", {
    hint: "a key is KEYID.SECRET, as mess key create prints it",
  });
}
