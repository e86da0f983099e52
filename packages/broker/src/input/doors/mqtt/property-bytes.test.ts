import { readProperties } from "@mess/wire";
import fc from "fast-check";
import { expect, test } from "vitest";
import { PropertyBytes } from "./property-bytes.ts";

test("what is written is read again, whatever its length, and nothing of what was written before", () => {
  const text = fc.string({ unit: "grapheme", maxLength: 3_000 }).map((value) => value.replaceAll("\0", ""));
  const bytes = new PropertyBytes();
  fc.assert(
    fc.property(fc.array(fc.tuple(text, text), { minLength: 1, maxLength: 5 }), text, (pairs, token) => {
      bytes.clear();
      bytes.responseTopic("$mess/lease/q");
      bytes.correlationData(token);
      for (const [name, value] of pairs) bytes.user(name, value);
      expect(readProperties(bytes.bytes, 0, bytes.length)).toEqual({
        responseTopic: "$mess/lease/q",
        correlationData: Uint8Array.from(Buffer.from(token)),
        userProperties: pairs,
      });
    }),
    { numRuns: 200 },
  );
});
