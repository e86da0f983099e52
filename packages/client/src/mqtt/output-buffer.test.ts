import fc from "fast-check";
import { expect, it } from "vitest";
import { OutputBuffer } from "./output-buffer.ts";

it("gives back what was put in, and never changes bytes once taken", () => {
  const step = fc.oneof(fc.uint8Array({ minLength: 0, maxLength: 40_000 }), fc.constant("take" as const));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const output = new OutputBuffer();
      const taken: { bytes: Uint8Array; copy: Buffer }[] = [];
      const expected: Uint8Array[] = [];
      for (const one of [...steps, "take" as const]) {
        if (one !== "take") {
          output.append(one);
          expected.push(one);
          continue;
        }
        const bytes = output.take();
        taken.push({ bytes, copy: Buffer.from(bytes) });
        expect(output.length).toBe(0);
      }
      for (const { bytes, copy } of taken) expect(copy.equals(bytes)).toBe(true);
      expect(Buffer.concat(taken.map(({ copy }) => copy)).equals(Buffer.concat(expected))).toBe(true);
    }),
    { numRuns: 50 },
  );
});
