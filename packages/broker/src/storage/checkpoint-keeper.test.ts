import { generateKeyPairSync, sign } from "node:crypto";
import { beforeEach, describe, expect, it } from "vitest";
import { type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
import type { Cosigned } from "../model/log-proofs.ts";
import { parseCheckpoint } from "./checkpoint.ts";
import type { CheckpointOptions } from "./checkpoint-keeper.ts";
import { claimDirectory } from "./data-directory.ts";
import { openKeyring } from "./keyring.ts";
import { openJournal } from "./open-journal.ts";
import {
  formatVerifierKey,
  parseNote,
  parseVerifierKey,
  type VerifierKey,
  verifierKey,
  verifyNote,
} from "./signed-note.ts";
import { readSmallFile, replaceSmallFile } from "./small-file.ts";
import { append, begin, bodyOf, DIRECTORY, KEK, type Store, smallLimits } from "./storage-fixture.test-data.ts";
import { type VerifyReport, verifyJournal } from "./verify.ts";

const OWN = `${DIRECTORY}/checkpoint`;
const KEY = `${DIRECTORY}/checkpoint.key.sealed`;
const OUTSIDE = "/elsewhere/checkpoint";

let sim: SimulatedHost;
let store: Store;

async function openUnsettled(options: CheckpointOptions): Promise<Store> {
  const { host } = sim;
  const claimed = await claimDirectory({ host, directory: DIRECTORY });
  try {
    const keyring = await openKeyring({ host, directory: DIRECTORY, kek: KEK, create: !claimed.hasJournal });
    const where = { host, directory: DIRECTORY, keyring, limits: smallLimits, lock: claimed.lock };
    const opened = await openJournal({ ...where, checkpoints: options });
    return { ...opened, keyring, acked: new Map(), frames: [], failures: [], beforeSeal: () => undefined };
  } catch (error) {
    await claimed.lock.release();
    throw error;
  }
}

async function open(options: CheckpointOptions = {}): Promise<void> {
  store = await sim.settle(openUnsettled(options));
  begin(store);
}

async function close(): Promise<void> {
  await sim.settle(store.journal.close());
}

async function write(frames: number): Promise<void> {
  for (let i = 0; i < frames; i++) await append(sim, store, [bodyOf(i, 2_000)]);
}

async function read(path: string): Promise<Buffer | undefined> {
  return sim.settle(readSmallFile(sim.host, path, 16_384));
}

async function sizeIn(path: string): Promise<number | undefined> {
  const bytes = await read(path);
  return bytes === undefined ? undefined : parseCheckpoint(parseNote(bytes)!.text)?.size;
}

async function put(path: string, bytes: Buffer): Promise<void> {
  await sim.settle(replaceSmallFile(sim.host, path, bytes));
}

beforeEach(async () => {
  sim = simulatedHost({ seed: 12 });
  await sim.settle(sim.host.disk.makeDirectory("/elsewhere"));
  await open();
});

describe("a checkpoint", () => {
  it("is signed by the journal's key over what is durable, in the format of C2SP", async () => {
    await write(3);
    const { checkpoints, proofs } = store;
    const note = parseNote(Buffer.from(checkpoints!.current()))!;
    const verifier = parseVerifierKey(checkpoints!.verifierKey)!;
    expect(verifyNote(note, verifier)).toBe("verified");
    expect(parseCheckpoint(note.text)).toEqual({ origin: verifier.name, ...proofs.head });
    expect(verifier.name).toBe(`mess/${store.keyring.journalId.toString("hex")}`);
  });

  it("is on disk within a minute of a frame, and at the end", async () => {
    expect(await sizeIn(OWN)).toBe(0);
    await write(2);
    expect(await sizeIn(OWN)).toBe(0);
    await sim.run(60_100);
    expect(await sizeIn(OWN)).toBe(2);
    await sim.run(300_000);
    expect(store.checkpoints!.statistics).toMatchObject({ failed: 0, size: 2 });
    await write(1);
    await close();
    expect(await sizeIn(OWN)).toBe(3);
  });

  it("goes to a file outside as well, and nothing stops when that cannot be written", async () => {
    await close();
    const problems: string[] = [];
    await open({ file: OUTSIDE, onProblem: (path) => problems.push(path) });
    await write(2);
    await sim.run(61_000);
    expect(await sizeIn(OUTSIDE)).toBe(2);
    await close();
    await open({ file: "/nowhere/checkpoint", onProblem: (path) => problems.push(path) });
    await write(1);
    await sim.run(61_000);
    expect(problems).toContain("/nowhere/checkpoint");
    expect(store.failures).toEqual([]);
    expect(await sizeIn(OWN)).toBe(3);
  });
});

describe("a start", () => {
  it("goes on after crashes at any moment, with the same key", async () => {
    const { verifierKey } = store.checkpoints!;
    for (let life = 0; life < 6; life++) {
      await write(2);
      if (life % 2 === 0) await sim.run(61_000);
      sim.crash();
      await open();
      expect(store.checkpoints!.verifierKey).toBe(verifierKey);
    }
  });

  it("refuses a directory that was rolled back, by the checkpoint outside, and changes nothing", async () => {
    await close();
    await open({ file: OUTSIDE });
    await write(2);
    await close();
    const early = sim.disk.image();
    sim.kill();
    await open({ file: OUTSIDE });
    await write(4);
    await close();
    const outside = (await read(OUTSIDE))!;
    sim = simulatedHost({ seed: 13, image: early });
    await put(OUTSIDE, outside);
    const before = sim.disk.paths();
    await expect(sim.settle(openUnsettled({ file: OUTSIDE }))).rejects.toMatchObject({
      code: "damaged",
      exitCode: 65,
      message: expect.stringMatching(/rolled back: \/elsewhere\/checkpoint names 6 frames, and it has 2/),
      detail: { file: OUTSIDE, checkpointSize: 6, treeSize: 2 },
    });
    expect(sim.disk.paths()).toEqual(before);
    // Nobody would have noticed without it.
    await open();
    // And whoever goes on from there has another history.
    await write(6);
    await close();
    await expect(sim.settle(openUnsettled({ file: OUTSIDE }))).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringMatching(/not the one that was signed: its first 6 frames/),
    });
  });

  it("compares with a checkpoint that ends in an older segment", async () => {
    await write(3);
    await close();
    const old = (await read(OWN))!;
    for (let life = 0; life < 3; life++) {
      await open();
      await write(12);
      await close();
    }
    await put(OUTSIDE, old);
    const notes: string[] = [];
    await open({ file: OUTSIDE, onNote: (note) => notes.push(note) });
    expect(notes).toEqual([]);
    // It is replaced by the newest at once.
    expect(await sizeIn(OUTSIDE)).toBe(39);
  });

  it("says so when retention dropped what a checkpoint ends with", async () => {
    await write(3);
    await close();
    const old = (await read(OWN))!;
    await open();
    await write(30);
    const { journal } = store;
    journal.snapshotTaken(journal.durableSeq);
    for (const { id, active } of journal.segments()) if (!active) journal.dropSegment(id);
    await sim.run(100);
    await write(1);
    await close();
    await put(OUTSIDE, old);
    const notes: string[] = [];
    await open({ file: OUTSIDE, onNote: (note) => notes.push(note) });
    expect(notes).toEqual([expect.stringContaining("could not be compared")]);
  });

  it.each([
    ["not a checkpoint", "not a checkpoint", async () => put(OWN, Buffer.from("something else"))],
    [
      "signed by nobody",
      "not signed",
      async () =>
        put(
          OWN,
          Buffer.from(
            (await read(OWN))!
              .toString()
              .replace(/[A-Za-z]{4}=\n$/, "AAAA=\n")
              .replace("\n1\n", "\n0\n"),
          ),
        ),
    ],
    ["missing", "is missing", async () => sim.settle(sim.host.disk.remove(OWN))],
    ["of a key that is damaged", "cannot be opened", async () => put(KEY, Buffer.alloc(90, 1))],
  ])("refuses a checkpoint that is %s", async (_what, reason, change) => {
    await write(1);
    await close();
    await change();
    await expect(sim.settle(openUnsettled({}))).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringContaining(reason),
    });
  });

  it("refuses a checkpoint of another journal", async () => {
    await close();
    const other = (await read(OWN))!.toString().replaceAll(/mess\/../g, "mess/zz");
    await put(OUTSIDE, Buffer.from(other));
    await expect(sim.settle(openUnsettled({ file: OUTSIDE }))).rejects.toMatchObject({ code: "configuration" });
  });

  it("goes on as another log when there is no key any more, as after a restore", async () => {
    await close();
    await open({ file: OUTSIDE });
    await write(2);
    await close();
    await sim.settle(sim.host.disk.remove(OWN));
    await sim.settle(sim.host.disk.remove(KEY));
    await expect(sim.settle(openUnsettled({ file: OUTSIDE }))).rejects.toMatchObject({
      code: "damaged",
      message: expect.stringContaining("rolled back"),
    });
    await sim.settle(sim.host.disk.remove(OUTSIDE));
    await open({ file: OUTSIDE });
    const origin = parseVerifierKey(store.checkpoints!.verifierKey)!.name;
    expect(origin).toMatch(/^mess\/[0-9a-f]{32}\/[0-9a-f]{8}$/);
    await close();
    await open({ file: OUTSIDE });
    expect(parseVerifierKey(store.checkpoints!.verifierKey)!.name).toBe(origin);
  });
});

