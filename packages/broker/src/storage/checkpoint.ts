import { HASH_BYTES } from "./merkle.ts";

/** What a checkpoint says (C2SP tlog-checkpoint): the log, how many leaves it has, and the root of their tree. */
export interface Checkpoint {
  readonly origin: string;
  readonly size: number;
  readonly root: Buffer;
}

/** The text that is signed. */
export function formatCheckpoint({ origin, size, root }: Checkpoint): string {
  return `${origin}\n${size}\n${root.toString("base64")}\n`;
}

/** `undefined` when the text of a note is no checkpoint. Extension lines are passed over: they say nothing here. */
export function parseCheckpoint(text: string): Checkpoint | undefined {
  const [origin = "", count = "", encoded = "", ...extensions] = text.split("\n");
  // The last line feed leaves an empty piece behind it; no line may be empty.
  if (origin === "" || extensions.pop() !== "" || extensions.includes("")) return undefined;
  const size = Number(count);
  if (!/^(0|[1-9][0-9]*)$/.test(count) || !Number.isSafeInteger(size)) return undefined;
  const root = Buffer.from(encoded, "base64");
  if (root.length !== HASH_BYTES || root.toString("base64") !== encoded) return undefined;
  return { origin, size, root };
}
