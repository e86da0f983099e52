import { createSecretKey, hkdfSync } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { JournalFrame } from "../model/journal.ts";
import { type FrameHeader, frameBytes, readFrameHeader, readFrameTrailer, tableStart } from "./frame-format.ts";
import {
  type ExpectedFrame,
  type FrameWindow,
  frameDamage,
  frameWindow,
  headerMismatch,
  openFrame,
} from "./frame-open.ts";
import { FrameSealer, type SealPlace } from "./frame-seal.ts";
import { OpenFrame } from "./open-frame.ts";
import { parseRecordArea } from "./record-area.ts";

const key = createSecretKey(Buffer.alloc(32, 7));
const place: SealPlace = {
  segmentId: 3,
  key,
  keyId: 2,
  counter: 5,
  offset: 8_192,
  previousHash: Buffer.alloc(32, 1),
  snapshotSeq: 17,
};
const expected: ExpectedFrame = { ...place, firstSeq: 2 ** 40 };

type Body = readonly [kind: number, body: Uint8Array];
const body: fc.Arbitrary<Body> = fc.tuple(fc.integer({ min: 1, max: 255 }), fc.uint8Array({ maxLength: 700 }));

function frameOf(bodies: readonly Body[]): JournalFrame {
  const open = new OpenFrame();
  for (const [kind, bytes] of bodies) {
    const at = open.reserve(kind, bytes.length);
    open.bytes.set(bytes, at);
  }
  return open.take(expected.firstSeq);
}

function windowOf(bytes: Buffer): FrameWindow {
  const window = frameWindow(bytes.length);
  bytes.copy(window.bytes);
  return window;
}

/** What a reader makes of the bytes: the frame, or nothing. */
function read(bytes: Buffer): JournalFrame | undefined {
  const window = windowOf(bytes);
  const header: FrameHeader | undefined = readFrameHeader(window.bytes, 0);
  if (header === undefined || headerMismatch(header, expected) !== undefined) return undefined;
  if (header.frameBytes !== bytes.length || frameDamage(window, 0, header) !== undefined) return undefined;
  return openFrame(window.bytes, 0, header, key);
}

const plain = (frame: JournalFrame): unknown => ({
  ...frame,
  bytes: frame.bytes.toString("hex"),
  starts: [...frame.starts],
  ends: [...frame.ends],
  kinds: [...frame.kinds],
});

describe("a frame", () => {
  it("comes back as it was sealed, whatever its records", () => {
    const sealer = new FrameSealer();
    fc.assert(
      fc.property(fc.array(body, { minLength: 1, maxLength: 60 }), (bodies) => {
        const frame = frameOf(bodies);
        expect([...frame.kinds]).toEqual(bodies.map(([kind]) => kind));
        bodies.forEach(([, bytes], i) => {
          expect(Buffer.compare(frame.bytes.subarray(frame.starts[i], frame.ends[i]), bytes)).toBe(0);
        });
        const { bytes } = sealer.seal(frame, place);
        expect(bytes.length % 512).toBe(0);
        expect(bytes.length).toBe(frameBytes(frame.bytes.length, 0));
        const found = read(bytes);
        expect(found === undefined ? undefined : plain(found)).toEqual(plain(frame));
      }),
    );
  });

  it("comes back at sizes around sectors, cipher pieces and table sectors", () => {
    const sealer = new FrameSealer();
    for (const size of [0, 251, 252, 253, 254, 255, 256, 700, 65_530, 65_531, 65_532, 65_536, 131_072, 3_000_000]) {
      const frame = frameOf([[1, new Uint8Array(size).fill(size)]]);
      const { bytes, hash } = sealer.seal(frame, place);
      const window = windowOf(bytes);
      const header = readFrameHeader(window.bytes, 0)!;
      expect(frameDamage(window, 0, header)).toBeUndefined();
      expect(openFrame(window.bytes, 0, header, key)?.bytes.equals(frame.bytes)).toBe(true);
      expect(readFrameTrailer(bytes, bytes.length)?.hash.equals(hash)).toBe(true);
    }
  });

  it("holds no sector of zeros, so that an unwritten one is known", () => {
    const sealer = new FrameSealer();
    for (const size of [0, 300, 5_000, 3_000_000]) {
      const { bytes } = sealer.seal(frameOf([[1, new Uint8Array(size)]]), place);
      for (let at = 0; at < bytes.length; at += 512)
        expect(bytes.subarray(at, at + 512).some((byte) => byte !== 0)).toBe(true);
      expect(bytes.at(-1)).not.toBe(0);
    }
  });

  it("is refused with any bit flipped", () => {
    const { bytes } = new FrameSealer().seal(
      frameOf([
        [1, Buffer.from("hello")],
        [9, Buffer.alloc(400)],
      ]),
      place,
    );
    expect(read(bytes)).toBeDefined();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(read(flipped), `bit ${bit}`).toBeUndefined();
    }
  });

  it("opens only in its place: another segment, offset, counter, number, chain or key is refused", () => {
    const frame = frameOf([[1, Buffer.from("hello")]]);
    const other: Partial<SealPlace>[] = [
      { segmentId: 4 },
      { offset: 512 },
      { counter: 6 },
      { keyId: 3 },
      { previousHash: Buffer.alloc(32) },
      { key: createSecretKey(Buffer.alloc(32, 8)) },
    ];
    for (const change of other)
      expect(read(new FrameSealer().seal(frame, { ...place, ...change }).bytes)).toBeUndefined();
    expect(read(new FrameSealer().seal({ ...frame, firstSeq: 5 }, place).bytes)).toBeUndefined();
  });

  it("names its damaged sector", () => {
    const { bytes } = new FrameSealer().seal(frameOf([[1, Buffer.alloc(5_000, 1)]]), place);
    const window = windowOf(bytes);
    const header = readFrameHeader(window.bytes, 0)!;
    window.bytes[3 * 512 + 100]! ^= 4;
    expect(frameDamage(window, 0, header)).toBe("sector 3 of the frame is damaged");
    window.bytes[3 * 512 + 100]! ^= 4;
    window.bytes[tableStart(bytes.length) + 5]! ^= 4;
    expect(frameDamage(window, 0, header)).toBe("the frame's sector table is damaged");
  });
});

