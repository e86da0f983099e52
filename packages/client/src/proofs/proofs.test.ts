import { createHash, generateKeyPairSync, sign } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import vector from "../../../../docs/vectors/checkpoint.json" with { type: "json" };
import { toBase64, utf8 } from "./bytes.ts";
import {
  formatProof,
  leafHash,
  parseProof,
  readCheckpoint,
  verifyConsistency,
  verifyInclusion,
  verifyProof,
} from "./index.ts";

const sha = (...parts: readonly Uint8Array[]): Buffer => {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest();
};

/** RFC 6962 section 2.1, word for word. */
function root(leaves: readonly Buffer[]): Buffer {
  if (leaves.length < 2) return leaves[0] ?? sha();
  const k = split(leaves.length);
  return sha(Buffer.of(1), root(leaves.slice(0, k)), root(leaves.slice(k)));
}

function path(m: number, leaves: readonly Buffer[]): Buffer[] {
  if (leaves.length < 2) return [];
  const k = split(leaves.length);
  if (m < k) return [...path(m, leaves.slice(0, k)), root(leaves.slice(k))];
  return [...path(m - k, leaves.slice(k)), root(leaves.slice(0, k))];
}

function proof(m: number, leaves: readonly Buffer[], whole: boolean = true): Buffer[] {
  if (m === leaves.length) return whole ? [] : [root(leaves)];
  const k = split(leaves.length);
  if (m <= k) return [...proof(m, leaves.slice(0, k), whole), root(leaves.slice(k))];
  return [...proof(m - k, leaves.slice(k), false), root(leaves.slice(0, k))];
}

function split(size: number): number {
  let k = 1;
  while (k * 2 < size) k *= 2;
  return k;
}

const data = (i: number): Buffer => sha(Buffer.from(`chain hash ${i}`));
const leaves = Array.from({ length: 40 }, (_, i) => sha(Buffer.of(0), data(i)));
const bent = (bytes: Uint8Array): Uint8Array => Uint8Array.from(bytes, (byte, i) => (i === 5 ? byte ^ 1 : byte));

describe("inclusion", () => {
  it("of every leaf in every tree, and of no other leaf, size, place or path", async () => {
    for (let size = 1; size <= leaves.length; size += size < 10 ? 1 : 7) {
      const some = leaves.slice(0, size);
      for (let index = 0; index < size; index++) {
        const right = { index, size, leaf: some[index]!, path: path(index, some) };
        expect(await verifyInclusion(right, root(some))).toBe(true);
        expect(await verifyInclusion({ ...right, leaf: bent(right.leaf) }, root(some))).toBe(false);
        expect(await verifyInclusion({ ...right, path: [...right.path, root(some)] }, root(some))).toBe(false);
        expect(await verifyInclusion({ ...right, path: right.path.slice(1) }, root(some))).toBe(size === 1);
        expect(await verifyInclusion(right, bent(root(some)))).toBe(false);
        if (size > 1) expect(await verifyInclusion({ ...right, index: (index + 1) % size }, root(some))).toBe(false);
      }
    }
    expect(await verifyInclusion({ index: 0, size: 0, leaf: leaves[0]!, path: [] }, leaves[0]!)).toBe(false);
    expect(await verifyInclusion({ index: 0, size: 1.5, leaf: leaves[0]!, path: [] }, leaves[0]!)).toBe(false);
  });
});

describe("consistency", () => {
  it("of every tree with every earlier one, and with no other", async () => {
    for (let to = 0; to <= leaves.length; to += to < 10 ? 1 : 7) {
      const toRoot = root(leaves.slice(0, to));
      for (let from = 0; from <= to; from++) {
        const fromRoot = root(leaves.slice(0, from));
        const right = { from, to, fromRoot, toRoot, path: from === 0 ? [] : proof(from, leaves.slice(0, to)) };
        expect(await verifyConsistency(right)).toBe(true);
        expect(await verifyConsistency({ ...right, fromRoot: bent(fromRoot) })).toBe(false);
        if (from > 0 && from < to) expect(await verifyConsistency({ ...right, toRoot: bent(toRoot) })).toBe(false);
        expect(await verifyConsistency({ ...right, path: [...right.path, toRoot] })).toBe(false);
        if (from < to) expect(await verifyConsistency({ ...right, from: to, to: from })).toBe(false);
      }
    }
  });
});

