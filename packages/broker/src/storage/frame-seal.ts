import { createCipheriv, hash, type KeyObject } from "node:crypto";
import type { JournalFrame } from "../model/journal.ts";
import {
  associatedData,
  FRAME_HEADER_BYTES,
  frameBytes,
  SECTION_BYTES,
  SECTION_TAG_AT,
  tableStart,
  writeFrameHeader,
  writeFrameTrailer,
  writeNonce,
} from "./frame-format.ts";
import { type PlainSection, splitSections } from "./frame-sections.ts";
import { SECTOR, writeSectorTable } from "./sector-checksum.ts";
import type { SegmentKey } from "./segment-key.ts";

/** Where a frame goes, and what binds it there. */
export interface SealPlace {
  readonly segmentId: number;
  readonly key: SegmentKey;
  readonly keyId: number;
  readonly counter: number;
  readonly offset: number;
  readonly previousHash: Buffer;
  readonly snapshotSeq: number;
}

export interface SealedFrame {
  /** The frame as it goes to disk. Valid until the next `seal`. */
  readonly bytes: Buffer;
  /** Chain hash after this frame. */
  readonly hash: Buffer;
}

/** Larger pieces make the cipher allocate beyond what malloc keeps: three times slower at a megabyte. */
const CIPHER_PIECE = 64 * 1_024;
const WIRE_BYTES_MIN = 64 * 1_024;
const NOTHING = Buffer.alloc(0);
/** A buffer that one giant frame needed is not kept. */
const WIRE_BYTES_KEPT = 8 * 1_024 * 1_024;

/** Turns frames into what goes to disk. It has one buffer: there is one frame in flight. */
export class FrameSealer {
  #wire: Buffer = Buffer.allocUnsafeSlow(WIRE_BYTES_MIN);
  #words: Uint32Array = new Uint32Array(this.#wire.buffer);
  readonly #nonce: Buffer = Buffer.alloc(12);

  /** `extension`: what the frame says in clear; see `frame-extension.ts`. */
  seal(frame: JournalFrame, place: SealPlace, extension: Buffer = NOTHING): SealedFrame {
    const sections = splitSections(frame);
    const cipherBytes = sections.reduce((sum, { plain }) => sum + plain.length, 0);
    const length = frameBytes({ cipherBytes, extensionBytes: extension.length, sections: sections.length });
    this.#fit(length);
    const wire = this.#wire.subarray(0, length);
    writeFrameHeader(wire, {
      frameBytes: length,
      cipherBytes,
      segmentId: place.segmentId,
      counter: place.counter,
      firstSeq: frame.firstSeq,
      count: frame.count,
      sections: sections.length,
      keyId: place.keyId,
      extensionBytes: extension.length,
      recordBytes: frame.bytes.length,
      snapshotSeq: place.snapshotSeq,
      offset: place.offset,
      previousHash: place.previousHash,
    });
    const cipherEnd = this.#encrypt(wire, { sections, extension, place });
    const table = tableStart(length);
    wire.fill(0, cipherEnd, table);
    const chain = hash("sha256", wire.subarray(0, cipherEnd), "buffer");
    writeSectorTable({ words: this.#words, base: 0, table: table / 4, sectors: length / SECTOR });
    writeFrameTrailer(wire, { firstSeq: frame.firstSeq, count: frame.count, hash: chain });
    return { bytes: wire, hash: chain };
  }

  #encrypt(
    wire: Buffer,
    what: { readonly sections: readonly PlainSection[]; readonly extension: Buffer; readonly place: SealPlace },
  ): number {
    const { sections, extension, place } = what;
    let at = FRAME_HEADER_BYTES + SECTION_BYTES * sections.length;
    wire.fill(0, FRAME_HEADER_BYTES, at);
    at += extension.copy(wire, at);
    let offset = 0;
    for (const [number, { domain, plain }] of sections.entries()) {
      const section = FRAME_HEADER_BYTES + SECTION_BYTES * number;
      wire.writeUInt32LE(domain, section);
      wire.writeUInt32LE(offset, section + 4);
      wire.writeUInt32LE(plain.length, section + 8);
      writeNonce(this.#nonce, number, place.counter);
      const cipher = createCipheriv("aes-256-gcm", keyOf(place.key, domain), this.#nonce);
      cipher.setAAD(associatedData(wire, 0, section, extension));
      for (let from = 0; from < plain.length; from += CIPHER_PIECE) {
        at += cipher.update(plain.subarray(from, from + CIPHER_PIECE)).copy(wire, at);
      }
      cipher.final();
      cipher.getAuthTag().copy(wire, section + SECTION_TAG_AT);
      offset += plain.length;
    }
    return at;
  }

  #fit(length: number): void {
    const { length: have } = this.#wire;
    if (length <= have && (have <= WIRE_BYTES_KEPT || length > WIRE_BYTES_KEPT)) return;
    const bytes = Math.max(WIRE_BYTES_MIN, 2 ** Math.ceil(Math.log2(length)));
    this.#wire = Buffer.allocUnsafeSlow(bytes);
    this.#words = new Uint32Array(this.#wire.buffer);
  }
}

function keyOf(key: SegmentKey, domain: number): KeyObject {
  if (domain === 0) return key.own;
  const found = key.of(domain);
  if (found === undefined || found === "none") throw new Error(`erasure domain ${domain} has no key to seal with`);
  return found;
}