describe("the worked example of docs/journal-format.md", () => {
  it("is what the code writes", () => {
    const open = new OpenFrame();
    for (const text of ["hello", "mess"]) {
      const at = open.reserve(1, text.length);
      open.bytes.write(text, at);
    }
    const derived = hkdfSync("sha256", Buffer.alloc(32, 0x11), Buffer.alloc(32, 0x22), "mess/segment/v1", 32);
    const { bytes, hash } = new FrameSealer().seal(open.take(1), {
      segmentId: 1,
      key: createSecretKey(Buffer.from(derived)),
      keyId: 1,
      counter: 0,
      offset: 4_096,
      previousHash: Buffer.alloc(32),
      snapshotSeq: 0,
    });
    const line = (at: number): string => bytes.toString("hex", at, at + 16);
    expect(line(0)).toBe("4d46524d010080000002000013000000");
    expect(line(0x10)).toBe("01000000000000000100000000000000");
    expect(line(0x20)).toBe("02000000010000000100000013000000");
    expect(line(0x70)).toBe("00000000000000000000000038d9f03f");
    expect(line(0x90)).toBe("4a10a8dfa1b8067d54609c2df29d4fe1");
    expect(line(0xa0)).toBe("fab074b135bb3bdfd241edf57b40829d");
    expect(line(0x1b0)).toBe("0000000000000000000000008de32f83");
    expect(line(0x1d0)).toBe("02000000f4357ef3e028af407da84fbc");
    expect(line(0x1f0)).toBe("17fd1856cc31eda8197b93233cc35aa5");
    expect(hash.toString("hex")).toBe("e028af407da84fbc95b604d943bec4eeaf58b82ab0f661f317fd1856cc31eda8");
  });
});

describe("the record area", () => {
  it("never throws and never reads past its end, whatever the bytes", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(40), (bytes, count) => {
        const frame = parseRecordArea(Buffer.from(bytes), 1, count);
        if (frame === undefined) return;
        expect(frame.ends.at(-1) ?? 0).toBe(bytes.length);
      }),
      { numRuns: 2_000 },
    );
    const huge = Buffer.from([0xff, 0xff, 0xff, 0xff, 1]);
    expect(parseRecordArea(huge, 1, 1)).toBeUndefined();
    expect(parseRecordArea(Buffer.from([0, 0, 0, 0, 1]), 1, 1)).toBeUndefined();
    expect(parseRecordArea(Buffer.from([1, 0, 0, 0, 9]), 1, 1)).toBeDefined();
  });
});
