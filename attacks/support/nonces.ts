/** Pairs of key and nonce in segment files, as anybody with a copy of the disk can collect them. */
import { readFileSync } from "node:fs";
import { readFrameHeader } from "../../packages/broker/src/storage/frame-format.ts";
import { SEGMENT_HEADER_BYTES } from "../../packages/broker/src/storage/segment-header.ts";
import { hold } from "./attack.ts";
import { segmentsOf } from "./files.ts";

/** Where a segment's header has its salt. */
const saltAt = 64;
const saltBytes = 32;
const sector = 512;

export class NonceBook {
  readonly #seen: Map<string, string> = new Map();

  /** Frames seen so far. */
  get size(): number {
    return this.#seen.size;
  }

  /** Every frame by the salt of its segment and its counter: they make key and nonce, so they stand for one text only. */
  note(dataDir: string): void {
    for (const path of segmentsOf(dataDir)) {
      const bytes = readFileSync(path);
      const salt = bytes.toString("hex", saltAt, saltAt + saltBytes);
      for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; ) {
        const header = readFrameHeader(bytes, at);
        if (header === undefined) {
          if (bytes.readUInt32LE(at) === 0) break;
          at += sector;
          continue;
        }
        // the first sector: a frame that is being written has its end later
        const text = bytes.toString("latin1", at, at + sector);
        const pair = `${salt} ${header.counter}`;
        const before = this.#seen.get(pair);
        const told = `segment ${header.segmentId}, frame ${header.counter}: one key and nonce for two texts`;
        hold(before === undefined || before === text, told);
        this.#seen.set(pair, text);
        at += Math.max(sector, header.frameBytes);
      }
    }
  }
}