describe("verify", () => {
  async function verified(checkpointFile?: string): Promise<VerifyReport> {
    const where = { host: sim.host, directory: DIRECTORY, kek: KEK };
    return sim.settle(verifyJournal({ ...where, ...(checkpointFile !== undefined && { checkpointFile }) }));
  }

  it("makes the tree from its frames, over segments and holes, and compares checkpoints of any size", async () => {
    await write(5);
    await close();
    const old = (await read(OWN))!;
    await open();
    await write(30);
    const { journal } = store;
    journal.snapshotTaken(journal.durableSeq);
    const [, , third] = journal.segments().filter(({ firstSeq, lastSeq }) => lastSeq >= firstSeq);
    journal.dropSegment(third!.id);
    await sim.run(100);
    await write(3);
    const { size, root } = store.proofs.head;
    await close();
    await put(OUTSIDE, old);
    const report = await verified(OUTSIDE);
    expect(report).toMatchObject({ ok: true, tree: { size, root: root.toString("hex") } });
    expect(report.checkpoints).toEqual([
      { file: OWN, size, signed: true, result: "continued" },
      { file: OUTSIDE, size: 5, signed: true, result: "continued" },
    ]);
    const keyless = await sim.settle(verifyJournal({ host: sim.host, directory: DIRECTORY, kek: undefined }));
    expect(keyless).toMatchObject({ ok: true, tree: { size }, checkpoints: [{ signed: false, result: "continued" }] });
  });

  it("finds a directory that was rolled back", async () => {
    await write(2);
    await close();
    const early = sim.disk.image();
    sim.kill();
    await open();
    await write(2);
    await close();
    const late = (await read(OWN))!;
    sim = simulatedHost({ seed: 14, image: early });
    expect(await verified()).toMatchObject({ ok: true, tree: { size: 2 } });
    await put(OUTSIDE, late);
    const { ok, problem } = await verified(OUTSIDE);
    expect({ ok, problem }).toMatchObject({
      ok: false,
      problem: { file: OUTSIDE, reason: "it names 4 frames, and the journal has 2: it was rolled back" },
    });
    await open();
    await write(2);
    await close();
    expect((await verified(OUTSIDE)).problem?.reason).toMatch(/the first 4 frames of the journal are others/);
    await expect(verified("/elsewhere/nothing")).rejects.toMatchObject({ code: "configuration" });
  });
});

