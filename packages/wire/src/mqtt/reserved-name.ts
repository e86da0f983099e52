/** What user properties of this name begin with is between client and broker, and does not travel on. */
export const RESERVED_PREFIX = "mess-";

const prefix: Uint8Array = Uint8Array.from(RESERVED_PREFIX, (character) => character.charCodeAt(0));

/** Does the name of the user property at `at` begin with it? The bytes are a whole user property. */
export function isReserved(bytes: Uint8Array, at: number): boolean {
  const length = ((bytes[at + 1] as number) << 8) | (bytes[at + 2] as number);
  if (length < prefix.length) return false;
  for (let index = 0; index < prefix.length; index++) if (bytes[at + 3 + index] !== prefix[index]) return false;
  return true;
}
