import { describe, expect, it } from "vitest";
import { nearestName } from "./nearest-name.ts";

describe("nearestName", () => {
  it.each([
    ["pubish", "publish"],
    ["Publish", "publish"],
    ["subcsribe", "subscribe"],
    ["zzz", undefined],
    ["x", undefined],
    ["", undefined],
    ["publish".repeat(100_000), undefined],
  ])("finds the name meant by %s", (word, expected) => {
    expect(nearestName(word, ["publish", "subscribe", "retain"])).toBe(expected);
  });
});
