import { createSecretKey, hkdfSync, type KeyObject } from "node:crypto";
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
import { HEAD_KIND, joinSections, splitSections } from "./frame-sections.ts";
import { OpenFrame } from "./open-frame.ts";
import { parseRecordArea } from "./record-area.ts";
import type { SegmentKey } from "./segment-key.ts";

/** Keys of domains 1 to 9; that of 4 was destroyed. */
const domainKeys = Array.from({ length: 10 }, (_, domain) => createSecretKey(Buffer.alloc(32, 50 + domain)));
const keyOf = (own: KeyObject, destroyed: readonly number[] = []): SegmentKey => {
  return { own, of: (domain) => (destroyed.includes(domain) ? "none" : domainKeys[domain]) };
};
const key = keyOf(createSecretKey(Buffer.alloc(32, 7)));
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
function read(bytes: Buffer, keys: SegmentKey = key): JournalFrame | undefined {
  const window = windowOf(bytes);
  const header: FrameHeader | undefined = readFrameHeader(window.bytes, 0);
  if (header === undefined || headerMismatch(header, expected) !== undefined) return undefined;
  if (header.frameBytes !== bytes.length || frameDamage(window, 0, header) !== undefined) return undefined;
  return openFrame(window.bytes, 0, header, keys);
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
        expect(bytes.length).toBe(frameBytes({ cipherBytes: frame.bytes.length, extensionBytes: 0, sections: 1 }));
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
      { key: keyOf(createSecretKey(Buffer.alloc(32, 8))) },
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

type Confining = readonly [body: Body, domain: number, head: number];
/** Of the core's kinds, and some of the journal's, but not the one that stands for a record elsewhere. */
const anyBody = body.filter(([kind]) => kind !== HEAD_KIND);
const confining: fc.Arbitrary<Confining> = fc.tuple(anyBody, fc.integer({ min: 0, max: 9 }), fc.nat(40));

function confinedFrame(bodies: readonly Confining[]): JournalFrame {
  const open = new OpenFrame();
  for (const [[kind, bytes], domain, head] of bodies) {
    const at = open.reserve(kind, bytes.length);
    open.bytes.set(bytes, at);
    if (domain > 0) open.confine(domain, at + Math.min(head, bytes.length));
  }
  return open.take(expected.firstSeq);
}

describe("a frame with erasure domains", () => {
  it("comes back as it was sealed, and without a domain's key with zeros for what is the domain's", () => {
    const sealer = new FrameSealer();
    fc.assert(
      fc.property(
        fc.array(confining, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 9 }),
        (bodies, gone) => {
          const { confined = [], ...frame } = confinedFrame(bodies);
          const { bytes } = sealer.seal({ ...frame, confined }, place);
          const all = { ...frame, ...(confined.length > 0 && { confined }) };
          expect(plain(read(bytes)!)).toEqual(plain(all));
          const erased = confined.filter(({ domain }) => domain === gone);
          const expectedBytes = Buffer.from(frame.bytes);
          for (const { index, from } of erased) expectedBytes.fill(0, from, frame.ends[index]);
          const found = read(bytes, keyOf(key.own, [gone]))!;
          expect(found.bytes.toString("hex")).toBe(expectedBytes.toString("hex"));
          const flags = Array.from({ length: frame.count }, (_, i) =>
            erased.some(({ index }) => index === i) ? 1 : 0,
          );
          expect([...(found.erased ?? flags)]).toEqual(flags);
          expect(found.erased === undefined).toBe(erased.length === 0);
        },
      ),
    );
  });

  it("is refused with any bit flipped, and with a wrong key of a domain", () => {
    const bodies: Confining[] = [
      [[1, Buffer.from("in clear for the journal: secret one")], 1, 26],
      [[9, Buffer.alloc(300, 1)], 0, 0],
      [[2, Buffer.from("in clear for the journal: secret two")], 2, 26],
      [[3, Buffer.from("secret again")], 1, 0],
    ];
    const { bytes } = new FrameSealer().seal(confinedFrame(bodies), place);
    expect(read(bytes)).toBeDefined();
    const wrong: SegmentKey = { own: key.own, of: (domain) => domainKeys[domain === 2 ? 3 : domain] };
    expect(read(bytes, wrong)).toBeUndefined();
    expect(read(bytes, { own: key.own, of: () => undefined })).toBeUndefined();
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = Buffer.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(read(flipped), `bit ${bit}`).toBeUndefined();
      expect(read(flipped, keyOf(key.own, [1])), `bit ${bit}, erased`).toBeUndefined();
    }
  });

  it("has nothing of a domain's plain text outside its section", () => {
    const secret = "the one and only secret";
    const frame = confinedFrame([[[1, Buffer.from(`head ${secret}`)], 1, 5]]);
    const sections = splitSections(frame);
    expect(sections.map(({ domain }) => domain)).toEqual([0, 1]);
    expect(sections[0]!.plain.includes(secret)).toBe(false);
    expect(sections[1]!.plain.toString()).toBe(secret);
  });

  it("never throws on sections that do not fit together", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 80 }), fc.nat(5), fc.nat(120), (own, count, length) => {
        const opened = [
          { domain: 0, bytes: own.length, plain: Buffer.from(own) },
          { domain: 3, bytes: 10, plain: Buffer.alloc(10) },
        ];
        joinSections(opened, { firstSeq: 1, count, length });
      }),
      { numRuns: 2_000 },
    );
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
      key: keyOf(createSecretKey(Buffer.from(derived))),
      keyId: 1,
      counter: 0,
      offset: 4_096,
      previousHash: Buffer.alloc(32),
      snapshotSeq: 0,
    });
    const line = (at: number): string => bytes.toString("hex", at, at + 16);
    expect(line(0)).toBe("4d46524d020080000002000013000000");
    expect(line(0x10)).toBe("01000000000000000100000000000000");
    expect(line(0x20)).toBe("02000000010000000100000013000000");
    expect(line(0x70)).toBe("0000000000000000000000003aec9257");
    expect(line(0x90)).toBe("cba11e82c50175ab6acd30f75c2cfd1c");
    expect(line(0xa0)).toBe("fab074b135bb3bdfd241edf57b40829d");
    expect(line(0x1b0)).toBe("0000000000000000000000001079e7d4");
    expect(line(0x1d0)).toBe("02000000baa8fcba31aab62e4fef7794");
    expect(line(0x1f0)).toBe("ff90e98034455bde270940513cc35aa5");
    expect(hash.toString("hex")).toBe("31aab62e4fef77941a4947ed63339db1cd836f3543687a58ff90e98034455bde");
  });

  it("is read as version 1 wrote it, too", () => {
    const bytes = Buffer.alloc(512);
    const lines: readonly (readonly [at: number, hex: string])[] = [
      [0x00, "4d46524d010080000002000013000000"],
      [0x10, "01000000000000000100000000000000"],
      [0x20, "02000000010000000100000013000000"],
      [0x30, "00000000000000000010000000000000"],
      [0x70, "00000000000000000000000038d9f03f"],
      [0x80, "00000000000000001300000000000000"],
      [0x90, "4a10a8dfa1b8067d54609c2df29d4fe1"],
      [0xa0, "fab074b135bb3bdfd241edf57b40829d"],
      [0xb0, "e2421600000000000000000000000000"],
      [0x1b0, "0000000000000000000000008de32f83"],
      [0x1c0, "4d454e44000200000100000000000000"],
      [0x1d0, "02000000f4357ef3e028af407da84fbc"],
      [0x1e0, "95b604d943bec4eeaf58b82ab0f661f3"],
      [0x1f0, "17fd1856cc31eda8197b93233cc35aa5"],
    ];
    for (const [at, hex] of lines) bytes.write(hex, at, "hex");
    const window = windowOf(bytes);
    const header = readFrameHeader(window.bytes, 0)!;
    expect(frameDamage(window, 0, header)).toBeUndefined();
    const derived = hkdfSync("sha256", Buffer.alloc(32, 0x11), Buffer.alloc(32, 0x22), "mess/segment/v1", 32);
    const frame = openFrame(window.bytes, 0, header, keyOf(createSecretKey(Buffer.from(derived))))!;
    expect([...frame.starts].map((start, i) => frame.bytes.toString("utf8", start, frame.ends[i]))).toEqual([
      "hello",
      "mess",
    ]);
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
