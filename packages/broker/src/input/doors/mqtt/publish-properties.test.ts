import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { defaultLimits } from "../../../config/limits.ts";
import { readAttributes, writeAttributes } from "../../../model/attributes.ts";
import { isRefused, type UserProperties } from "./mess-properties.ts";
import { readPublishProperties } from "./publish-properties.ts";

const now = 1_700_000_000_000;
const limits = { messageIdBytesMax: 8, messageKeyBytesMax: 4, delayMsMax: 86_400_000 };
const day = limits.delayMsMax;

const read = (...properties: [string, string][]) => readPublishProperties(properties, limits, now);
const attributes = (...properties: [string, string][]) => {
  const result = read(...properties);
  if (isRefused(result)) throw new Error(result.refusal);
  return result.attributes;
};
const refusal = (...properties: [string, string][]): string => {
  const result = read(...properties);
  if (!isRefused(result)) throw new Error(`taken: ${JSON.stringify(result)}`);
  return result.refusal;
};

describe("what a publisher may say", () => {
  test("everything at once, among properties of its own", () => {
    expect(
      attributes(
        ["a", "b"],
        ["mess-id", "order-7"],
        ["mess-key", "k"],
        ["mess-priority", "9"],
        ["mess-delay", "PT5S"],
        ["a", "c"],
      ),
    ).toEqual({ id: "order-7", key: "k", priority: 9, deliverAt: now + 5_000 });
    expect(attributes(["a", "b"])).toEqual({});
  });

  test("each value at its limit, and one past it", () => {
    for (const [name, limit] of [
      ["mess-id", limits.messageIdBytesMax],
      ["mess-key", limits.messageKeyBytesMax],
    ] as const) {
      expect(Object.values(attributes([name, "x".repeat(limit)]))).toEqual(["x".repeat(limit)]);
      expect(Object.values(attributes([name, "é".repeat(limit / 2)]))).toEqual(["é".repeat(limit / 2)]);
      for (const bad of ["", "x".repeat(limit + 1), "é".repeat(limit / 2 + 1)]) {
        expect(refusal([name, bad])).toBe(`the user property "${name}" must be of 1 to ${limit} bytes of UTF-8`);
      }
    }
    for (const good of ["0", "9"]) expect(attributes(["mess-priority", good])).toEqual({ priority: Number(good) });
    for (const bad of ["10", "-1", "", " 1", "1.5", "high", "٣"])
      expect(refusal(["mess-priority", bad])).toContain("a digit from 0 (last) to 9 (first)");
  });

  test.each([
    ["1", 1],
    ["86400000", day],
    ["PT0.001S", 1],
    ["PT1,5S", 1_500],
    ["P1D", day],
    ["PT24H", day],
    ["PT23H59M60S", day],
  ])("mess-delay %s", (text, milliseconds) => {
    expect(attributes(["mess-delay", text])).toEqual({ deliverAt: now + milliseconds });
  });

  test.each(["0", "PT0S", "P0D", "0000"])("mess-delay %s is none", (text) => {
    expect(attributes(["mess-delay", text])).toEqual({});
  });

  test.each(["86400001", "P1DT0.001S", "P1W", "999999999999999"])("mess-delay %s is too long", (text) => {
    expect(refusal(["mess-delay", text])).toBe(`the user property "mess-delay" must be at most ${day} ms`);
  });

  test.each(["", "5s", "PT", "P", "P1Y", "P1M", "-PT1S", "PT1S ", "1e3", "0x10", "1.5", "9".repeat(16), "PT1H1H"])(
    "mess-delay %j is refused",
    (text) => expect(refusal(["mess-delay", text])).toContain("ISO 8601 duration such as PT5S"),
  );

  test("mess-at: to the limit, one past it, and in the past, which is now", () => {
    const at = (time: number) => attributes(["mess-at", new Date(time).toISOString()]);
    expect(at(now + 1)).toEqual({ deliverAt: now + 1 });
    expect(at(now + day)).toEqual({ deliverAt: now + day });
    expect([at(now), at(now - 1), at(0)]).toEqual([{}, {}, {}]);
    expect(refusal(["mess-at", new Date(now + day + 1).toISOString()])).toContain(`at most ${day} ms ahead`);
    expect(attributes(["mess-at", "2023-11-15T01:00:00+02:00"])).toEqual({ deliverAt: Date.UTC(2023, 10, 14, 23) });
  });

  test.each([
    "",
    "now",
    "1700000000000",
    "2023-11-15",
    "2023-11-15T01:00:00",
    "2023-02-29T00:00:00Z",
    "2023-11-15T24:00:00Z",
    "2023-11-15T01:00:00+24:00",
    "20231115T010000Z",
    "+012023-11-15T01:00:00Z",
  ])("mess-at %j is refused", (text) => {
    expect(refusal(["mess-at", text])).toContain("an RFC 3339 time such as");
  });

  test("delay and time together, repeats, unknown names, names of others", () => {
    expect(refusal(["mess-delay", "1"], ["mess-at", "2030-01-31T12:00:00Z"])).toContain("cannot come together");
    expect(refusal(["mess-id", "a"], ["mess-id", "a"])).toBe('the user property "mess-id" comes twice');
    expect(refusal(["mess-dely", "1"])).toContain('unknown; did you mean "mess-delay"?');
    expect(refusal(["mess-checksum", "1"])).toContain('PUBLISH may have "mess-id", "mess-key", "mess-delay"');
    expect(refusal(["mess-", "1"])).toContain('"mess-" is reserved and unknown');
    expect(refusal(["mess-offset", "1"])).toContain("only the broker sets it");
    expect(refusal(["mess-from", "earliest"])).toContain("belongs to SUBSCRIBE, not to PUBLISH");
    expect(refusal([`mess-${"x".repeat(10_000)}`, ""]).length).toBeLessThan(300);
    expect(read(["Mess-id", ""], ["mess", ""], ["xmess-id", ""])).toEqual({ attributes: {} });
  });

  test("a will has no delay of this kind", () => {
    expect(readPublishProperties([["mess-delay", "1"]], limits, now, "a will")).toEqual({
      refusal: 'the user property "mess-delay" belongs to PUBLISH, not to a will',
    });
  });
});

