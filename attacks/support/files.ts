/** Files as an attacker with the disk sees and changes them. */
import { cpSync, lstatSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

/** Every file below a directory, with its path. What disappears meanwhile is left out: journals rename their files. */
export function filesBelow(directory: string): string[] {
  const all = readdirSync(directory, { recursive: true }) as string[];
  return all.map((name) => join(directory, name)).filter((path) => kindOf(path) === "file");
}

function kindOf(path: string): "file" | "other" {
  try {
    return lstatSync(path).isFile() ? "file" : "other";
  } catch {
    return "other";
  }
}

/** `FILE: WORD` for each word that stands in a file, as it is, in UTF-16 or in base64. */
export function readable(directory: string, words: readonly string[]): string[] {
  const found: string[] = [];
  for (const path of filesBelow(directory)) {
    const content = contentOf(path);
    // segments are files of zeros until they are written
    const bytes = content.subarray(0, written(content));
    for (const word of words) {
      const base64 = Buffer.from(word).toString("base64").replaceAll("=", "");
      const forms = [Buffer.from(word), Buffer.from(word, "utf16le"), Buffer.from(base64)];
      if (forms.some((form) => bytes.includes(form))) found.push(`${basename(path)}: ${word}`);
    }
  }
  return found;
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch {
    return Buffer.alloc(0);
  }
}

/** A directory that goes away with the process. */
export function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "attack-"));
  process.once("exit", () => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A copy of a data directory of mess and of the key beside it; sockets and spare segments are left out. */
export function copyOfData(dataDir: string): string {
  const to = join(scratch(), "data");
  cpSync(dataDir, to, { recursive: true, filter: (path) => !/\.sock$|\/spare-/.test(path) });
  cpSync(`${dataDir}.kek`, `${to}.kek`);
  return to;
}

const block = 64 * 1_024;
const zeros = Buffer.alloc(block);

/** Where the written part of a file of zeros ends. */
export function written(bytes: Buffer): number {
  let end = bytes.length;
  while (end >= block && bytes.compare(zeros, 0, block, end - block, end) === 0) end -= block;
  while (end > 0 && bytes[end - 1] === 0) end -= 1;
  return end;
}

export function segmentsOf(dataDir: string): string[] {
  const names = readdirSync(dataDir).filter((name) => name.startsWith("segment-"));
  return names.sort().map((name) => join(dataDir, name));
}
