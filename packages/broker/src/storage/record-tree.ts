import { createCipheriv, createHmac, type KeyObject } from "node:crypto";
import type { JournalFrame } from "../model/journal.ts";
import type { RecordProof } from "../model/log-proofs.ts";
import { KnownNodes } from "./known-nodes.ts";
import { LeafNodes } from "./leaf-nodes.ts";
import { rootOf } from "./leaf-span.ts";
import { writeU64 } from "./little-endian.ts";
import { inclusionRanges, leafHash } from "./merkle.ts";
import type { SegmentKey } from "./segment-key.ts";

/** The tree over the records of one frame (topic setting `proofs = "message"`). */

const SALT_BYTES = 16;
const HEAD_BYTES = SALT_BYTES + 9;

/** Where a frame was sealed: what its salts are made of. */
export interface SaltPlace {
  readonly key: SegmentKey;
  readonly counter: number;
}

/** The root of a frame's records. Throws when a key that sealed a part of it is not there. */
export function recordRoot(frame: JournalFrame, place: SaltPlace): Buffer {
  const nodes = nodesOf(frame, new Salts(place, frame.count));
  if (nodes === undefined) throw new Error("a record has no key to make its salt with");
  return rootOf(nodes.span);
}

/** The proof of one record; `undefined` when something of the frame is erased, and its root cannot be made any more. */
export function proveRecord(frame: JournalFrame, place: SaltPlace, seq: number): RecordProof | undefined {
  const salts = new Salts(place, frame.count);
  const nodes = frame.erased === undefined ? nodesOf(frame, salts) : undefined;
  if (nodes === undefined) return undefined;
  const { count } = frame;
  const index = seq - frame.firstSeq;
  const known = new KnownNodes();
  known.addNodes(nodes);
  const path = known.ranges(inclusionRanges(index, count));
  const salt = salts.of(frame, index);
  if (path === undefined || salt === undefined) return undefined;
  const body = Buffer.from(frame.bytes.subarray(frame.starts[index], frame.ends[index]));
  return { index, count, salt, kind: frame.kinds[index]!, body, root: rootOf(nodes.span), path };
}

function nodesOf(frame: JournalFrame, salts: Salts): LeafNodes | undefined {
  const nodes = new LeafNodes(0);
  for (let i = 0; i < frame.count; i++) {
    const salt = salts.of(frame, i);
    if (salt === undefined) return undefined;
    nodes.append(leafHash(recordData({ salt, seq: frame.firstSeq + i, kind: frame.kinds[i]! }, bodyOf(frame, i))));
  }
  return nodes;
}

const bodyOf = ({ bytes, starts, ends }: JournalFrame, index: number): Buffer =>
  bytes.subarray(starts[index], ends[index]);

/** What the leaf of a record is the hash of: salt (16), number (8), kind (1), body. */
function recordData({ salt, seq, kind }: { salt: Buffer; seq: number; kind: number }, body: Buffer): Buffer {
  const data = Buffer.allocUnsafe(HEAD_BYTES + body.length);
  salt.copy(data, 0);
  writeU64(data, seq, SALT_BYTES);
  data[SALT_BYTES + 8] = kind;
  body.copy(data, HEAD_BYTES);
  return data;
}

/**
 * A salt for each record, of the key that seals it: whoever has the hashes of the others learns nothing of them, and
 * when the key of an erasure domain is gone, so are the salts that a guess could be tried with.
 */
class Salts {
  readonly #place: SaltPlace;
  readonly #count: number;
  readonly #streams: Map<number, Buffer> = new Map();
  #domains: ReadonlyMap<number, number> | undefined;

  constructor(place: SaltPlace, count: number) {
    this.#place = place;
    this.#count = count;
  }

  of({ confined = [] }: JournalFrame, index: number): Buffer | undefined {
    this.#domains ??= new Map(confined.map((one) => [one.index, one.domain]));
    const domain = this.#domains.get(index) ?? 0;
    const { key } = this.#place;
    let stream = this.#streams.get(domain);
    if (stream === undefined) {
      const own = domain === 0 ? key.own : key.of(domain);
      if (own === undefined || own === "none") return undefined;
      stream = this.#stream(own);
      this.#streams.set(domain, stream);
    }
    return stream.subarray(index * SALT_BYTES, (index + 1) * SALT_BYTES);
  }

  #stream(key: KeyObject): Buffer {
    const salting = createHmac("sha256", key).update("mess/record-salt/v1").digest();
    const start = Buffer.alloc(SALT_BYTES);
    writeU64(start, this.#place.counter, 0);
    return createCipheriv("aes-256-ctr", salting, start).update(Buffer.alloc(this.#count * SALT_BYTES));
  }
}
