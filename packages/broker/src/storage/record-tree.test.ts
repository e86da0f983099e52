import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { simulatedHost } from "../host/simulated-host.ts";
import type { JournalFrame } from "../model/journal.ts";
import { leafHash, verifyInclusion } from "./merkle.ts";
import { OpenFrame } from "./open-frame.ts";
import { proveRecord, recordRoot, type SaltPlace } from "./record-tree.ts";
import { secretKey } from "./secret-box.ts";
import {
  append,
  bodyOf,
  DIRECTORY,
  KEK,
  openStore,
  put,
  type Store,
  smallLimits,
} from "./storage-fixture.test-data.ts";
import { verifyJournal } from "./verify.ts";

const key = {
  own: secretKey(Buffer.alloc(32, 1)),
  of: (domain: number): ReturnType<SaltPlace["key"]["of"]> =>
    domain === 9 ? "none" : secretKey(Buffer.alloc(32, domain + 1)),
};
const place: SaltPlace = { key, counter: 5 };

function frameOf(bodies: readonly string[], domains: readonly number[] = []): JournalFrame {
  const open = new OpenFrame();
  for (const [i, body] of bodies.entries()) {
    const at = open.reserve(1, body.length);
    open.bytes.write(body, at, "latin1");
    const domain = domains[i] ?? 0;
    if (domain > 0) open.confine(domain, at);
  }
  return open.take(100);
}

/** What a verifier makes of a proof. */
function verifies(seq: number, proof: NonNullable<ReturnType<typeof proveRecord>>, root: Buffer): boolean {
  const head = Buffer.alloc(9);
  head.writeBigUInt64LE(BigInt(seq));
  head[8] = proof.kind;
  const leaf = leafHash(Buffer.concat([proof.salt, head, proof.body]));
  return verifyInclusion({ index: proof.index, size: proof.count, leaf, path: proof.path }, root);
}

describe("the tree over records", () => {
  it("proves each record, and no other number or text", () => {
    const bodies = fc.array(fc.string({ maxLength: 30 }), { minLength: 1, maxLength: 40 });
    fc.assert(
      fc.property(bodies, fc.nat(), (texts, pick) => {
        const frame = frameOf(texts.map((text) => Buffer.from(text).toString("latin1")));
        const root = recordRoot(frame, place);
        const index = pick % frame.count;
        const proof = proveRecord(frame, place, 100 + index)!;
        expect(proof.root).toEqual(root);
        expect(verifies(100 + index, proof, root)).toBe(true);
        expect(verifies(101 + index, proof, root)).toBe(false);
        expect(verifies(100 + index, { ...proof, body: Buffer.concat([proof.body, Buffer.of(0)]) }, root)).toBe(false);
        expect(verifies(100 + index, { ...proof, kind: 2 }, root)).toBe(false);
      }),
    );
  });

  it("has another salt for every record, frame and key, so that equal records have unequal hashes", () => {
    const frame = frameOf(["same", "same", "same"], [0, 0, 3]);
    const salts = new Set<string>();
    for (const at of [
      place,
      { key, counter: 6 },
      { key: { ...key, own: secretKey(Buffer.alloc(32, 8)) }, counter: 5 },
    ]) {
      for (const index of [0, 1]) salts.add(proveRecord(frame, at, 100 + index)!.salt.toString("hex"));
    }
    salts.add(proveRecord(frame, place, 102)!.salt.toString("hex"));
    expect(salts.size).toBe(7);
  });

  it("gives no proof once something of the frame is erased: the salt went with the key", () => {
    const frame = frameOf(["a", "b"], [9, 0]);
    expect(proveRecord(frame, place, 101)).toBeUndefined();
    const { confined: _, ...read } = frameOf(["a", "b"]);
    expect(proveRecord({ ...read, erased: Uint8Array.of(1, 0) }, place, 101)).toBeUndefined();
  });
});

describe("in a journal", () => {
  const limits = { ...smallLimits, frameCacheBytes: 1 };

  async function prove(sim: ReturnType<typeof simulatedHost>, store: Store, seq: number): Promise<boolean> {
    const proof = await sim.settle(store.proofs.inclusion(seq, store.proofs.head.size));
    if (!proof.ok) throw new Error(proof.message);
    const { index, size, path, root, leafData, record } = proof;
    expect(verifyInclusion({ index, size, leaf: leafHash(leafData), path }, root)).toBe(true);
    if (record === undefined) return false;
    expect(leafData.subarray(32)).toEqual(record.root);
    expect(record.body.toString("latin1")).toBe(store.acked.get(seq));
    return verifies(seq, record, leafData.subarray(32));
  }

  it("stands beside the chain hash in the leaf, over segments and restarts, and verify knows it", async () => {
    const sim = simulatedHost({ seed: 21 });
    let store = await openStore(sim, limits);
    const proved: number[] = [];
    const plain: number[] = [];
    const acked = new Map<number, string>();
    for (let life = 0; life < 3; life++) {
      for (let i = 0; i < 10; i++) {
        if (i % 3 === 0) {
          store.journal.prove();
          proved.push(put(store, bodyOf(i, 900)), put(store, bodyOf(i + 50, 40)));
        } else plain.push(put(store, bodyOf(i, 900)));
        await append(sim, store, []);
      }
      for (const seq of proved.slice(-4)) expect(await prove(sim, store, seq)).toBe(true);
      for (const [seq, body] of store.acked) acked.set(seq, body);
      const { size, root } = store.proofs.head;
      await sim.settle(store.journal.close());
      store = await openStore(sim, limits);
      for (const [seq, body] of acked) store.acked.set(seq, body);
      expect(store.proofs.head).toEqual({ size, root });
    }
    for (const seq of proved) expect(await prove(sim, store, seq)).toBe(true);
    for (const seq of plain) expect(await prove(sim, store, seq)).toBe(false);
    const { size, root } = store.proofs.head;
    await sim.settle(store.journal.close());
    const report = await sim.settle(verifyJournal({ host: sim.host, directory: DIRECTORY, kek: KEK }));
    expect(report).toMatchObject({ ok: true, tree: { size, root: root.toString("hex") } });
  });
});
