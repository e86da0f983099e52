import { createPublicKey, hash, type KeyObject, sign, verify } from "node:crypto";

/** C2SP signed-note: text, an empty line, and a line for each signature. */

/** Larger notes are not read. A witness adds about 120 bytes; the text of a checkpoint has about as many. */
export const NOTE_BYTES_MAX: number = 16 * 1_024;
const SIGNATURES_MAX = 100;
const SIGNATURE_LINE = /^\u2014 (\S+) ([A-Za-z0-9+/]+={0,2})$/;
/** Control characters that a note must not have: all but the line feed. */
const CONTROLS = /[\u0000-\u0009\u000b-\u001f]/;
const NAME = /^[^\s+]+$/u;
const ED25519_BYTES = 32;
const ED25519_SIGNATURE_BYTES = 64;
const KEY_ID_BYTES = 4;
const COSIGNATURE_TIME_BYTES = 8;
/** In front of the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo (RFC 8410). */
const SPKI_PREFIX = Buffer.from("302a300506032b6570032100", "hex");

/** `ed25519` signs the text; a `cosignature` signs a time and the text (C2SP tlog-cosignature). */
export type NoteKeyKind = "ed25519" | "cosignature";

const kindBytes: Readonly<Record<NoteKeyKind, number>> = { ed25519: 1, cosignature: 4 };

/** A key that notes are verified with. */
export interface VerifierKey {
  readonly name: string;
  readonly kind: NoteKeyKind;
  /** First four bytes of a hash over name, kind and key: which key a signature line means. */
  readonly id: Buffer;
  readonly key: KeyObject;
}

export interface NoteSignature {
  readonly name: string;
  readonly keyId: Buffer;
  readonly signature: Buffer;
}

export interface SignedNote {
  /** Ends with a line feed. */
  readonly text: string;
  readonly signatures: readonly NoteSignature[];
}

/** The verifier of an Ed25519 public key. Throws a `RangeError` for a name with spaces or a plus sign. */
export function verifierKey(name: string, key: KeyObject, kind: NoteKeyKind = "ed25519"): VerifierKey {
  if (!NAME.test(name)) throw new RangeError(`"${name}" is no name of a key: it must have no spaces and no plus sign`);
  return { name, kind, key, id: keyId(name, keyMaterial(key, kind)) };
}

/** `name+id+key`, as other programs take it. */
export function formatVerifierKey(verifier: VerifierKey): string {
  const material = keyMaterial(verifier.key, verifier.kind).toString("base64");
  return `${verifier.name}+${verifier.id.toString("hex")}+${material}`;
}

/** `undefined` when the text is no verifier key of a kind that is known here. */
export function parseVerifierKey(text: string): VerifierKey | undefined {
  const match = /^([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})$/u.exec(text);
  if (match === null) return undefined;
  const [, name = "", id = "", encoded = ""] = match;
  const material = fromBase64(encoded);
  if (material?.length !== 1 + ED25519_BYTES || keyId(name, material).toString("hex") !== id) return undefined;
  const kind = material[0] === kindBytes.ed25519 ? "ed25519" : "cosignature";
  if (material[0] !== kindBytes[kind]) return undefined;
  const der = Buffer.concat([SPKI_PREFIX, material.subarray(1)]);
  return { name, kind, id: Buffer.from(id, "hex"), key: createPublicKey({ key: der, format: "der", type: "spki" }) };
}

/** Signs text that ends with a line feed. */
export function signNote(text: string, verifier: VerifierKey, privateKey: KeyObject): SignedNote {
  const signature = sign(null, Buffer.from(text), privateKey);
  return { text, signatures: [{ name: verifier.name, keyId: verifier.id, signature }] };
}

export function formatNote(note: SignedNote): string {
  return `${note.text}\n${note.signatures.map(formatSignature).join("")}`;
}

function formatSignature({ name, keyId: id, signature }: NoteSignature): string {
  return `\u2014 ${name} ${Buffer.concat([id, signature]).toString("base64")}\n`;
}

/** `undefined` when the bytes are no note. Nothing is verified yet. */
export function parseNote(bytes: Uint8Array): SignedNote | undefined {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const note = source.toString("utf8");
  if (source.length > NOTE_BYTES_MAX || !Buffer.from(note, "utf8").equals(source) || CONTROLS.test(note)) {
    return undefined;
  }
  // The text may have empty lines: the last one parts it from the signatures.
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) return undefined;
  const signatures = parseSignatures(note.slice(end + 2));
  return signatures === undefined ? undefined : { text: note.slice(0, end + 1), signatures };
}

/** Signature lines, each with its line feed; at least one. */
export function parseSignatures(lines: string): NoteSignature[] | undefined {
  if (!lines.endsWith("\n")) return undefined;
  const signatures: NoteSignature[] = [];
  for (const line of lines.slice(0, -1).split("\n")) {
    const match = SIGNATURE_LINE.exec(line);
    const bytes = fromBase64(match?.[2] ?? "");
    const name = match?.[1];
    if (name === undefined || !NAME.test(name) || bytes === undefined || bytes.length <= KEY_ID_BYTES) return undefined;
    signatures.push({ name, keyId: bytes.subarray(0, KEY_ID_BYTES), signature: bytes.subarray(KEY_ID_BYTES) });
    if (signatures.length > SIGNATURES_MAX) return undefined;
  }
  return signatures;
}

/** `unsigned`: no signature of this key. `forged`: one that does not verify, and then the note counts for nothing. */
export type NoteVerdict = "verified" | "unsigned" | "forged";

export function verifyNote(note: SignedNote, verifier: VerifierKey): NoteVerdict {
  const own = note.signatures.find(({ name, keyId: id }) => name === verifier.name && id.equals(verifier.id));
  if (own === undefined) return "unsigned";
  return verifySignature(note.text, own, verifier) ? "verified" : "forged";
}

/** Whether the key made this signature of the text. */
export function verifySignature(text: string, { signature }: NoteSignature, verifier: VerifierKey): boolean {
  if (verifier.kind === "ed25519") {
    return signature.length === ED25519_SIGNATURE_BYTES && verify(null, Buffer.from(text), verifier.key, signature);
  }
  if (signature.length !== COSIGNATURE_TIME_BYTES + ED25519_SIGNATURE_BYTES) return false;
  const signed = Buffer.from(`cosignature/v1\ntime ${signature.readBigUInt64BE(0)}\n${text}`);
  return verify(null, signed, verifier.key, signature.subarray(COSIGNATURE_TIME_BYTES));
}

function keyMaterial(key: KeyObject, kind: NoteKeyKind): Buffer {
  const der = key.export({ format: "der", type: "spki" });
  return Buffer.concat([Buffer.of(kindBytes[kind]), der.subarray(der.length - ED25519_BYTES)]);
}

function keyId(name: string, material: Buffer): Buffer {
  return hash("sha256", Buffer.concat([Buffer.from(`${name}\n`), material]), "buffer").subarray(0, KEY_ID_BYTES);
}

/** `undefined` for what is not the one right spelling of some bytes. */
function fromBase64(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, "base64");
  return bytes.toString("base64") === text ? bytes : undefined;
}
