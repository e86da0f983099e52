/** Sets of code points, for patterns. */

export type CharacterSet = (codePoint: number) => boolean;
export type CharacterRange = readonly [first: number, last: number];

export function setOf(...ranges: readonly CharacterRange[]): CharacterSet {
  const [only] = ranges;
  if (ranges.length === 1 && only !== undefined) {
    const [first, last] = only;
    return (codePoint) => codePoint >= first && codePoint <= last;
  }
  return (codePoint) => ranges.some(([first, last]) => codePoint >= first && codePoint <= last);
}

export function union(sets: readonly CharacterSet[]): CharacterSet {
  return (codePoint) => sets.some((set) => set(codePoint));
}

export function complement(set: CharacterSet): CharacterSet {
  return (codePoint) => !set(codePoint);
}

/** ECMA-262: `\d`, `\w`, `\s`, and what `.` does not match. */
export const digits: CharacterSet = setOf([0x30, 0x39]);
export const wordCharacters: CharacterSet = setOf([0x30, 0x39], [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]);
export const spaces: CharacterSet = setOf(
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
);
export const lineEnds: CharacterSet = setOf([0x0a, 0x0a], [0x0d, 0x0d], [0x2028, 0x2029]);

/** Unicode's general categories that a pattern may name, each with its fixed expression. */
const categories: ReadonlyMap<string, RegExp> = new Map([
  ["L", /^\p{L}$/u],
  ["Letter", /^\p{L}$/u],
  ["Alphabetic", /^\p{Alphabetic}$/u],
  ["Lu", /^\p{Lu}$/u],
  ["Ll", /^\p{Ll}$/u],
  ["M", /^\p{M}$/u],
  ["N", /^\p{N}$/u],
  ["Nd", /^\p{Nd}$/u],
  ["P", /^\p{P}$/u],
  ["S", /^\p{S}$/u],
  ["Z", /^\p{Z}$/u],
  ["Zs", /^\p{Zs}$/u],
]);

export const categoryNames: readonly string[] = [...categories.keys()];

export function category(name: string): CharacterSet | undefined {
  const expression = categories.get(name);
  return expression && ((codePoint) => expression.test(String.fromCodePoint(codePoint)));
}
