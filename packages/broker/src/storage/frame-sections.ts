import type { Confined, JournalFrame } from "../model/journal.ts";
import { RECORD_HEAD_BYTES } from "./record-area.ts";

/**
 * A frame with records of erasure domains has a section for each, after the one of the journal's own key. In that first
 * section such a record stands as its *head*: a record of this kind with its real kind (1), the number of the section
 * that holds the rest (2), bytes of the rest (4), and what of the body is not erased with the domain.
 */
export const HEAD_KIND = 202;
const HEAD_BYTES = 7;

export interface PlainSection {
  /** 0: the journal's own. */
  readonly domain: number;
  readonly plain: Buffer;
}

/** Bytes of all sections, and how many there are. */
export function sectionSizes(frame: JournalFrame): { readonly cipherBytes: number; readonly sections: number } {
  const { confined } = frame;
  if (confined === undefined) return { cipherBytes: frame.bytes.length, sections: 1 };
  const domains = new Set(confined.map(({ domain }) => domain));
  return { cipherBytes: frame.bytes.length + confined.length * HEAD_BYTES, sections: 1 + domains.size };
}

/** The record area as the sections that are sealed. */
export function splitSections(frame: JournalFrame): readonly PlainSection[] {
  const { bytes, confined = [], starts, ends, kinds } = frame;
  if (confined.length === 0) return [{ domain: 0, plain: bytes }];
  const numbers = new Map<number, number>();
  const rests: Buffer[][] = [];
  const own: Buffer[] = [];
  let done = 0;
  for (const { index, domain, from } of confined) {
    const start = starts[index]!;
    const end = ends[index]!;
    const number = numbers.get(domain) ?? rests.push([]);
    numbers.set(domain, number);
    rests[number - 1]!.push(bytes.subarray(from, end));
    const head = Buffer.alloc(RECORD_HEAD_BYTES + HEAD_BYTES);
    head.writeUInt32LE(1 + HEAD_BYTES + from - start, 0);
    head[4] = HEAD_KIND;
    head[5] = kinds[index]!;
    head.writeUInt16LE(number, 6);
    head.writeUInt32LE(end - from, 8);
    own.push(bytes.subarray(done, start - RECORD_HEAD_BYTES), head, bytes.subarray(start, from));
    done = end;
  }
  own.push(bytes.subarray(done));
  const domains = [...numbers.keys()];
  const others = rests.map((parts, i) => ({ domain: domains[i]!, plain: Buffer.concat(parts) }));
  return [{ domain: 0, plain: Buffer.concat(own) }, ...others];
}

/** A section as it was opened. */
export interface OpenedSection {
  readonly domain: number;
  readonly bytes: number;
  /** `undefined`: its key was destroyed. */
  readonly plain: Buffer | undefined;
}

/**
 * Puts the record area together again, with zeros for what is erased; `undefined` when the sections do not make
 * exactly `count` records of `length` bytes in all.
 */
export function joinSections(
  sections: readonly OpenedSection[],
  frame: { readonly firstSeq: number; readonly count: number; readonly length: number },
): JournalFrame | undefined {
  const own = sections[0]?.plain;
  if (own === undefined) return undefined;
  return new Joining(own, sections, frame).run();
}

class Joining {
  readonly #own: Buffer;
  readonly #sections: readonly OpenedSection[];
  readonly #frame: { readonly firstSeq: number; readonly count: number; readonly length: number };
  readonly #taken: number[];
  readonly #bytes: Buffer;
  readonly #starts: Uint32Array;
  readonly #ends: Uint32Array;
  readonly #kinds: Uint8Array;
  readonly #erased: Uint8Array;
  readonly #confined: Confined[] = [];
  #isErased = false;
  #to = 0;

  constructor(
    own: Buffer,
    sections: readonly OpenedSection[],
    frame: { readonly firstSeq: number; readonly count: number; readonly length: number },
  ) {
    const { count } = frame;
    this.#own = own;
    this.#sections = sections;
    this.#frame = frame;
    this.#taken = sections.map(() => 0);
    this.#bytes = Buffer.alloc(frame.length);
    this.#starts = new Uint32Array(count);
    this.#ends = new Uint32Array(count);
    this.#kinds = new Uint8Array(count);
    this.#erased = new Uint8Array(count);
  }

  run(): JournalFrame | undefined {
    const { firstSeq, count, length } = this.#frame;
    let at = 0;
    for (let index = 0; index < count; index++) {
      if (at + RECORD_HEAD_BYTES > this.#own.length) return undefined;
      const end = at + 4 + this.#own.readUInt32LE(at);
      if (end < at + RECORD_HEAD_BYTES || end > this.#own.length) return undefined;
      if (!this.#record(index, at + RECORD_HEAD_BYTES, end, this.#own[at + 4]!)) return undefined;
      at = end;
    }
    const isWhole = this.#sections.every(({ bytes }, i) => i === 0 || this.#taken[i] === bytes);
    if (at !== this.#own.length || this.#to !== length || !isWhole) return undefined;
    const frame = {
      firstSeq,
      count,
      bytes: this.#bytes,
      starts: this.#starts,
      ends: this.#ends,
      kinds: this.#kinds,
      confined: this.#confined,
    };
    const confined = { ...frame, confined: this.#confined };
    return this.#isErased ? { ...confined, erased: this.#erased } : confined;
  }

  #record(index: number, start: number, end: number, kind: number): boolean {
    if (kind !== HEAD_KIND) return this.#put(index, kind, { start, end, rest: 0, section: 0 });
    if (start + HEAD_BYTES > end) return false;
    const section = this.#own.readUInt16LE(start + 1);
    const rest = this.#own.readUInt32LE(start + 3);
    if (section < 1 || section >= this.#sections.length) return false;
    return this.#put(index, this.#own[start]!, { start: start + HEAD_BYTES, end, rest, section });
  }

  #put(
    index: number,
    kind: number,
    { start, end, rest, section }: { start: number; end: number; rest: number; section: number },
  ): boolean {
    const bodyBytes = end - start + rest;
    const body = this.#to + RECORD_HEAD_BYTES;
    if (body + bodyBytes > this.#bytes.length) return false;
    this.#bytes.writeUInt32LE(bodyBytes + 1, this.#to);
    this.#bytes[this.#to + 4] = kind;
    this.#own.copy(this.#bytes, body, start, end);
    this.#kinds[index] = kind;
    this.#starts[index] = body;
    this.#ends[index] = body + bodyBytes;
    this.#to = body + bodyBytes;
    return section === 0 || this.#fill(index, section, body + end - start, rest);
  }

  #fill(index: number, number: number, to: number, rest: number): boolean {
    const section = this.#sections[number]!;
    const from = this.#taken[number]!;
    if (from + rest > section.bytes) return false;
    this.#taken[number] = from + rest;
    this.#confined.push({ index, domain: section.domain, from: to });
    if (section.plain === undefined) {
      this.#erased[index] = 1;
      this.#isErased = true;
    } else section.plain.copy(this.#bytes, to, from, from + rest);
    return true;
  }
}
