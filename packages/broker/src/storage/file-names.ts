/** Names inside the data directory. Fixed width, so that a listing sorts by age. */
export const KEYRING_FILE = "keyring";
/** Keys of erasure domains, one a slot: the keyring says which of the two it is. */
export const ERASURE_FILES = ["erasure-keys", "erasure-keys-2"] as const;
export type ErasureFile = (typeof ERASURE_FILES)[number];
export const HEAD_FILE = "HEAD";
/** The last signed checkpoint, and the key that signs. */
export const CHECKPOINT_FILE = "checkpoint";
/** The largest checkpoint that witnesses cosigned. */
export const COSIGNED_FILE = "checkpoint.cosigned";
export const CHECKPOINT_KEY_FILE = "checkpoint.key.sealed";
/** In a directory whose restore has not been verified yet. */
export const RESTORE_MARK = "restore-unfinished";

const SEGMENT = /^segment-(\d{10})\.mess$/;
const SPARE = /^spare-\d{10}\.(zeroing|zeroed)$/;

export function segmentName(id: number): string {
  return `segment-${String(id).padStart(10, "0")}.mess`;
}

/** A spare is `zeroing` until its zeros are on disk; only then may it become a segment. */
export function spareName(number: number, state: "zeroing" | "zeroed"): string {
  return `spare-${String(number).padStart(10, "0")}.${state}`;
}

export type FileKind =
  | { readonly kind: "segment"; readonly id: number }
  | { readonly kind: "spare"; readonly zeroed: boolean }
  /** Looks like ours and is not: a reason to refuse. */
  | { readonly kind: "foreign" }
  | { readonly kind: "other" };

export function classifyFile(name: string): FileKind {
  const segment = SEGMENT.exec(name);
  if (segment !== null) {
    const id = Number(segment[1]);
    return id >= 1 && id < 2 ** 32 ? { kind: "segment", id } : { kind: "foreign" };
  }
  const spare = SPARE.exec(name);
  if (spare !== null) return { kind: "spare", zeroed: spare[1] === "zeroed" };
  return name.startsWith("segment-") || name.startsWith("spare-") ? { kind: "foreign" } : { kind: "other" };
}
