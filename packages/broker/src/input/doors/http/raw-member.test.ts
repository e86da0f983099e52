import fc from "fast-check";
import { expect, it } from "vitest";
import { rawMember } from "./raw-member.ts";

it("finds the text of a member as it stands", () => {
  expect(rawMember('{"a":1,"json":12345678901234567890}', "json")).toBe("12345678901234567890");
  expect(rawMember(' { "json" : {"b":"}\\",{", "c":[1,{}]} , "z":0}', "json")).toBe('{"b":"}\\",{", "c":[1,{}]}');
  expect(rawMember('{"j\\u0073on":1}', "json")).toBe("1");
  expect(rawMember('{"json":1,"json":2}', "json")).toBe("2");
  expect(rawMember('{"a":{"json":1}}', "json")).toBeUndefined();
  expect(rawMember("{}", "json")).toBeUndefined();
});

it("agrees with the parser on any object, however it is spaced", () => {
  const object = fc.dictionary(
    fc.oneof(fc.constant("json"), fc.string()),
    fc.jsonValue({ noUnicodeString: false } as never),
  );
  fc.assert(
    fc.property(object, fc.constantFrom(undefined, 1, "\t"), (value, space) => {
      const text = JSON.stringify(value, undefined, space);
      const found = rawMember(text, "json");
      const wanted = Object.hasOwn(value, "json") ? (JSON.parse(text) as Record<string, unknown>)["json"] : undefined;
      expect(found === undefined ? undefined : (JSON.parse(found) as unknown)).toEqual(wanted);
    }),
    { numRuns: 500 },
  );
});
