import { MessError } from "../mess-error.ts";

/** Between values and payloads. What it throws makes the payload an invalid one. */
export interface Codec<Value = unknown> {
  encode(value: Value): Uint8Array;
  /** The bytes are the receiver's own. */
  decode(payload: Uint8Array): Value;
  /** Told to subscribers with each message. */
  readonly contentType?: string;
}

/** `json` (default), `text` (UTF-8) and `bytes` (as they are), or your own. */
export type CodecChoice = "json" | "text" | "bytes" | Codec;

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

const json: Codec = {
  contentType: "application/json",
  encode: (value) => {
    const text = JSON.stringify(value) as string | undefined;
    if (text === undefined) throw new TypeError(`${typeof value} has no JSON form`);
    return encoder.encode(text);
  },
  decode: (payload) => JSON.parse(decoder.decode(payload)) as unknown,
};

const text: Codec = {
  contentType: "text/plain;charset=utf-8",
  encode: (value) => {
    if (typeof value !== "string") throw new TypeError("it is not a string");
    return encoder.encode(value);
  },
  decode: (payload) => decoder.decode(payload),
};

const bytes: Codec = {
  encode: (value) => {
    if (!(value instanceof Uint8Array)) throw new TypeError("it is not a Uint8Array");
    // A copy: the message may wait for a connection, and the caller may use its bytes again.
    return value.slice();
  },
  decode: (payload) => payload,
};

const own: Readonly<Record<"json" | "text" | "bytes", Codec>> = { json, text, bytes };

/** @throws MessError INVALID_ARGUMENT */
export function codecOf(choice: CodecChoice = "json"): Codec {
  if (typeof choice === "object") return choice;
  const codec = Object.hasOwn(own, choice) ? own[choice] : undefined;
  if (codec !== undefined) return codec;
  throw new MessError("INVALID_ARGUMENT", `there is no codec "${choice}"`, { hint: 'use "json", "text" or "bytes"' });
}
