import { MessError } from "../mess-error.ts";

/** RFC 3454, tables C.1.2 and B.1: other spaces are spaces, and what is not seen is nothing. */
const otherSpaces = /[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]/gu;
const nothing = /[\u00ad\u1806\u200b\u200c\u2060\ufeff]|\u034f|\u200d|[\u180b-\u180d]|[\ufe00-\ufe0f]/gu;
/** Tables C.2 to C.9: control, private use, surrogates, noncharacters, marks of direction, tags. */
const prohibited =
  /[\p{Cc}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}\u06dd\u070f\u180e\u2028-\u202e\u2061-\u206f\ufff9-\ufffd\u2ff0-\u2ffb]|[\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}]/u;
/**
 * A user name or password as SCRAM takes it: SASLprep (RFC 4013), so that the same text typed on another keyboard is the
 * same password. Text that mixes directions of writing is not refused.
 *
 * @throws MessError for what no password can hold. It is not repeated in the error
 */
export function prepared(text: string, what: string): string {
  const result = text.replace(otherSpaces, " ").replace(nothing, "").normalize("NFKC");
  if (result === "") throw new MessError("INVALID_ARGUMENT", `the ${what} is empty`);
  if (prohibited.test(result)) {
    throw new MessError("INVALID_ARGUMENT", `the ${what} holds a control character or another one that is not allowed`);
  }
  return result;
}
