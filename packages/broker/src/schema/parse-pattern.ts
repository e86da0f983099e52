/**
 * Regular expressions of schemas (ECMA-262 with the flag `u`), parsed here so that they can be run in bounded time: the
 * platform's own engine backtracks, and one `(a+)+$` in a schema would stop the broker (LESSONS 36). What needs
 * backtracking (references back, looking around) is refused.
 */
import {
  type CharacterRange,
  type CharacterSet,
  category,
  categoryNames,
  complement,
  digits,
  lineEnds,
  setOf,
  spaces,
  union,
  wordCharacters,
} from "./character-set.ts";

export type Assertion = "start" | "end" | "boundary" | "no-boundary";

export type PatternPart =
  | { readonly kind: "set"; readonly set: CharacterSet }
  | { readonly kind: "assertion"; readonly assertion: Assertion }
  | { readonly kind: "all"; readonly parts: readonly PatternPart[] }
  | { readonly kind: "any"; readonly parts: readonly PatternPart[] }
  | { readonly kind: "repeat"; readonly part: PatternPart; readonly least: number; readonly most: number };

/** Why a pattern cannot be used. */
export class PatternProblem extends Error {}

const lengthMax = 1_000;
const groupDepthMax = 32;
const repeatMax = 1_000;
const escapes: ReadonlyMap<string, number> = new Map([
  ["t", 0x09],
  ["n", 0x0a],
  ["v", 0x0b],
  ["f", 0x0c],
  ["r", 0x0d],
  ["0", 0x00],
]);
const syntax = "^$\\.*+?()[]{}|/";

/** Throws `PatternProblem`. */
export function parsePattern(text: string): PatternPart {
  if (text.length > lengthMax) throw new PatternProblem(`has at most ${lengthMax} characters`);
  return new PatternParser(text).parse();
}

