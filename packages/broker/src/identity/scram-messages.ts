/** The messages of SCRAM (RFC 5802 section 7, RFC 7677), read and written; nothing is computed here. */

import { isUtf8 } from "node:buffer";

export interface ClientFirst {
  /** `n`: the client knows no channel binding; `y`: it does and believes that we do not; `p`: it binds. */
  readonly flag: "n" | "y" | "p";
  /** Name of the channel binding with `p`, else empty. */
  readonly bindingName: string;
  /** Up to and with the second comma: `c=` of the last message repeats it. */
  readonly gs2Header: string;
  /** What follows it, as it came: part of what is signed. */
  readonly bare: string;
  readonly username: string;
  readonly nonce: string;
}

export interface ClientFinal {
  /** Decoded `c=`: the header, and the binding data behind it. */
  readonly binding: Buffer;
  readonly nonce: string;
  readonly proof: Buffer;
  /** All before `,p=`, as it came: part of what is signed. */
  readonly withoutProof: string;
}

/** Longer messages are not looked at. A name of 128 bytes may be written with three characters each. */
const lengthMax = 2_048;
const nonceLengthMax = 256;
/** Printable ASCII but the comma. */
const nonceForm = /^[\x21-\x2b\x2d-\x7e]+$/;
const bindingNameForm = /^[A-Za-z0-9.-]+$/;
const extensionForm = /^[A-Za-z]=[^\0,]+$/;

/** `undefined` for what is no client-first-message, or one that asks for what is not there (an extension it must have). */
export function readClientFirst(data: Uint8Array): ClientFirst | undefined {
  const text = readText(data);
  if (text === undefined) return undefined;
  const [flagPart, authzid, ...rest] = text.split(",");
  if (flagPart === undefined || authzid === undefined) return undefined;
  const flag = readFlag(flagPart);
  // An authorization identity would be somebody else to act as; there is nobody who may.
  if (flag === undefined || authzid !== "") return undefined;
  const [namePart = "", noncePart = "", ...extensions] = rest;
  const username = namePart.startsWith("n=") ? readName(namePart.slice(2)) : undefined;
  const nonce = readNonce(noncePart);
  if (username === undefined || nonce === undefined || !extensions.every((part) => extensionForm.test(part))) {
    return undefined;
  }
  return { ...flag, gs2Header: `${flagPart},,`, bare: rest.join(","), username, nonce };
}

export function readClientFinal(data: Uint8Array): ClientFinal | undefined {
  const text = readText(data);
  const at = text?.lastIndexOf(",p=") ?? -1;
  if (text === undefined || at < 0) return undefined;
  const withoutProof = text.slice(0, at);
  const [bindingPart = "", noncePart = "", ...extensions] = withoutProof.split(",");
  const binding = bindingPart.startsWith("c=") ? readBase64(bindingPart.slice(2)) : undefined;
  const nonce = readNonce(noncePart);
  const proof = readBase64(text.slice(at + 3));
  if (binding === undefined || nonce === undefined || proof === undefined) return undefined;
  if (!extensions.every((part) => extensionForm.test(part))) return undefined;
  return { binding, nonce, proof, withoutProof };
}

export function writeServerFirst(nonce: string, salt: Uint8Array, iterations: number): string {
  return `r=${nonce},s=${Buffer.from(salt).toString("base64")},i=${iterations}`;
}

export function writeServerFinal(signature: Uint8Array): string {
  return `v=${Buffer.from(signature).toString("base64")}`;
}

function readText(data: Uint8Array): string | undefined {
  if (data.length > lengthMax || data.includes(0) || !isUtf8(data)) return undefined;
  return Buffer.from(data).toString("utf8");
}

function readFlag(part: string): Pick<ClientFirst, "flag" | "bindingName"> | undefined {
  if (part === "n" || part === "y") return { flag: part, bindingName: "" };
  const name = part.slice(2);
  return part.startsWith("p=") && bindingNameForm.test(name) ? { flag: "p", bindingName: name } : undefined;
}

/** `=2C` is a comma and `=3D` an equals sign; another use of the equals sign is an error. */
function readName(text: string): string | undefined {
  if (text === "" || /=(?!2C|3D)/.test(text)) return undefined;
  return text.replaceAll("=2C", ",").replaceAll("=3D", "=");
}

function readNonce(part: string): string | undefined {
  const nonce = part.slice(2);
  return part.startsWith("r=") && nonce.length <= nonceLengthMax && nonceForm.test(nonce) ? nonce : undefined;
}

/** In its one form: what two texts mean is not the same message twice. */
function readBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}
