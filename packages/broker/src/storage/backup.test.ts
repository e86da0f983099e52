import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
import type { Backup } from "../model/backup.ts";
import { readArchive } from "./archive-reader.ts";
import { beginOfflineBackup } from "./backup.ts";
import { claimDirectory } from "./data-directory.ts";
import { openKeyring } from "./keyring.ts";
import { openJournal } from "./open-journal.ts";
import { type RestoreReport, restoreBackup } from "./restore.ts";
import {
  append,
  bodiesOf,
  bodyOf,
  DIRECTORY,
  KEK,
  openStore,
  put,
  type Store,
  segmentPaths,
  smallLimits,
} from "./storage-fixture.test-data.ts";

const TARGET = "/restored";

async function collect(backup: Backup, each: () => void = () => undefined): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of backup.chunks) {
    chunks.push(chunk);
    each();
  }
  return Buffer.concat(chunks);
}

async function* pieces(bytes: Buffer, length: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += length) yield bytes.subarray(at, at + length);
}

async function backedUp(sim: SimulatedHost, store: Store): Promise<Buffer> {
  const backup = await sim.settle(store.beginBackup());
  const archive = await sim.settle(collect(backup));
  expect(archive.length).toBe(backup.bytes);
  return archive;
}

function restore(
  sim: SimulatedHost,
  archive: Buffer,
  more: { kek?: Buffer; directory?: string } = {},
): Promise<RestoreReport> {
  const { kek = KEK, directory = TARGET } = more;
  const options = {
    host: sim.host,
    source: "/b.mess",
    open: () => pieces(archive, 3_000),
    directory,
    loadKek: () => Promise.resolve(kek),
  };
  return sim.settle(restoreBackup(options));
}

/** All records of a directory, and that it can be written to. */
async function recordsOf(sim: SimulatedHost, directory: string): Promise<Map<number, string>> {
  const { host } = sim;
  const keyring = await sim.settle(openKeyring({ host, directory, kek: KEK, create: false }));
  const opened = await sim.settle(openJournal({ host, directory, keyring, limits: smallLimits }));
  const found = new Map<number, string>();
  await sim.settle(
    opened.replay(0, (frame) => {
      for (const [seq, body] of bodiesOf(frame)) found.set(seq, body);
    }),
  );
  opened.journal.start({ beforeSeal: () => undefined, committed: () => undefined, failed: () => undefined });
  opened.journal.reserve(1, 8);
  opened.journal.commit();
  const { lastSeq } = opened.journal;
  await sim.runUntil(() => opened.journal.durableSeq >= lastSeq);
  await sim.settle(opened.journal.close());
  return found;
}

async function filled(seed: number, frames = 12): Promise<{ sim: SimulatedHost; store: Store }> {
  const sim = simulatedHost({ seed });
  const store = await openStore(sim);
  for (let i = 0; i < frames; i++) await append(sim, store, [bodyOf(i, 3_000), bodyOf(i, 20)]);
  return { sim, store };
}

