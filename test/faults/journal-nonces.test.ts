import { expect, it } from "vitest";
import type { DiskFile, Host } from "../../packages/broker/src/host/host.ts";
import { readFrameHeader } from "../../packages/broker/src/storage/frame-format.ts";
import type { OpenedDirectory } from "../../packages/broker/src/storage/open-journal.ts";
import { JournalHarness } from "./journal-harness.ts";
import { openJournalUnderTest } from "./open-journal-under-test.ts";

/**
 * Every frame that ever reaches a disk, by the salt of its segment and its counter: that pair makes key and nonce, so
 * it may stand for one ciphertext only, over all futures of all crash images.
 */
class NonceBook {
  readonly #seen: Map<string, string> = new Map();
  frames = 0;
  repeats = 0;

  readonly open = async (host: Host): Promise<OpenedDirectory> => {
    const salts = new Map<string, string>();
    const { disk } = host;
    const open = async (path: string, how: "read" | "readwrite" | "create"): Promise<DiskFile> => {
      const file = await disk.open(path, how);
      const read = Buffer.alloc(96);
      await new Promise<void>((resolve) => file.readAt(read, 0, () => resolve()));
      salts.set(path, read.toString("hex", 64, 96));
      return this.#watched(file, (bytes, position) => {
        if (position === 0 && bytes.length >= 96) salts.set(path, Buffer.from(bytes.subarray(64, 96)).toString("hex"));
        else this.#note(salts.get(path) ?? "", Buffer.from(bytes));
      });
    };
    const names = ["stat", "list", "makeDirectory", "rename", "remove", "syncDirectory", "freeBytes", "lock"] as const;
    const rest = Object.fromEntries(
      names.map((name) => [name, (disk[name] as (...path: string[]) => unknown).bind(disk)]),
    );
    const moved = async (from: string, to: string): Promise<void> => {
      await disk.rename(from, to);
      salts.set(to, salts.get(from) ?? "");
    };
    return openJournalUnderTest({ ...host, disk: { ...rest, rename: moved, open } as unknown as Host["disk"] });
  };

  #watched(file: DiskFile, note: (bytes: Uint8Array, position: number) => void): DiskFile {
    return {
      writeAt: (bytes, position, done) => {
        note(bytes, position);
        file.writeAt(bytes, position, done);
      },
      readAt: (into, position, done) => file.readAt(into, position, done),
      datasync: (done) => file.datasync(done),
      close: () => file.close(),
    };
  }

  #note(salt: string, bytes: Buffer): void {
    const header = readFrameHeader(bytes, 0);
    if (header === undefined) return;
    this.frames++;
    const key = `${salt} ${header.counter}`;
    const text = bytes.toString("latin1");
    const before = this.#seen.get(key);
    if (before !== undefined && before !== text) this.repeats++;
    this.#seen.set(key, text);
  }
}

/** A frame of a segment that is on this disk, whole or not: everything that begins like one. */
function noteDisk(harness: JournalHarness, frames: Map<string, string>): number {
  const { disk } = harness.sim;
  let repeats = 0;
  for (const path of disk.paths().filter((name) => name.includes("/segment-"))) {
    const bytes = disk.read(path);
    const segment = `${bytes.readUInt32LE(36)} ${bytes.toString("hex", 64, 96)}`;
    for (let at = 4_096; at + 512 <= bytes.length; at += 512) {
      const header = readFrameHeader(bytes, at);
      if (header === undefined) continue;
      const end = at + header.frameBytes;
      const key = `${segment} ${header.counter}`;
      const text = bytes.toString("latin1", at, Math.min(end, bytes.length));
      const before = frames.get(key);
      // A torn frame has the bytes of the whole one as far as it goes, or zeros.
      if (before !== undefined && !agree(before, text)) repeats++;
      if (before === undefined) frames.set(key, text);
    }
  }
  return repeats;
}

function agree(a: string, b: string): boolean {
  for (let i = 0; i < Math.min(a.length, b.length); i++) {
    if (a.charCodeAt(i) !== b.charCodeAt(i) && a.charCodeAt(i) !== 0 && b.charCodeAt(i) !== 0) return false;
  }
  return true;
}

/** A journal whose data key changes now and then. */
function openRotating(book: NonceBook, rotating: (() => void)[]): (host: Host) => Promise<OpenedDirectory> {
  return async (host) => {
    const opened = await book.open(host);
    rotating.push(() => void opened.dataKeys.rotate().catch(() => undefined));
    return opened;
  };
}

const images = 200;

it("never uses a key and nonce twice, over all futures of 200 crash images", { timeout: 120_000 }, async () => {
  const book = new NonceBook();
  const rotations: (() => void)[] = [];
  const onDisk = new Map<string, string>();
  const trunk = new JournalHarness({ seed: 1, open: openRotating(book, rotations) });
  await trunk.open();
  const rotateTrunk = rotations[0];
  let seen = 0;
  let repeats = 0;
  for (let step = 0; seen < images; step++) {
    trunk.append(300);
    trunk.commit();
    if (step % 7 === 3) rotateTrunk?.();
    if (step % 3 === 0) await trunk.settled();
    else await trunk.sim.run(0.3);
    for (const how of ["crash", "kill"] as const) {
      const branch = trunk.fork(1_000 + step);
      branch.stop(how);
      seen++;
      repeats += noteDisk(branch, onDisk);
      await branch.open();
      if (step % 5 === 1) rotations.at(-1)?.();
      for (let more = 0; more < 3; more++) {
        branch.append(300);
        branch.commit();
        await branch.settled();
      }
      repeats += noteDisk(branch, onDisk);
    }
  }
  expect({ written: book.repeats, found: repeats }).toEqual({ written: 0, found: 0 });
  expect(seen).toBe(images);
  expect(book.frames).toBeGreaterThan(images * 3);
  expect(onDisk.size).toBeGreaterThan(images * 3);
});