describe("checkpoints", () => {
  it("are read when the log, or a witness that one knows, signed them", async () => {
    const checkpoint = await readCheckpoint(vector.note, vector.verifierKey);
    expect(checkpoint).toMatchObject({ origin: vector.origin, size: vector.size });
    expect(Buffer.from(checkpoint!.root).toString("hex")).toBe(vector.rootHex);
    const cosigned = vector.note + vector.cosignature;
    expect(await readCheckpoint(cosigned, vector.witnessKey)).toEqual(checkpoint);
    expect(await readCheckpoint(vector.note, vector.witnessKey)).toBeUndefined();
  });

  it("are not, with any bit changed, or under another key", async () => {
    const bytes = Buffer.from(vector.note);
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      const other = Buffer.from(bytes);
      other[bit >> 3]! ^= 1 << (bit & 7);
      expect(await readCheckpoint(other.toString("utf8"), vector.verifierKey), `bit ${bit}`).toBeUndefined();
    }
    expect(await readCheckpoint(vector.note, vector.verifierKey.replace("6a61", "6a62"))).toBeUndefined();
  });

  it("are not when the log's key signed something of another log", async () => {
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const material = Buffer.concat([Buffer.of(1), publicKey.export({ format: "der", type: "spki" }).subarray(12)]);
    const key = (name: string): { id: Buffer; text: string } => {
      const id = sha(Buffer.from(`${name}\n`), material).subarray(0, 4);
      return { id, text: `${name}+${id.toString("hex")}+${material.toString("base64")}` };
    };
    const note = (origin: string): string => {
      const text = `${origin}\n1\n${sha().toString("base64")}\n`;
      const signature = Buffer.concat([key("mess/a").id, sign(null, Buffer.from(text), privateKey)]);
      return `${text}\n\u2014 mess/a ${signature.toString("base64")}\n`;
    };
    expect(await readCheckpoint(note("mess/a"), key("mess/a").text)).toMatchObject({ size: 1 });
    expect(await readCheckpoint(note("mess/b"), key("mess/a").text)).toBeUndefined();
  });

  it("never throw", async () => {
    await fc.assert(
      fc.asyncProperty(fc.string(), fc.string(), async (note, key) => {
        expect(await readCheckpoint(note, key)).toBeUndefined();
        expect(await readCheckpoint(`${note}\n\n\u2014 ${key} ${note}\n`, vector.verifierKey)).toBeUndefined();
        expect(parseProof(note)).toBeUndefined();
      }),
    );
  });
});

describe("a proof in a file", () => {
  const eight = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"];
  const contents = eight.map((hex) => Buffer.from(hex, "hex"));
  const hashes = contents.map((content) => sha(Buffer.of(0), content));
  const made = (index: number): Parameters<typeof formatProof>[0] => ({
    index,
    path: path(index, hashes),
    checkpoint: vector.note,
    extra: { seq: index + 1, leafData: toBase64(contents[index]!) },
  });

  it("has the form of C2SP, comes back and verifies with the key alone", async () => {
    for (let index = 0; index < 8; index++) {
      const text = formatProof(made(index));
      expect(text.split("\n").slice(0, 1)).toEqual(["c2sp.org/tlog-proof@v1"]);
      expect(text).toContain(`\nindex ${index}\n`);
      expect(text.endsWith(`\n\n${vector.note}`)).toBe(true);
      const read = parseProof(text)!;
      expect(read.extra).toEqual(made(index).extra);
      expect(await verifyProof(read, vector.verifierKey)).toMatchObject({ checkpoint: { size: 8 } });
      expect(await verifyProof({ ...read, index: (index + 1) % 8 }, vector.verifierKey)).toBeUndefined();
      const other = { ...read, extra: { ...read.extra, leafData: toBase64(utf8("x")) } };
      expect(await verifyProof(other, vector.verifierKey)).toBeUndefined();
    }
    expect(Buffer.from(await leafHash(contents[3]!))).toEqual(hashes[3]);
  });

  it("holds a record of a frame with a root over its records, and the message in it", async () => {
    const text = Buffer.from("shopa/bhello");
    const body = Buffer.concat([Buffer.alloc(24), text]);
    body[1] = 4;
    body.writeUInt16LE(3, 2);
    body.writeDoubleLE(1_700_000_000_000, 8);
    const salt = Buffer.alloc(16, 5);
    const records = [9, 10, 11].map((seq) => {
      const head = Buffer.alloc(9);
      head.writeBigUInt64LE(BigInt(seq));
      head[8] = 1;
      return sha(Buffer.of(0), salt, head, body);
    });
    const data = Buffer.concat([sha(Buffer.from("chain")), root(records)]);
    const record = {
      ...{ index: 1, count: 3, kind: 1, salt: toBase64(salt), body: toBase64(body) },
      path: path(1, records).map(toBase64),
    };
    const { privateKey, publicKey } = generateKeyPairSync("ed25519");
    const material = Buffer.concat([Buffer.of(1), publicKey.export({ format: "der", type: "spki" }).subarray(12)]);
    const id = sha(Buffer.from("mess/a\n"), material).subarray(0, 4);
    const logKey = `mess/a+${id.toString("hex")}+${material.toString("base64")}`;
    const signed = `mess/a\n1\n${toBase64(sha(Buffer.of(0), data))}\n`;
    const signature = Buffer.concat([id, sign(null, Buffer.from(signed), privateKey)]).toString("base64");
    const checkpoint = `${signed}\n\u2014 mess/a ${signature}\n`;
    const extra = { seq: 10, leafData: toBase64(data), record };
    const proof = parseProof(formatProof({ index: 0, path: [], checkpoint, extra }))!;
    const message = { topic: "a/b", publisher: "shop", publishedAt: 1_700_000_000_000, payload: utf8("hello") };
    expect(await verifyProof(proof, logKey)).toMatchObject({ record: { seq: 10, kind: 1, message } });
    const other = (change: object): Promise<unknown> =>
      verifyProof({ ...proof, extra: { ...extra, record: { ...record, ...change } } }, logKey);
    for (const change of [
      { index: 0 },
      { kind: 3 },
      { count: 2 },
      { path: [] },
      { body: toBase64(text) },
      { salt: "" },
    ]) {
      expect(await other(change)).toBeUndefined();
    }
    expect(await verifyProof({ ...proof, extra: { ...extra, seq: 9 } }, logKey)).toBeUndefined();
  });

  it.each([
    ["mark", "@v1", "@v2"],
    ["index", "index 3", "index 03"],
    ["hash", "\nindex 3\n", "\nindex 3\nAAAA\n"],
    ["extra", "extra ", "more "],
  ])("is none with another %s", (_what, from, to) => {
    expect(parseProof(formatProof(made(3)).replace(from, to))).toBeUndefined();
  });
});