describe("a backup", () => {
  it("of a journal under load holds all that was acknowledged before it began, and nothing that is half there", async () => {
    const { sim, store } = await filled(1);
    // A frame is in flight and more is open when it begins.
    put(store, bodyOf(100, 2_000));
    store.journal.commit();
    put(store, bodyOf(101, 2_000));
    const acked = new Map(store.acked);
    const backup = await sim.settle(store.beginBackup());
    const archive = await sim.settle(
      collect(backup, () => {
        put(store, bodyOf(200, 2_500));
        store.journal.commit();
      }),
    );
    const report = await restore(sim, archive);
    expect(report).toMatchObject({ ok: true, lastSeq: backup.lastSeq, madeAt: expect.any(Number) });
    const found = await recordsOf(sim, TARGET);
    for (const [seq, body] of acked) expect(found.get(seq)).toBe(body);
    for (const [seq, body] of found) expect(store.acked.get(seq)).toBe(body);
    expect(store.acked.size).toBeGreaterThan(found.size);
    expect(store.failures).toEqual([]);
    expect(sim.violations).toEqual([]);
  });

  it("keeps what retention drops meanwhile, and lets it go after", async () => {
    const { sim, store } = await filled(2);
    const before = new Map(store.acked);
    const backup = await sim.settle(store.beginBackup());
    store.journal.snapshotTaken(store.journal.durableSeq);
    const files = segmentPaths(sim);
    const bytes = store.journal.statistics().diskBytes;
    for (const { id, active } of store.journal.segments()) if (!active) store.journal.dropSegment(id);
    await append(sim, store, ["with the trims"]);
    await sim.runUntilIdle();
    expect(segmentPaths(sim)).toEqual(files);
    // The room they take still counts against the budget.
    expect(store.journal.statistics().diskBytes).toBe(bytes);
    const archive = await sim.settle(collect(backup));
    await sim.runUntilIdle();
    expect(segmentPaths(sim).length).toBeLessThan(files.length);
    expect(await restore(sim, archive)).toMatchObject({ ok: true, lastSeq: backup.lastSeq });
    expect(await recordsOf(sim, TARGET)).toEqual(before);
    await sim.settle(store.journal.close());
  });

  it("of segments whose ends nobody knows after a restart is whole too", async () => {
    const sim = simulatedHost({ seed: 3 });
    const limits = {
      ...smallLimits,
      segmentBytes: 16 * 1024 * 1024,
      frameBytesSoft: 2 * 1024 * 1024,
      diskBytesMax: 2 ** 29,
    };
    let store = await openStore(sim, limits);
    for (let life = 0; life < 3; life++) {
      for (let i = 0; i < 9; i++) await append(sim, store, [bodyOf(i, 4_000_000)]);
      store.journal.snapshotTaken(store.journal.durableSeq);
      // Every second one, so that the ones before have no successor that names their end.
      const old = store.journal
        .segments()
        .filter(({ active, lastSeq }) => !active && lastSeq < store.journal.durableSeq);
      for (const [i, { id }] of old.entries()) if (i % 2 === 1) store.journal.dropSegment(id);
      await append(sim, store, ["trims"]);
      await sim.runUntilIdle();
      await sim.settle(store.journal.close());
      store = await openStore(sim, limits);
    }
    const archive = await backedUp(sim, store);
    expect(await restore(sim, archive)).toMatchObject({ ok: true });
  }, 30_000);

  it("is one at a time, and is given up when nobody reads it or the journal closes", async () => {
    const { sim, store } = await filled(4);
    const first = await sim.settle(store.beginBackup());
    await expect(sim.settle(store.beginBackup())).rejects.toMatchObject({ code: "in-use" });
    first.close();
    const second = await sim.settle(store.beginBackup());
    const iterator = second.chunks[Symbol.asyncIterator]();
    await sim.settle(iterator.next());
    await sim.settle(store.journal.close());
    await expect(sim.settle(iterator.next())).rejects.toMatchObject({ message: expect.stringContaining("closing") });
    await expect(sim.settle(store.beginBackup())).rejects.toMatchObject({ code: "in-use" });
  });

  it("that was given up does not let go what the next one holds", async () => {
    const { sim, store } = await filled(10);
    const first = await sim.settle(store.beginBackup());
    const iterator = first.chunks[Symbol.asyncIterator]();
    await sim.settle(iterator.next());
    first.close();
    const second = await sim.settle(store.beginBackup());
    await sim.settle(Promise.resolve(iterator.return?.()));
    first.close();
    store.journal.snapshotTaken(store.journal.durableSeq);
    for (const { id, active } of store.journal.segments()) if (!active) store.journal.dropSegment(id);
    await append(sim, store, ["with the trims"]);
    await sim.runUntilIdle();
    expect(await restore(sim, await sim.settle(collect(second)))).toMatchObject({ ok: true });
  });

  it("is given up when it is read too slowly: what it pins takes room", async () => {
    const { sim, store } = await filled(5);
    const backup = await sim.settle(store.beginBackup());
    const iterator = backup.chunks[Symbol.asyncIterator]();
    await sim.settle(iterator.next());
    await sim.run(120_000);
    await expect(sim.settle(iterator.next())).rejects.toMatchObject({ message: expect.stringContaining("too slowly") });
    expect((await backedUp(sim, store)).length).toBe(backup.bytes);
  });

  it("of damaged data says so instead of passing for one", async () => {
    const { sim, store } = await filled(6);
    const [first = ""] = segmentPaths(sim);
    sim.disk.flipBit(first, 6_000 * 8 + 3);
    const archive = await sim.settle(collect(await sim.settle(store.beginBackup())));
    const refused = {
      code: "damaged",
      message: expect.stringMatching(/could not be finished: Segment 1 .* damaged at byte/u),
    };
    await expect(readArchive({ source: "/b", chunks: pieces(archive, 1_000) })).rejects.toMatchObject(refused);
    await expect(restore(sim, archive)).rejects.toMatchObject(refused);
  });

  it("offline is the same, and refused while a server runs", async () => {
    const { sim, store } = await filled(7);
    const options = { host: sim.host, directory: DIRECTORY, kek: KEK };
    await expect(sim.settle(beginOfflineBackup(options))).rejects.toMatchObject({ code: "in-use" });
    await sim.settle(store.journal.close());
    const backup = await sim.settle(beginOfflineBackup(options));
    await expect(sim.settle(beginOfflineBackup(options))).rejects.toMatchObject({ code: "in-use" });
    const archive = await sim.settle(collect(backup));
    expect(archive.length).toBe(backup.bytes);
    expect(await restore(sim, archive)).toMatchObject({ ok: true, lastSeq: store.journal.durableSeq });
    const found = await recordsOf(sim, TARGET);
    for (const [seq, body] of store.acked) expect(found.get(seq)).toBe(body);
    // The lock is free again.
    expect(await sim.settle(collect(await sim.settle(beginOfflineBackup(options))))).toHaveLength(archive.length);
  });

  it("of an empty journal can be restored", async () => {
    const sim = simulatedHost({ seed: 8 });
    const archive = await backedUp(sim, await openStore(sim));
    expect(await restore(sim, archive)).toMatchObject({ ok: true, records: 0 });
    expect(await recordsOf(sim, TARGET)).toEqual(new Map());
  });
});

