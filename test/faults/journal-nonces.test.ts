import { expect, it } from "vitest";
import type { DiskFile, Host } from "../../packages/broker/src/host/host.ts";
import { readFrameHeader } from "../../packages/broker/src/storage/frame-format.ts";
import { JournalHarness, type OpenedJournalUnderTest } from "./journal-harness.ts";
import { openJournalUnderTest } from "./open-journal-under-test.ts";

/**
 * Every frame that ever reaches a disk, by the salt of its segment and its counter: that pair makes key and nonce, so
 * it may stand for one ciphertext only, over all futures of all crash images.
 */
class NonceBook {
  readonly #seen: Map<string, string> = new Map();
  frames = 0;
  repeats = 0;

  readonly open = async (host: Host): Promise<OpenedJournalUnderTest> => {
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

it("never uses a key and nonce twice, over all futures of a crash image", async () => {
  const book = new NonceBook();
  const trunk = new JournalHarness({ seed: 1, open: book.open });
  await trunk.open();
  for (let step = 0; step < 40; step++) {
    trunk.append(300);
    trunk.commit();
    if (step % 3 === 0) await trunk.settled();
    else await trunk.sim.run(0.3);
    for (const how of ["crash", "kill"] as const) {
      const branch = trunk.fork(1_000 + step);
      branch.stop(how);
      await branch.open();
      for (let more = 0; more < 3; more++) {
        branch.append(300);
        branch.commit();
        await branch.settled();
      }
    }
  }
  expect(book.frames).toBeGreaterThan(200);
  expect(book.repeats).toBe(0);
});
