import { type Bytes, fromBase64, joined, sameBytes, sha256, utf8 } from "./bytes.ts";

/** Larger notes are not read. */
const NOTE_CHARACTERS_MAX = 16_384;
const SIGNATURES_MAX = 100;
const ED25519 = 1;
const COSIGNATURE = 4;
const TIME_BYTES = 8;

/** What a log says of itself at one moment. */
export interface Checkpoint {
  /** Which log: `mess/` and the journal's id. */
  readonly origin: string;
  /** Leaves of the tree. */
  readonly size: number;
  readonly root: Uint8Array<ArrayBuffer>;
}

interface Verifier {
  readonly name: string;
  readonly kind: number;
  readonly id: Bytes;
  readonly key: Bytes;
}

interface Signature {
  readonly name: string;
  readonly id: Bytes;
  readonly bytes: Bytes;
}

/**
 * The checkpoint in a C2SP signed note, once its signature is verified.
 *
 * @param note the note, as `GET /v1/log/checkpoint` gives it
 * @param verifierKey `name+id+key`, from somewhere you trust: of the log, or of a witness that cosigned
 * @returns `undefined` when the text is no checkpoint, or this key did not sign it
 */
export async function readCheckpoint(note: string, verifierKey: string): Promise<Checkpoint | undefined> {
  const verifier = await readVerifierKey(verifierKey);
  const parts = split(note);
  if (verifier === undefined || parts === undefined) return undefined;
  const checkpoint = readText(parts.text);
  const own = parts.signatures.find(({ name, id }) => name === verifier.name && sameBytes(id, verifier.id));
  if (checkpoint === undefined || own === undefined) return undefined;
  // The log signs under its own name; a witness's key has another.
  if (verifier.kind === ED25519 && checkpoint.origin !== verifier.name) return undefined;
  return (await isSigned(parts.text, own, verifier)) ? checkpoint : undefined;
}

async function readVerifierKey(text: string): Promise<Verifier | undefined> {
  const [, name = "", id = "", encoded = ""] = /^([^\s+]+)\+([0-9a-f]{8})\+(\S+)$/u.exec(text.trim()) ?? [];
  const material = fromBase64(encoded);
  const kind = material?.[0];
  if (material?.length !== 33 || (kind !== ED25519 && kind !== COSIGNATURE)) return undefined;
  const expected = (await sha256(joined(utf8(`${name}\n`), material))).slice(0, 4);
  const hex = Array.from(expected, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex === id ? { name, kind, id: expected, key: material.slice(1) } : undefined;
}

function split(note: string): { text: string; signatures: Signature[] } | undefined {
  const end = note.lastIndexOf("\n\n");
  if (note.length > NOTE_CHARACTERS_MAX || end < 0 || !note.endsWith("\n")) return undefined;
  const lines = note.slice(end + 2, -1).split("\n");
  if (lines.length > SIGNATURES_MAX) return undefined;
  const signatures: Signature[] = [];
  for (const line of lines) {
    const [, name = "", encoded = ""] = /^\u2014 ([^\s+]+) (\S+)$/u.exec(line) ?? [];
    const bytes = fromBase64(encoded);
    if (name === "" || bytes === undefined || bytes.length <= 4) return undefined;
    signatures.push({ name, id: bytes.slice(0, 4), bytes: bytes.slice(4) });
  }
  return { text: note.slice(0, end + 1), signatures };
}

function readText(text: string): Checkpoint | undefined {
  const [origin = "", count = "", encoded = "", ...more] = text.split("\n");
  const size = Number(count);
  const root = fromBase64(encoded);
  if (origin === "" || more.pop() !== "" || more.includes("") || root?.length !== 32) return undefined;
  return /^(0|[1-9]\d*)$/.test(count) && Number.isSafeInteger(size) ? { origin, size, root } : undefined;
}

async function isSigned(text: string, { bytes }: Signature, { kind, key }: Verifier): Promise<boolean> {
  const isWitness = kind === COSIGNATURE;
  if (bytes.length !== (isWitness ? TIME_BYTES : 0) + 64) return false;
  const time = isWitness ? new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0) : 0n;
  const signed = utf8(isWitness ? `cosignature/v1\ntime ${time}\n${text}` : text);
  const signature = isWitness ? bytes.slice(TIME_BYTES) : bytes;
  const imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  return crypto.subtle.verify({ name: "Ed25519" }, imported, signature, signed);
}
