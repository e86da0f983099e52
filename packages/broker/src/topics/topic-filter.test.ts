import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  everyFilter,
  everyName,
  referenceMatches,
  topicFilters,
  topicNames,
} from "../model/reference-matcher.test-data.ts";
import { covers, isFilterProblem, matches, overlaps, parseFilter } from "./topic-filter.ts";

const limits = { topicBytesMax: 1_024, topicLevelsMax: 64 };

function reasonOf(text: string, bounds = limits): string | undefined {
  const parsed = parseFilter(text, bounds);
  return isFilterProblem(parsed) ? parsed.reason : undefined;
}

describe("parseFilter", () => {
  it.each([
    ["a", "a", undefined, false, ["a"]],
    ["/", "/", undefined, false, ["", ""]],
    ["#", "#", undefined, true, ["#"]],
    ["+", "+", undefined, true, ["+"]],
    ["a/+/#", "a/+/#", undefined, true, ["a", "+", "#"]],
    ["$share/g/t", "t", "g", false, ["t"]],
    ["$share/g/#", "#", "g", true, ["#"]],
    ["$share/g//", "/", "g", false, ["", ""]],
    ["$share/g/$SYS/x", "$SYS/x", "g", false, ["$SYS", "x"]],
    ["$share/__proto__/a b", "a b", "__proto__", false, ["a b"]],
    ["$shared/g/t", "$shared/g/t", undefined, false, ["$shared", "g", "t"]],
    ["$SHARE/g/t", "$SHARE/g/t", undefined, false, ["$SHARE", "g", "t"]],
    ["a/$share/g/t", "a/$share/g/t", undefined, false, ["a", "$share", "g", "t"]],
    ["$share/g/a/$share/t", "a/$share/t", "g", false, ["a", "$share", "t"]],
  ])("takes %j", (text, filter, shareName, wildcard, levels) => {
    expect(parseFilter(text, limits)).toEqual({ text, filter, shareName, wildcard, levels });
  });

  it.each([
    ["", "at least one character"],
    ["a#", "`#` stands alone"],
    ["#/a", "`#` stands alone"],
    ["a/#/b", "`#` stands alone"],
    ["##", "`#` stands alone"],
    ["a+", "`+` stands alone"],
    ["+a/b", "`+` stands alone"],
    ["++", "`+` stands alone"],
    ["a\u0000b", "control characters"],
    ["a\r\nSUB >", "control characters"],
    ["a/\ud800", "well-formed"],
    ["$share", "there is no filter"],
    ["$share/", "there is no filter"],
    ["$share/g", "there is no filter"],
    ["$share//t", "the name is empty"],
    ["$share//", "the name is empty"],
    ["$share/g/", "the filter is empty"],
    ["$share/+/t", "holds no `+` or `#`"],
    ["$share/g#/t", "holds no `+` or `#`"],
    ["$share/g\u0007/t", "the name in `$share/NAME/FILTER`"],
    ["$share/g/a#", "`#` stands alone"],
    ["$share/g/$share", "not shared again"],
    ["$share/g/$share/h/t", "not shared again"],
  ])("refuses %j", (text, reason) => {
    expect(reasonOf(text)).toContain(reason);
  });

  it("holds the filter and the share name each to the limits, in bytes and levels", () => {
    const bounds = { topicBytesMax: 6, topicLevelsMax: 3 };
    expect(reasonOf("äää", bounds)).toBeUndefined();
    expect(reasonOf("äää/", bounds)).toContain("6 bytes");
    expect(reasonOf("a/b/c", bounds)).toBeUndefined();
    expect(reasonOf("////", bounds)).toContain("3 levels");
    expect(reasonOf("$share/abcdef/a/b/#", bounds)).toBeUndefined();
    expect(reasonOf("$share/abcdefg/a", bounds)).toContain("6 bytes");
    expect(reasonOf("$share/g/abcdefg", bounds)).toContain("6 bytes");
    expect(reasonOf("/".repeat(65_535), { topicBytesMax: 65_535, topicLevelsMax: 64 })).toContain("64 levels");
  });

  it("is linear in hostile input (LESSONS 36, 39)", () => {
    for (const text of ["+/".repeat(32_000), "(a+)+$".repeat(10_000), `$share/${"g".repeat(65_000)}/a`]) {
      expect(reasonOf(text)).toBeDefined();
    }
  });
});

describe("matches", () => {
  it.each([
    ["sport/tennis/player1/#", "sport/tennis/player1", true],
    ["sport/tennis/player1/#", "sport/tennis/player1/score/wimbledon", true],
    ["sport/#", "sport", true],
    ["sport/tennis/+", "sport/tennis/player1/ranking", false],
    ["sport/+", "sport", false],
    ["sport/+", "sport/", true],
    ["+/+", "/finance", true],
    ["/+", "/finance", true],
    ["+", "/finance", false],
    ["#", "$SYS/x", false],
    ["+/monitor/Clients", "$SYS/monitor/Clients", false],
    ["$SYS/#", "$SYS/x", true],
    ["$SYS/monitor/+", "$SYS/monitor/Clients", true],
    ["ACCOUNTS", "Accounts", false],
    ["caf\u00e9", "cafe\u0301", false],
  ])("%j on %j is %j (examples of the standard, THREATS A5)", (filter, topic, expected) => {
    expect(matches(filter, topic)).toBe(expected);
  });

  it("equals the reference", () => {
    fc.assert(
      fc.property(topicFilters, topicNames, (filter, topic) => {
        expect(matches(filter, topic)).toBe(referenceMatches(filter, topic));
      }),
      { numRuns: 5_000 },
    );
  });
});

describe("covers and overlaps, over every pair of small filters", () => {
  // Two levels more than a filter has, and a level no filter names: enough to tell any two sets apart.
  // The empty name, which no topic may have, counts too: `topic-pattern.ts` keeps its rules uniform that way.
  const topics = ["", ...everyName(["", "a", "$s", "z"], 5)];
  const filters = everyFilter(["", "a", "$s"], 3);
  const matched = filters.map((filter) => topics.map((topic) => referenceMatches(filter, topic)));

  it("is containment and intersection of the sets of topics", () => {
    const wrong: string[] = [];
    for (const [i, allow] of filters.entries()) {
      const wide = matched[i] as boolean[];
      for (const [j, wanted] of filters.entries()) {
        const narrow = matched[j] as boolean[];
        let contained = true;
        let meet = false;
        for (let t = 0; t < topics.length; t++) {
          if (narrow[t] !== true) continue;
          if (wide[t] === true) meet = true;
          else contained = false;
        }
        if (covers(allow, wanted) !== contained) wrong.push(`covers(${allow}, ${wanted}) is not ${contained}`);
        if (overlaps(allow, wanted) !== meet) wrong.push(`overlaps(${allow}, ${wanted}) is not ${meet}`);
      }
    }
    expect(filters.length).toBeGreaterThan(150);
    expect(wrong).toEqual([]);
  });

  it.each([
    ["a/#", "a", true],
    ["+/#", "#", true],
    ["#", "+/#", true],
    ["#", "$SYS/#", false],
    ["+/x", "$SYS/x", false],
    ["a/+", "a/#", false],
    ["secret/#", "+/x", false],
    ["#", "secret/#", true],
  ])("covers(%j, %j) is %j (THREATS A6)", (allow, wanted, expected) => {
    expect(covers(allow, wanted)).toBe(expected);
  });
});