class PatternParser {
  readonly #characters: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(text: string) {
    this.#characters = [...text];
  }

  parse(): PatternPart {
    const part = this.#alternatives();
    if (this.#at < this.#characters.length) throw new PatternProblem("has a `)` that closes nothing");
    return part;
  }

  get #next(): string | undefined {
    return this.#characters[this.#at];
  }

  #take(character: string): boolean {
    if (this.#next !== character) return false;
    this.#at++;
    return true;
  }

  #alternatives(): PatternPart {
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    return parts.length === 1 ? (parts[0] as PatternPart) : { kind: "any", parts };
  }

  #sequence(): PatternPart {
    const parts: PatternPart[] = [];
    while (this.#next !== undefined && this.#next !== "|" && this.#next !== ")") parts.push(this.#repeated());
    return { kind: "all", parts };
  }

  #repeated(): PatternPart {
    const part = this.#atom();
    const range = this.#quantifier();
    if (range === undefined) return part;
    if (part.kind === "assertion") throw new PatternProblem("repeats what matches no character");
    // Whether it takes much or little first makes no difference to whether there is a match.
    this.#take("?");
    if (this.#quantifier() !== undefined) throw new PatternProblem("has one repetition after another");
    return { kind: "repeat", part, least: range[0], most: range[1] };
  }

  #quantifier(): CharacterRange | undefined {
    if (this.#take("*")) return [0, Number.POSITIVE_INFINITY];
    if (this.#take("+")) return [1, Number.POSITIVE_INFINITY];
    if (this.#take("?")) return [0, 1];
    if (!this.#take("{")) return undefined;
    const least = this.#number();
    const most = this.#take(",") ? (this.#next === "}" ? Number.POSITIVE_INFINITY : this.#number()) : least;
    if (!this.#take("}")) throw new PatternProblem("has a `{` that begins no repetition; a literal one is `\\{`");
    if (least > most) throw new PatternProblem("repeats at least more often than at most");
    return [least, most];
  }

  #number(): number {
    let text = "";
    while (this.#next !== undefined && digits(this.#next.charCodeAt(0)) && text.length < 5) {
      text += this.#next;
      this.#at++;
    }
    const value = Number(text);
    if (text === "") throw new PatternProblem("has a `{` that begins no repetition; a literal one is `\\{`");
    if (value > repeatMax) throw new PatternProblem(`repeats at most ${repeatMax} times`);
    return value;
  }

  #atom(): PatternPart {
    const character = this.#characters[this.#at++] as string;
    switch (character) {
      case "(":
        return this.#group();
      case "[":
        return { kind: "set", set: this.#class() };
      case ".":
        return { kind: "set", set: complement(lineEnds) };
      case "^":
        return { kind: "assertion", assertion: "start" };
      case "$":
        return { kind: "assertion", assertion: "end" };
      case "\\":
        if (this.#take("b")) return { kind: "assertion", assertion: "boundary" };
        if (this.#take("B")) return { kind: "assertion", assertion: "no-boundary" };
        return { kind: "set", set: this.#escape() };
      case "*":
      case "+":
      case "?":
        throw new PatternProblem(`has a \`${character}\` that repeats nothing`);
      case "]":
      case "{":
      case "}":
        throw new PatternProblem(`has a lone \`${character}\`; a literal one is \`\\${character}\``);
      default:
        return { kind: "set", set: one(codeOf(character)) };
    }
  }

  #group(): PatternPart {
    if (this.#take("?") && !this.#take(":")) this.#groupName();
    this.#depth++;
    if (this.#depth > groupDepthMax) throw new PatternProblem(`nests groups at most ${groupDepthMax} deep`);
    const part = this.#alternatives();
    this.#depth--;
    if (!this.#take(")")) throw new PatternProblem("has a `(` that nothing closes");
    return part;
  }

  #groupName(): void {
    const isName = this.#take("<") && this.#next !== "=" && this.#next !== "!";
    if (!isName) throw new PatternProblem("looks ahead or behind, or sets flags; that is not supported");
    while (this.#next !== undefined && this.#next !== ">") this.#at++;
    this.#at++;
  }

  #class(): CharacterSet {
    const isNegated = this.#take("^");
    const sets: CharacterSet[] = [];
    while (!this.#take("]")) {
      const first = this.#classItem();
      if (this.#next !== "-" || this.#characters[this.#at + 1] === "]") {
        sets.push(typeof first === "number" ? one(first) : first);
        continue;
      }
      this.#at++;
      const last = this.#classItem();
      if (typeof first !== "number" || typeof last !== "number" || first > last) {
        throw new PatternProblem("has a range in brackets that is none");
      }
      sets.push(setOf([first, last]));
    }
    return isNegated ? complement(union(sets)) : union(sets);
  }

  /** One character as its code point, or a set such as `\d`. */
  #classItem(): number | CharacterSet {
    const character = this.#characters[this.#at++];
    if (character === undefined) throw new PatternProblem("has a `[` that nothing closes");
    if (character !== "\\") return codeOf(character);
    if (this.#take("b")) return 0x08;
    if (this.#take("-")) return 0x2d;
    return this.#namedSet() ?? this.#escapedCharacter();
  }

  #escape(): CharacterSet {
    return this.#namedSet() ?? one(this.#escapedCharacter());
  }

  #namedSet(): CharacterSet | undefined {
    const sets: Readonly<Record<string, CharacterSet>> = { d: digits, w: wordCharacters, s: spaces };
    const letter = this.#next ?? "";
    const lower = letter.toLowerCase();
    if (lower === "p") return this.#category();
    const set = Object.hasOwn(sets, lower) ? sets[lower] : undefined;
    if (set === undefined) return undefined;
    this.#at++;
    return letter === lower ? set : complement(set);
  }

  #category(): CharacterSet {
    const isNegated = this.#characters[this.#at++] === "P";
    let name = "";
    if (this.#take("{")) {
      while (this.#next !== undefined && this.#next !== "}") name += this.#characters[this.#at++];
      this.#at++;
    }
    const set = category(name);
    if (set === undefined) throw new PatternProblem(`names a category other than ${categoryNames.join(", ")}`);
    return isNegated ? complement(set) : set;
  }

  #escapedCharacter(): number {
    const character = this.#characters[this.#at++];
    if (character === undefined) throw new PatternProblem("ends in a `\\`");
    if (character === "x") return this.#hexadecimal(2);
    if (character === "u") return this.#unicode();
    const known = escapes.get(character);
    if (known !== undefined) return known;
    if (syntax.includes(character)) return codeOf(character);
    if (/[1-9k]/.test(character)) throw new PatternProblem("refers back to a group; that is not supported");
    throw new PatternProblem(`has the unknown escape \`\\${character}\``);
  }

  #unicode(): number {
    if (this.#take("{")) {
      const end = this.#characters.indexOf("}", this.#at);
      const code = end < 0 ? Number.NaN : this.#hexadecimal(end - this.#at);
      this.#at++;
      if (code <= 0x10ffff) return code;
      throw new PatternProblem("has a `\\u{…}` that is no character");
    }
    const high = this.#hexadecimal(4);
    const isPair = high >= 0xd800 && high <= 0xdbff && this.#next === "\\" && this.#characters[this.#at + 1] === "u";
    if (!isPair) return high;
    this.#at += 2;
    const low = this.#hexadecimal(4);
    if (low < 0xdc00 || low > 0xdfff) throw new PatternProblem("has half of a surrogate pair");
    return 0x10000 + (high - 0xd800) * 0x400 + (low - 0xdc00);
  }

  #hexadecimal(length: number): number {
    const text = this.#characters.slice(this.#at, this.#at + length).join("");
    this.#at += length;
    if (length < 1 || length > 8 || !/^[0-9A-Fa-f]+$/.test(text) || text.length !== length) {
      throw new PatternProblem("has a broken `\\x` or `\\u`");
    }
    return Number.parseInt(text, 16);
  }
}

function one(codePoint: number): CharacterSet {
  return (other) => other === codePoint;
}

function codeOf(character: string): number {
  return character.codePointAt(0) as number;
}