describe("a restore", () => {
  const made = (async () => {
    const { sim, store } = await filled(20, 6);
    return { sim, archive: await backedUp(sim, store) };
  })();

  async function nothingWritten(sim: SimulatedHost): Promise<void> {
    const stat = await sim.settle(sim.host.disk.stat(TARGET));
    if (stat !== undefined) expect(await sim.settle(sim.host.disk.list(TARGET))).toEqual([]);
  }

  it("refuses an archive that was cut anywhere, and writes nothing", async () => {
    const { archive } = await made;
    const cut = async (length: number): Promise<void> => {
      const sim = simulatedHost({ seed: 1 });
      await expect(restore(sim, archive.subarray(0, length))).rejects.toMatchObject({ code: "damaged" });
      await nothingWritten(sim);
    };
    for (const length of [0, 1, 512, archive.length - 1, archive.length - 512, archive.length - 1_024])
      await cut(length);
    await fc.assert(fc.asyncProperty(fc.nat(archive.length - 1), cut), { numRuns: 100 });
  });

  it("refuses one flipped bit anywhere", async () => {
    const { archive } = await made;
    const sim = simulatedHost({ seed: 1 });
    const flip = async (at: number, bit: number): Promise<void> => {
      const bytes = Buffer.from(archive);
      bytes[at] = (bytes[at] as number) ^ (1 << bit);
      // In the first block a flip may make it look like no backup, or like one of another version.
      const codes = at < 512 ? ["damaged", "configuration"] : ["damaged"];
      const error: unknown = await restore(sim, bytes).catch((thrown: unknown) => thrown);
      expect(codes).toContain((error as { code?: string }).code);
      await nothingWritten(sim);
    };
    const place = fc.nat(archive.length - 1);
    await fc.assert(fc.asyncProperty(place, fc.nat(7), flip), { numRuns: 300 });
    // The small parts, where a random place seldom falls: headers and manifest.
    const manifest = archive.lastIndexOf("mess-backup-1/MANIFEST");
    const early = fc.oneof(fc.nat(3_000), fc.integer({ min: manifest, max: archive.length - 1 }));
    await fc.assert(fc.asyncProperty(early, fc.nat(7), flip), { numRuns: 300 });
  });

  it("refuses bytes after the end, and a file that is no backup", async () => {
    const { archive } = await made;
    const sim = simulatedHost({ seed: 1 });
    await expect(restore(sim, Buffer.concat([archive, Buffer.alloc(1)]))).rejects.toMatchObject({ code: "damaged" });
    await expect(restore(sim, Buffer.alloc(4_096, "x"))).rejects.toMatchObject({
      code: "configuration",
      message: expect.stringContaining("not a backup"),
    });
    const later = Buffer.from(archive);
    later.write("mess-backup-2/", 0, "latin1");
    await expect(restore(sim, later)).rejects.toMatchObject({
      code: "configuration",
      message: expect.stringContaining("version 2"),
    });
  });

  it("refuses the wrong key, and writes nothing", async () => {
    const { archive } = await made;
    const sim = simulatedHost({ seed: 1 });
    const refused = { code: "configuration", message: expect.stringContaining("key-encryption key does not open") };
    await expect(restore(sim, archive, { kek: Buffer.alloc(32, 1) })).rejects.toMatchObject(refused);
    await nothingWritten(sim);
  });

  it("refuses an archive with a right checksum that the broker did not seal", async () => {
    const { sim: one, store } = await filled(21, 2);
    const archive = await backedUp(one, store);
    // Somebody who can read and write the archive leaves out the last frames and makes the sums right; the seal stays.
    const at = archive.lastIndexOf("mess-backup-1/MANIFEST");
    const content = archive.toString("latin1", at + 512, archive.length - 1_024).replaceAll("\0", "");
    const [line = "", last = ""] = content.split("\n");
    const changed = `${line.replace(/"madeAt":\d/u, '"madeAt":9')}\n`;
    const sum = createHash("sha256").update(changed).digest("hex");
    const forged = Buffer.from(archive);
    forged.write(`${changed}${sum} ${last.split(" ")[1]}\n`, at + 512, "latin1");
    const sim = simulatedHost({ seed: 1 });
    await expect(restore(sim, forged)).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringContaining("seal"),
    });
  });

  it("overwrites nothing", async () => {
    const { archive } = await made;
    const sim = simulatedHost({ seed: 1 });
    await restore(sim, archive);
    const refused = { code: "configuration", message: expect.stringContaining("overwrites nothing") };
    await expect(restore(sim, archive)).rejects.toMatchObject(refused);
    expect((await recordsOf(sim, TARGET)).size).toBeGreaterThan(0);
    await sim.settle(sim.host.disk.makeDirectory("/empty"));
    expect(await restore(sim, archive, { directory: "/empty" })).toMatchObject({ ok: true });
  });

  it("that a crash cut off is known by its mark, and no broker starts on it", async () => {
    const { archive } = await made;
    const sim = simulatedHost({ seed: 9 });
    const options = { host: sim.host, source: "/b", directory: TARGET, loadKek: () => Promise.resolve(KEK) };
    let opened = 0;
    const open = (): AsyncIterable<Uint8Array> => {
      opened++;
      return pieces(archive, 3_000);
    };
    let half = false;
    const onProgress = (done: number, total: number): void => {
      half ||= done > total / 2;
    };
    void restoreBackup({ ...options, open, onProgress }).catch(() => undefined);
    await sim.runUntil(() => half);
    sim.crash();
    expect(opened).toBe(2);
    const { host } = sim;
    await expect(sim.settle(claimDirectory({ host, directory: TARGET }))).rejects.toMatchObject({
      code: "configuration",
      message: expect.stringContaining("did not finish"),
    });
    await expect(restore(sim, archive)).rejects.toMatchObject({
      message: expect.stringContaining("unfinished restore"),
    });
  });
});
