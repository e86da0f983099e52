import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PatternProblem } from "./parse-pattern.ts";
import { Pattern } from "./pattern.ts";
import { TooMuchWork, WorkBudget } from "./work-budget.ts";

function matches(pattern: string, text: string, steps = 1_000_000): boolean {
  return new Pattern(pattern).isIn(text, new WorkBudget(steps, 10));
}

describe("Pattern", () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ["^[A-Z]{2}-\\d{4,6}$", ["AB-1234", "AB-123456"], ["AB-123", "AB-1234567", "xAB-1234", "ab-1234"]],
    ["abc", ["abc", "xabcx"], ["ab", ""]],
    ["^(?:a|bc)*d?$", ["", "a", "abcad", "d"], ["b", "dd", "c"]],
    ["^(?<year>\\d{4})-\\d\\d$", ["2030-01"], ["203-01"]],
    ["^\\p{Lu}\\p{L}*$", ["Zoë", "Ä"], ["zoë", "Z1"]],
    ["^\\P{L}+$", ["1_"], ["a"]],
    ["\\bfoo\\b", ["a foo b", "foo"], ["food", "_foo"]],
    ["a\\Bb", ["ab"], ["a b"]],
    ["^.$", ["😀", "a"], ["\n", "ab", ""]],
    ["^[^\\s,]+$", ["a-b"], ["a b", "a,b", "", "a\u00a0"]],
    ["^[\\w.+-]+@[\\w-]+\\.[a-z]{2,}$", ["a.b+c@d-e.org"], ["a@b", "@b.cd"]],
    ["^[\\]\\\\^-]$", ["]", "\\", "^", "-"], ["a"]],
    ["^\\u00e9\\x41\\u{1F600}\\ud83d\\ude00\\t$", ["éA😀😀\t"], ["e"]],
    ["^a{3}$", ["aaa"], ["aa", "aaaa"]],
    ["^a{2,}?$", ["aa", "aaaaa"], ["a"]],
    ["^a{0,2}b", ["b", "ab", "aab"], ["aaab"]],
    ["", ["", "x"], []],
    ["^$", [""], ["x"]],
    ["(a*)*b", ["b", "aab"], ["a"]],
    ["(|a)+$", ["", "b"], []],
    ["[]", [], ["", "a"]],
    ["[^]", ["a", "\n"], [""]],
  ])("%s", (pattern, yes, no) => {
    for (const text of yes) expect(matches(pattern, text), text).toBe(true);
    for (const text of no) expect(matches(pattern, text), text).toBe(false);
    // The platform says the same of these.
    for (const text of [...yes, ...no]) expect(new RegExp(pattern, "u").test(text)).toBe(yes.includes(text));
  });

  it.each([
    "(?=a)",
    "(?!a)",
    "(?<=a)b",
    "(?<!a)b",
    "(?i:a)",
    "(a)\\1",
    "(?<x>a)\\k<x>",
    "a(",
    "a)",
    "[a",
    "[b-a]",
    "[\\d-z]",
    "*a",
    "a**",
    "^*",
    "a{",
    "a{x}",
    "a{2,1}",
    "a{1001}",
    "}",
    "\\",
    "\\q",
    "\\u12",
    "\\u{110000}",
    "\\u{",
    "\\p{Greek}",
    "\\p",
    "(".repeat(33) + ")".repeat(33),
    "x".repeat(1_001),
    "(a{100}){100}",
    "(((a{50}){50}){50}){50}",
  ])("refuses %j", (pattern) => {
    expect(() => new Pattern(pattern)).toThrow(PatternProblem);
  });

  it("takes patterns at the limits", () => {
    expect(matches("x".repeat(1_000), "x".repeat(1_000), 10_000_000)).toBe(true);
    expect(matches("(".repeat(32) + ")".repeat(32), "")).toBe(true);
    expect(matches("^a{1000}$", "a".repeat(1_000))).toBe(true);
  });

  it.each(["(a+)+$", "(a|a)*$", "(a|aa)+$", "(.*.*.*.*)*x", "(a?){50}a{50}$", "^(([a-z])+.)+[A-Z]([a-z])+$"])(
    "answers %s on a long text in bounded time, or says that it cannot",
    (pattern) => {
      const text = `${"a".repeat(100_000)}!`;
      const started = performance.now();
      try {
        expect(matches(pattern, text)).toBe(/x$/.test(text));
      } catch (error) {
        expect(error).toBeInstanceOf(TooMuchWork);
      }
      expect(performance.now() - started).toBeLessThan(1_000);
    },
  );

  it("says what the platform says, of small patterns and texts", () => {
    const atom = fc.constantFrom("a", "b", ".", "[ab]", "[^a]", "\\w", "^", "$", "\\b", "c");
    const pattern = fc.letrec<{ pattern: string }>((tie) => ({
      pattern: fc.oneof(
        { depthSize: "small", withCrossShrink: true },
        atom,
        fc.tuple(tie("pattern"), tie("pattern")).map(([a, b]) => a + b),
        fc.tuple(tie("pattern"), tie("pattern")).map(([a, b]) => `(?:${a}|${b})`),
        fc
          .tuple(tie("pattern"), fc.constantFrom("*", "+", "?", "{2}", "{1,2}", "{0,3}", "*?"))
          .map(([a, times]) => `(?:${a})${times}`),
      ),
    })).pattern;
    const text = fc
      .array(fc.constantFrom("a", "b", "c", " ", "\n", "😀"), { maxLength: 8 })
      .map((list) => list.join(""));
    fc.assert(
      fc.property(pattern, text, (source, subject) => {
        fc.pre(source.length < 200);
        expect(matches(source, subject)).toBe(new RegExp(source, "u").test(subject));
      }),
      { numRuns: 2_000 },
    );
  });
});
