import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCursor, writeCursor } from "./cursor.ts";
import { HttpRefusal } from "./problem.ts";

const name = fc.string({ unit: "grapheme" });
const offset = fc.maxSafeNat();

describe("cursors", () => {
  it("come back as they were", () => {
    fc.assert(
      fc.property(name, name, offset, (list, text, number) => {
        expect(readCursor([list], writeCursor([list], [text, number]), ["string", "number"])).toEqual([text, number]);
      }),
    );
  });

  it("are safe in a query as they are", () => {
    fc.assert(
      fc.property(name, (text) => {
        expect(writeCursor(["l"], [text])).toMatch(/^[\w-]+$/);
      }),
    );
  });

  it("are refused when they are cut, changed, of another list, or of another form", () => {
    fc.assert(
      fc.property(name, offset, fc.nat(), (text, number, at) => {
        const cursor = writeCursor(["l", text], [number]);
        const place = at % cursor.length;
        const other = cursor[place] === "x" ? "y" : "x";
        const wrong = (list: string[], value: string): void => {
          expect(() => readCursor(list, value, ["number"])).toThrow(HttpRefusal);
        };
        wrong(["l", text], cursor.slice(0, place));
        wrong(["l", text], `${cursor.slice(0, place)}${other}${cursor.slice(place + 1)}`);
        wrong(["l", text], `${cursor}A`);
        wrong(["l"], cursor);
        wrong(["m", text], cursor);
        expect(() => readCursor(["l", text], cursor, ["string"])).toThrow(HttpRefusal);
        expect(() => readCursor(["l", text], cursor, ["number", "number"])).toThrow(HttpRefusal);
      }),
    );
    for (const number of [-1, 1.5, 2 ** 60]) {
      expect(() => readCursor(["l"], writeCursor(["l"], [number]), ["number"])).toThrow(HttpRefusal);
    }
  });

  it("are refused when they are rubbish", () => {
    fc.assert(
      fc.property(name, (text) => {
        expect(() => readCursor(["l"], text, ["number"])).toThrow(HttpRefusal);
      }),
    );
  });
});
