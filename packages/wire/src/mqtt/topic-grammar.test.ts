import fc from "fast-check";
import { expect, test } from "vitest";
import { isUtf8 } from "../utf8.ts";
import { checkTopicName, TopicNameCheck } from "./topic-grammar.ts";

test("UTF-8 first, then wildcards, in any bytes", () => {
  const byte = fc.oneof(fc.nat(255), fc.constantFrom(0x2b, 0x23, 0x2f, 0x61, 0xc3, 0xa9, 0));
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 12 }), (given) => {
      const bytes = Uint8Array.from([0x23, ...given, 0x2b]);
      const end = bytes.length - 1;
      const wildcard = given.includes(0x2b) || given.includes(0x23);
      const expected = wildcard ? TopicNameCheck.WILDCARD : TopicNameCheck.OK;
      expect(checkTopicName(bytes, 1, end)).toBe(isUtf8(bytes, 1, end) ? expected : TopicNameCheck.NOT_UTF8);
    }),
    { numRuns: 2000 },
  );
});
