import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { patternCovers, patternMatches, patternProblem, patternsOverlap } from "./topic-pattern.ts";

const bounds = { bytesMax: 1_024, levelsMax: 64 };

/** Every topic of up to four levels over a small alphabet: enough to tell any two small patterns apart. */
const alphabet = ["a", "b", "c", "", "$x", "$y"];
const topics = [1, 2, 3, 4].flatMap((depth) => combinations(depth));

function combinations(depth: number): string[] {
  if (depth === 1) return alphabet;
  return combinations(depth - 1).flatMap((head) => alphabet.map((level) => `${head}/${level}`));
}

/** The standard's words, as plainly as they can be coded. */
function referenceMatches(pattern: string[], topic: string[]): boolean {
  if (topic[0]?.startsWith("$") === true && (pattern[0] === "+" || pattern[0] === "#")) return false;
  const [level, ...rest] = pattern;
  if (level === "#") return true;
  if (level === undefined || topic.length === 0) return level === undefined && topic.length === 0;
  return (level === "+" || level === topic[0]) && tailMatches(rest, topic.slice(1));
}

function tailMatches(pattern: string[], topic: string[]): boolean {
  const [level, ...rest] = pattern;
  if (level === "#") return true;
  if (level === undefined || topic.length === 0) return level === undefined && topic.length === 0;
  return (level === "+" || level === topic[0]) && tailMatches(rest, topic.slice(1));
}

// "c" and "$y" stay out of the patterns: they stand for the names that no pattern mentions.
const patterns = fc
  .tuple(fc.array(fc.constantFrom("a", "b", "", "$x", "+"), { minLength: 0, maxLength: 3 }), fc.boolean())
  .map(([levels, all]) => (all || levels.length === 0 ? [...levels, "#"] : levels).join("/"))
  .filter((pattern) => pattern !== "");

describe("patternMatches", () => {
  it.each([
    ["a/b", "a/b", true],
    ["a/b", "a/bc", false],
    ["a/b", "a", false],
    ["a", "a/b", false],
    ["a/+", "a/", true],
    ["a/+", "a", false],
    ["a/+/c", "a/b/c", true],
    ["a/#", "a", true],
    ["a/#", "a/b/c", true],
    ["a/#", "ab", false],
    ["+/+", "/x", true],
    ["+", "/x", false],
    ["/+", "/x", true],
    ["#", "$SYS/x", false],
    ["+/x", "$SYS/x", false],
    ["$SYS/#", "$SYS/x", true],
    ["a/+", "a/$x", true],
    ["a/b", "a/+", false],
    ["a/+", "a/+", true],
  ])("%s on %s is %s", (pattern, topic, expected) => {
    expect(patternMatches(pattern, topic)).toBe(expected);
    expect(patternMatches(pattern.split("/"), topic)).toBe(expected);
  });

  it("equals the reference on every small topic", () => {
    fc.assert(
      fc.property(patterns, (pattern) => {
        for (const topic of topics) {
          expect([topic, patternMatches(pattern, topic)]).toEqual([
            topic,
            referenceMatches(pattern.split("/"), topic.split("/")),
          ]);
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("patternCovers and patternsOverlap", () => {
  it("say exactly what the sets of matched topics say", () => {
    const matched = (pattern: string): Set<string> => new Set(topics.filter((topic) => patternMatches(pattern, topic)));
    fc.assert(
      fc.property(patterns, patterns, (a, b) => {
        const left = matched(a);
        const right = matched(b);
        expect(patternCovers(a, b)).toBe([...right].every((topic) => left.has(topic)));
        const overlap = [...right].some((topic) => left.has(topic));
        expect(patternsOverlap(a, b)).toBe(overlap);
        expect(patternsOverlap(b, a)).toBe(overlap);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ["#", "a/b/#", true],
    ["#", "$SYS/#", false],
    ["+/#", "#", true],
    ["a/#", "a", true],
    ["a/+/#", "a/#", false],
    ["a/+", "a/#", false],
    ["+", "$x", false],
    ["a/b", "a/+", false],
    ["a/#", "a/+/b", true],
  ])("%s covers %s: %s", (allow, wanted, expected) => {
    expect(patternCovers(allow, wanted)).toBe(expected);
  });
});

describe("patternProblem", () => {
  it.each(["a", "/", "+", "#", "a/#", "a//b", "a/+/b", "ä/ö", "a/{x}", "a".repeat(1_024)])("takes %s", (filter) => {
    expect(patternProblem(filter, bounds)).toBeUndefined();
  });

  it.each(["", "a#", "#/a", "a/#/b", "a+/b", "a/+b", "\u0000", "a\r\nb", "\ud800", "ä".repeat(513), "/".repeat(64)])(
    "refuses %j",
    (filter) => {
      expect(patternProblem(filter, bounds)).toBeTypeOf("string");
    },
  );
});
