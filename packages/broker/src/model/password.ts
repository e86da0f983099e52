/** Passwords: what is kept of them, and what the administrative side does with them. */

/** What is kept of a password (RFC 5802 section 3). Nobody can log in with it, and no password is known by it. */
export interface PasswordVerifier {
  readonly salt: Uint8Array;
  readonly iterations: number;
  /** H(ClientKey) and ServerKey, 32 bytes each. */
  readonly storedKey: Uint8Array;
  readonly serverKey: Uint8Array;
}

export interface PasswordRecord extends PasswordVerifier {
  readonly principal: string;
  /** Wall-clock milliseconds. */
  readonly setAt: number;
}

/** All have salts of this length, so that the challenge of an unknown name looks like one of a known name. */
export const saltBytes = 16;
export const scramKeyBytes = 32;
/** RFC 7677 says 4096 at least, and to raise it with the years; a device without much power needs less than a person. */
export const iterationsMin = 15_000;
export const iterationsMax = 10_000_000;
/** OWASP, for PBKDF2 with SHA-256. Names without a password answer with it. */
export const iterationsDefault = 600_000;

export interface PasswordView {
  readonly principal: string;
  readonly iterations: number;
  readonly setAt: number;
}

export interface PasswordAdministration {
  /**
   * Sets or replaces the password of a principal of the policy, by its verifier: the broker never sees the password. Who
   * is connected by the one before is so no more. Refused where the principal's rights exceed those of `by`.
   */
  set(by: string, principal: string, verifier: PasswordVerifier): Promise<void>;
  /** Ends connections that came by it. */
  remove(by: string, principal: string): Promise<void>;
  list(): readonly PasswordView[];
}

/** Id of a password as a credential: there is one for each principal. */
export function passwordKeyId(principal: string): string {
  return `password:${principal}`;
}
