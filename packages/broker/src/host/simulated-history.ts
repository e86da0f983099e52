import { crc32 } from "node:zlib";

export interface Noted {
  readonly who: number;
  readonly detail: number;
  readonly bytes?: Uint8Array | undefined;
}

/** Folds every operation of a simulation into 64 bits, so that two runs can be compared. */
export class History {
  /** One line an operation, when the trace is on. */
  readonly lines: string[] = [];
  readonly #traced: boolean;
  readonly #codes: Map<string, number> = new Map();
  #low = 0x811c9dc5 | 0;
  #high = 0x1b873593 | 0;

  constructor(traced: boolean) {
    this.#traced = traced;
  }

  /** `at` is simulated microseconds; `who` and `detail` are any numbers that tell one operation from another. */
  note(what: string, at: number, { who, detail, bytes }: Noted): void {
    this.#fold(this.#code(what));
    this.#fold(at);
    this.#fold(at / 0x1_0000_0000);
    this.#fold(who);
    this.#fold(detail);
    if (bytes !== undefined) {
      this.#fold(bytes.length);
      this.#fold(crc32(bytes));
    }
    if (this.#traced)
      this.lines.push(`${at} ${what} #${who} ${detail}${bytes === undefined ? "" : ` ${bytes.length} B`}`);
  }

  hash(): string {
    const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, "0");
    return hex(this.#high) + hex(this.#low);
  }

  #code(what: string): number {
    let code = this.#codes.get(what);
    if (code === undefined) {
      code = 0;
      for (const byte of Buffer.from(what)) code = Math.imul(code ^ byte, 0x01000193);
      this.#codes.set(what, code);
    }
    return code;
  }

  #fold(word: number): void {
    this.#low = Math.imul(this.#low ^ (word | 0), 0x01000193);
    this.#high = Math.imul(this.#high ^ this.#low, 0x85ebca6b) ^ (this.#high >>> 13);
  }
}
