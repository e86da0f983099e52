import fc from "fast-check";

/** MQTT 5.0 section 4.7, as plainly as it can be said: what the fast forms are compared with. */
export function referenceMatches(filter: string, topic: string): boolean {
  const wanted = filter.split("/");
  const levels = topic.split("/");
  if (topic.startsWith("$") && (wanted[0] === "+" || wanted[0] === "#")) return false;
  const all = wanted.at(-1) === "#";
  const fixed = all ? wanted.slice(0, -1) : wanted;
  if (all ? levels.length < fixed.length : levels.length !== fixed.length) return false;
  return fixed.every((level, index) => level === "+" || level === levels[index]);
}

/** Names that break code which takes names for something else (LESSONS 1, 36), and the empty level. */
export const hostileLevels: readonly string[] = [
  "",
  "a",
  "b",
  "$x",
  "$SYS",
  "__proto__",
  "constructor",
  "toString",
  ".*",
  "(a+)+$",
  "é",
  "e\u0301",
  "日本",
  "\u{1F600}",
  "a-level-longer-than-thirteen-units",
];

const levels = fc.constantFrom(...hostileLevels);

export const topicNames: fc.Arbitrary<string> = fc
  .array(levels, { minLength: 1, maxLength: 5 })
  .map((parts) => parts.join("/"))
  .filter((name) => name.length > 0);

export const topicFilters: fc.Arbitrary<string> = fc
  .tuple(fc.array(fc.oneof(levels, fc.constant("+")), { maxLength: 4 }), fc.boolean())
  .map(([parts, all]) => [...parts, ...(all ? ["#"] : [])].join("/"))
  .filter((filter) => filter.length > 0);

/** Every sequence of `alphabet` of 1 to `most` levels, joined. */
export function everyName(alphabet: readonly string[], most: number): string[] {
  const names: string[] = [];
  let before = [...alphabet];
  for (let depth = 1; depth <= most; depth++) {
    names.push(...before);
    before = before.flatMap((name) => alphabet.map((level) => `${name}/${level}`));
  }
  return names.filter((name) => name.length > 0);
}

/** Every valid filter over `alphabet` and `+`, with and without `#`, of at most `most` levels before the `#`. */
export function everyFilter(alphabet: readonly string[], most: number): string[] {
  const plain = everyName([...alphabet, "+"], most);
  return [...plain, "#", ...plain.map((filter) => `${filter}/#`), "/#"].filter((f, i, all) => all.indexOf(f) === i);
}
