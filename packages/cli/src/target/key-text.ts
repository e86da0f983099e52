import { configurationError } from "../cli-error.ts";

/** An API key taken apart. */
export interface Key {
  readonly id: string;
  readonly secret: string;
}

/** Longer is no key of ours and no JWT that the server takes, and reading it whole would be a mistake. */
export const keyTextBytesMax: number = 8 * 1024 + 2;

/**
 * Reads `id.secret`, as `admin.key` and `mess key create` write it, or a JWT. The text never appears in an error.
 *
 * @param source names where it came from, for the error
 */
export function parseKeyText(text: string, source: string): Key {
  const trimmed = text.trim();
  const dot = trimmed.indexOf(".");
  if (dot <= 0 || dot === trimmed.length - 1 || /\s/u.test(trimmed) || trimmed.length > keyTextBytesMax) {
    throw configurationError(
      `${source} does not hold a key`,
      "a key is one line, id.secret, as mess key create shows it",
    );
  }
  return { id: trimmed.slice(0, dot), secret: trimmed.slice(dot + 1) };
}

/** A JWT in two pieces: it goes to MQTT whole, as the password. */
export function isJwt(key: Key): boolean {
  return /^[\w-]+$/u.test(key.id) && /^[\w-]+\.[\w-]+$/u.test(key.secret);
}

export function formatKey(key: Key): string {
  return `${key.id}.${key.secret}`;
}
