import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hostileLevels } from "../model/reference-matcher.test-data.ts";
import { parseFilter } from "./topic-filter.ts";
import { checkTopicName, isReserved } from "./topic-name.ts";

const limits = { topicBytesMax: 1_024, topicLevelsMax: 64 };
const slashes = (levels: number): string => "/".repeat(levels - 1);

/** Surrogates and control characters among them. */
const codePoints = fc.oneof(
  fc.integer({ min: 0, max: 0x7f }),
  fc.integer({ min: 0xd7f0, max: 0xe010 }),
  fc.integer({ min: 0, max: 0x10_ffff }),
);

describe("checkTopicName", () => {
  it.each([
    ["", "empty"],
    ["a/+", "wildcard"],
    ["#", "wildcard"],
    ["a+b", "wildcard"],
    ["a\u0000", "character"],
    ["\u0000", "character"],
    ["a\nb", "character"],
    ["a\u007f", "character"],
    ["\udc00", "character"],
    ["a\ud800b", "character"],
  ])("refuses %j as %s", (text, kind) => {
    const problem = checkTopicName(text, limits);
    expect(problem?.kind).toBe(kind);
    expect(problem?.reason).toMatch(/^a topic name /);
  });

  it("agrees with filters, share names and principals about every code point (LESSONS 4)", () => {
    const noncharacter = (point: number): boolean => (point >= 0xfdd0 && point <= 0xfdef) || (point & 0xffff) >= 0xfffe;
    const control = (point: number): boolean => point < 0x20 || (point >= 0x7f && point <= 0x9f);
    const surrogate = (point: number): boolean => point >= 0xd800 && point <= 0xdfff;
    const planes = Array.from({ length: 17 }, (_, plane) => plane * 0x1_0000);
    const edges = planes.flatMap((plane) => [-3, -2, -1, 0, 1].map((step) => (plane + 0x1_0000 + step) % 0x11_0000));
    const points = [...Array.from({ length: 0x1_0000 }, (_, point) => point), ...edges];
    const wrong = points.filter((point) => {
      const text = String.fromCodePoint(point);
      if ("+#/".includes(text)) return false;
      const refused = control(point) || surrogate(point) || noncharacter(point);
      const inName = checkTopicName(`a${text}b`, limits)?.kind;
      const inFilter = "reason" in parseFilter(`+/${text}`, limits);
      const inShare = "reason" in parseFilter(`$share/${text}/a`, limits);
      return inName !== (refused ? "character" : undefined) || inFilter !== refused || inShare !== refused;
    });
    expect(wrong.map((point) => point.toString(16))).toEqual([]);
  });

  it.each([
    ["U+FFFE", "\ufffe"],
    ["U+FFFF", "\uffff"],
    ["U+FDD0", "\ufdd0"],
    ["U+1FFFF", "\u{1ffff}"],
    ["U+10FFFF", "\u{10ffff}"],
    ["U+0085", "\u0085"],
    ["U+001B", "\u001b"],
  ])("refuses %s as a character", (_name, text) => {
    expect(checkTopicName(`a/${text}`, limits)?.kind).toBe("character");
    expect(parseFilter(`a/${text}/#`, limits)).toHaveProperty("reason");
  });

  it("counts levels (LESSONS 12)", () => {
    expect(checkTopicName(slashes(64), limits)).toBeUndefined();
    for (const levels of [65, 101, 201, 1_025]) expect(checkTopicName(slashes(levels), limits)?.kind).toBe("too-deep");
    expect(checkTopicName(slashes(65_536), limits)?.kind).toBe("too-long");
  });

  it("counts UTF-8 bytes, not characters", () => {
    const bounds = { topicBytesMax: 8, topicLevelsMax: 2 };
    expect(checkTopicName("\u{1F600}\u{1F600}", bounds)).toBeUndefined();
    expect(checkTopicName("\u{1F600}\u{1F600}a", bounds)?.kind).toBe("too-long");
    expect(checkTopicName("日本a", bounds)).toBeUndefined();
    expect(checkTopicName("日本日", bounds)?.kind).toBe("too-long");
  });

  it("takes every other name, `$` and hostile ones included", () => {
    const names = fc.array(fc.constantFrom(...hostileLevels.filter((level) => !level.includes("+"))), {
      minLength: 1,
      maxLength: 8,
    });
    fc.assert(
      fc.property(names, (levels) => {
        const name = levels.join("/");
        expect(checkTopicName(name, limits)?.kind).toBe(name === "" ? "empty" : undefined);
      }),
    );
  });

  it("never takes what cannot be written as UTF-8 and read back", () => {
    fc.assert(
      fc.property(fc.array(codePoints, { minLength: 1, maxLength: 12 }), (points) => {
        const text = String.fromCodePoint(...points);
        if (checkTopicName(text, limits) !== undefined) return;
        expect(Buffer.from(text, "utf8").toString("utf8")).toBe(text);
      }),
      { numRuns: 2_000 },
    );
  });
});

describe("isReserved", () => {
  it("is the first character alone (LESSONS 6)", () => {
    for (const name of ["$", "$/", "$x", "$SYSx", "$share", "$SYS/x", "$mess/x"]) expect(isReserved(name)).toBe(true);
    for (const name of ["", "a", "/$SYS", "a/$SYS", " $x"]) expect(isReserved(name)).toBe(false);
  });
});
