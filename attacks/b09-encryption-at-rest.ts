import { readFileSync } from "node:fs";
import { readFrameHeader } from "../packages/broker/src/storage/frame-format.ts";
import { SEGMENT_HEADER_BYTES } from "../packages/broker/src/storage/segment-header.ts";
import type { Arena } from "./support/arena.ts";
import { attack, hasNone, hold, lacks } from "./support/attack.ts";
import { segmentsOf } from "./support/files.ts";

/** Where a segment's header has its salt. */
const saltAt = 64;
const saltBytes = 32;
const sector = 512;

export const b09 = attack({
  id: "B9",
  title: "Storage: encryption at rest",
  threat: "A pair of key and nonce is used for two texts: whoever has both ciphers has both texts, and can forge.",
  mitigation:
    "Each segment has a salt, and with it a key, of its own; each open begins a new segment; the nonce counts frames.",
  ways: ["disk"],
  steps: [
    {
      name: "key and nonce over images of the disk, with kills in between",
      run: repeats,
      elsewhere: {
        mosquitto: hasNone("keeps nothing on disk by default: A11"),
        nats: lacks("does not encrypt by default: what is on disk can be read"),
      },
    },
  ],
});

async function repeats(outer: Arena): Promise<void> {
  const arena = await outer.own();
  const images = arena.full ? 200 : 5;
  const seen = new Map<string, string>();
  const owner = await arena.principal();
  for (let image = 0; image < images; image += 1) {
    const client = await arena.connect(owner);
    for (let count = 0; count < 6; count += 1) {
      await client.publish({ topic: owner.topic("x"), payload: `${image}-${count}`, qos: 1, retain: true });
    }
    note(arena.broker.dataDir, seen);
    if (image % 2 === 0) await arena.broker.kill();
    else await arena.broker.stop();
    note(arena.broker.dataDir, seen);
    await arena.broker.start();
  }
  if (seen.size < images * 3) throw new Error(`only ${seen.size} frames were found`);
}

/** Every frame by the salt of its segment and its counter: they make key and nonce, so they stand for one text only. */
function note(dataDir: string, seen: Map<string, string>): void {
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
      const cipher = bytes.toString("latin1", at, at + header.frameBytes);
      const pair = `${salt} ${header.counter}`;
      const before = seen.get(pair);
      // a frame that is being written has its end later
      const isSame = before === undefined || before.slice(0, sector) === cipher.slice(0, sector);
      hold(isSame, `segment ${header.segmentId}, frame ${header.counter}: one key and nonce for two texts`);
      seen.set(pair, cipher);
      at += Math.max(sector, header.frameBytes);
    }
  }
}