test("whatever comes, it is understood within the limits or refused in a sentence, and the record gives it back", () => {
  const names = fc.constantFrom("mess-id", "mess-key", "mess-delay", "mess-at", "mess-priority", "mess-x", "own");
  const values = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.nat(10).map(String),
    fc.nat(2 ** 31 - 1).map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toISOString()),
    fc.stringMatching(/^P(\d{1,3}D)?T(\d{1,2}H)?(\d{1,4}S)?$/),
  );
  const any = fc.array(fc.tuple(names, values), { maxLength: 5 }) as fc.Arbitrary<UserProperties>;
  let taken = 0;
  fc.assert(
    fc.property(any, (properties) => {
      const result = readPublishProperties(properties, defaultLimits, now);
      if (isRefused(result)) {
        expect(result.refusal).toMatch(/^the user propert(y|ies) "mess-/);
        return;
      }
      taken++;
      const { id, key, priority, deliverAt } = result.attributes;
      if (id !== undefined) expect(Buffer.byteLength(id)).toBeLessThanOrEqual(defaultLimits.messageIdBytesMax);
      if (key !== undefined) expect(Buffer.byteLength(key)).toBeLessThanOrEqual(defaultLimits.messageKeyBytesMax);
      if (priority !== undefined) expect([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]).toContain(priority);
      if (deliverAt !== undefined) {
        expect(deliverAt).toBeGreaterThan(now);
        expect(deliverAt).toBeLessThanOrEqual(now + defaultLimits.delayMsMax);
      }
      const bytes = Buffer.from(writeAttributes(result.attributes));
      const back = readAttributes({ bytes, attributesStart: 0, headerStart: bytes.length });
      expect(back).toEqual(result.attributes);
    }),
    { numRuns: 2_000 },
  );
  expect(taken).toBeGreaterThan(100);
});
