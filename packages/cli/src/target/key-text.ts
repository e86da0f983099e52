import { configurationError } from "../cli-error.ts";

/** An API key taken apart. */
export interface Key {
  readonly id: string;
  readonly secret: string;
}

/** Longer is no key of ours, and reading it whole would be a mistake. */
export const keyTextBytesMax = 4096;

/**
 * Reads `id.secret`, as `admin.key` and `mess key create` write it. The text never appears in an error.
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

export function formatKey(key: Key): string {
  return `${key.id}.${key.secret}`;
}
