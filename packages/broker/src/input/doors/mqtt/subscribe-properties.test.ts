import { describe, expect, test } from "vitest";
import { isRefused } from "./mess-properties.ts";
import { misplaced, readSubscribeProperties } from "./subscribe-properties.ts";

const limits = { leasesPerConsumerMax: 100, leaseBytesPerConsumerMax: 1_000 };
const read = (...properties: [string, string][]) => readSubscribeProperties(properties, limits);
const refusal = (...properties: [string, string][]): string => {
  const result = read(...properties);
  return isRefused(result) ? result.refusal : "taken";
};

describe("what a subscriber may say", () => {
  test("nothing, and all of it", () => {
    expect(read(["own", "x"])).toEqual({ wish: {} });
    expect(read(["mess-ack", "explicit"], ["mess-credit", "7"], ["mess-credit-bytes", "9"])).toEqual({
      wish: { explicit: true, credit: { messages: 7, bytes: 9 } },
    });
    expect(read(["mess-credit-bytes", "9"])).toEqual({ wish: { credit: { bytes: 9 } } });
  });

  test.each([
    ["earliest", "earliest"],
    ["latest", "latest"],
    ["1", { offset: 1 }],
    ["9007199254740991", { offset: 9_007_199_254_740_991 }],
    ["2023-11-14T22:13:20Z", { at: 1_700_000_000_000 }],
  ])("mess-from %s", (text, from) => {
    expect(read(["mess-from", text])).toEqual({ wish: { from } });
  });

  test.each(["", "0", "-1", "1.5", "9007199254740992", "99999999999999999", "yesterday", "Earliest", "2023-11-14"])(
    "mess-from %j is refused",
    (text) => expect(refusal(["mess-from", text])).toContain("earliest, latest, an offset, or an RFC 3339 time"),
  );

  test("credit at its limits and past them", () => {
    for (const [name, max] of [
      ["mess-credit", limits.leasesPerConsumerMax],
      ["mess-credit-bytes", limits.leaseBytesPerConsumerMax],
    ] as const) {
      for (const good of [1, max]) expect(refusal([name, String(good)])).toBe("taken");
      for (const bad of ["0", String(max + 1), "-1", "", "all", "1e1", "9".repeat(17)])
        expect(refusal([name, bad])).toBe(`the user property "${name}" must be a whole number from 1 to ${max}`);
    }
  });

  test("another way to acknowledge, repeats, unknown names, and what belongs elsewhere", () => {
    expect(refusal(["mess-ack", "auto"])).toContain('must be "explicit", or not be there');
    expect(refusal(["mess-ack", "explicit"], ["mess-ack", "explicit"])).toContain("comes twice");
    expect(refusal(["mess-form", "latest"])).toContain('did you mean "mess-from"?');
    expect(refusal(["mess-delay", "1"])).toContain("belongs to PUBLISH");
  });

  test("a filter that it does not go with", () => {
    const from = { from: "earliest" } as const;
    expect([misplaced("a/#", from), misplaced("a/#", {}), misplaced("$share/g/a", {})]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    for (const filter of ["$mess/queue/q/#", "$share/g/a/#"]) expect(misplaced(filter, from)).toContain('"mess-from"');
    expect(misplaced("$mess/queue/q/#", { explicit: true, credit: { messages: 1 } })).toBeUndefined();
    for (const filter of ["a/#", "$share/g/a", "$mess/dead/q"]) {
      expect(misplaced(filter, { explicit: true })).toContain('"mess-ack" is for declared subscriptions');
      expect(misplaced(filter, { credit: { bytes: 1 } })).toContain('"mess-credit" is for declared subscriptions');
    }
  });
});
