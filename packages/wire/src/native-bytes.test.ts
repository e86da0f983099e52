import { afterEach, describe, expect, test, vi } from "vitest";

type Module = typeof import("./native-bytes.ts");

async function loadWith(buffer: unknown): Promise<Module> {
  vi.resetModules();
  vi.stubGlobal("Buffer", buffer);
  try {
    return await import("./native-bytes.ts");
  } finally {
    vi.unstubAllGlobals();
  }
}

afterEach(() => vi.unstubAllGlobals());

const broken = {
  prototype: {
    latin1Slice: () => {
      throw new TypeError("not a Buffer");
    },
    utf8Slice: () => "",
    copy: () => 0,
  },
};

describe.each([
  ["with Buffer", Buffer],
  ["without Buffer, as in a browser", undefined],
  ["with a Buffer that lacks the methods", { prototype: {} }],
  ["with a Buffer that refuses plain arrays", broken],
])("%s", (_name, buffer) => {
  test("text and copies are the same", async () => {
    const { asciiText, utf8Text, copyBytes, ownBytes } = await loadWith(buffer);
    const bytes = new TextEncoder().encode("xx\u{feff}é日🎈abcyy");
    expect(utf8Text(bytes, 2, bytes.length - 2)).toBe("\u{feff}é日🎈abc");
    expect(asciiText(bytes, bytes.length - 5, bytes.length - 2)).toBe("abc");
    for (const length of [0, 1, 32, 33, 100, 1000]) {
      const source = Uint8Array.from({ length: length + 5 }, (_, index) => index + 1);
      for (const from of [source, Buffer.from(source)]) {
        const target = new Uint8Array(length + 4);
        expect(copyBytes(from, 3, 3 + length, target, 2)).toBe(2 + length);
        expect([...target]).toEqual([0, 0, ...source.subarray(3, 3 + length), 0, 0]);
        const own = ownBytes(from, 3, 3 + length);
        from.fill(0);
        expect([...own]).toEqual(Array.from({ length }, (_, index) => (index + 4) % 256));
        source.forEach((_, index) => {
          source[index] = index + 1;
        });
      }
    }
  });
});