describe("cosignatures", () => {
  const KEYS = "/elsewhere/witnesses";
  const witness = (name: string): { verifier: VerifierKey; cosign: (text: string) => string } => {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    const verifier = verifierKey(name, publicKey, "cosignature");
    const cosign = (text: string): string => {
      const time = Buffer.alloc(8);
      time.writeBigUInt64BE(1_700_000_000n);
      const signature = sign(null, Buffer.from(`cosignature/v1\ntime 1700000000\n${text}`), privateKey);
      return `\u2014 ${name} ${Buffer.concat([verifier.id, time, signature]).toString("base64")}\n`;
    };
    return { verifier, cosign };
  };
  const [one, two, stranger] = [witness("w.example/1"), witness("w.example/2"), witness("w.example/3")];
  const textOf = (note: string): string => parseNote(Buffer.from(note))!.text;

  async function reopen(): Promise<void> {
    await put(
      KEYS,
      Buffer.from(`# witnesses\n${formatVerifierKey(one.verifier)}\n\n${formatVerifierKey(two.verifier)}\n`),
    );
    await close();
    await open({ witnessKeysFile: KEYS });
  }

  const add = (note: string): Promise<Cosigned> => sim.settle(store.checkpoints!.cosigned.add(note, store.proofs));

  it("of known witnesses are kept with the largest checkpoint, over restarts", async () => {
    await reopen();
    await write(2);
    const { checkpoints } = store;
    const note = checkpoints!.current();
    const text = textOf(note);
    expect(await add(note + one.cosign(text) + stranger.cosign(text))).toEqual({ size: 2, witnesses: ["w.example/1"] });
    expect(await add(note + two.cosign(text))).toEqual({ size: 2, witnesses: ["w.example/1", "w.example/2"] });
    await write(1);
    await reopen();
    const kept = parseNote(Buffer.from(store.checkpoints!.cosigned.current!))!;
    expect(kept.text).toBe(text);
    for (const { verifier } of [one, two]) expect(verifyNote(kept, verifier)).toBe("verified");
    expect(verifyNote(kept, parseVerifierKey(store.checkpoints!.verifierKey)!)).toBe("verified");
    const later = store.checkpoints!.current();
    expect(await add(later + two.cosign(textOf(later)))).toEqual({ size: 3, witnesses: ["w.example/2"] });
    await expect(add(note + one.cosign(text))).rejects.toMatchObject({ code: "conflict" });
  });

  it("count only on what this log signed, by a witness that it knows", async () => {
    await reopen();
    await write(1);
    const note = store.checkpoints!.current();
    const text = textOf(note);
    for (const wrong of [
      "no note",
      note,
      note + stranger.cosign(text),
      note + one.cosign(text.replace("\n1\n", "\n2\n")),
      `${text}\n${one.cosign(text)}`,
      note.replace("\n1\n", "\n2\n") + one.cosign(text),
    ]) {
      await expect(add(wrong), wrong).rejects.toMatchObject({ code: "invalid" });
    }
    expect(store.checkpoints!.cosigned.current).toBeUndefined();
  });

  it("show a rollback as well, and a file of keys that is wrong keeps the journal closed", async () => {
    await reopen();
    await write(1);
    await close();
    const early = sim.disk.image();
    sim.kill();
    await open({ witnessKeysFile: KEYS });
    await write(2);
    const note = store.checkpoints!.current();
    await add(note + one.cosign(textOf(note)));
    const cosigned = (await read(`${DIRECTORY}/checkpoint.cosigned`))!;
    await close();
    sim = simulatedHost({ seed: 15, image: early });
    await put(`${DIRECTORY}/checkpoint.cosigned`, cosigned);
    await expect(sim.settle(openUnsettled({}))).rejects.toMatchObject({ exitCode: 65 });
    await sim.settle(sim.host.disk.remove(`${DIRECTORY}/checkpoint.cosigned`));
    await put(KEYS, Buffer.from("nonsense\n"));
    await expect(sim.settle(openUnsettled({ witnessKeysFile: KEYS }))).rejects.toMatchObject({ code: "configuration" });
    await expect(sim.settle(openUnsettled({ witnessKeysFile: "/no" }))).rejects.toMatchObject({
      code: "configuration",
    });
  });
});
