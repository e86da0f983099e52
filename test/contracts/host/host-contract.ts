import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Disk, DiskError, DiskFile, Host } from "../../../packages/broker/src/host/host.ts";

/** One host to test, with an empty directory of its own. */
export interface HostUnderTest {
  readonly host: Host;
  /** Exists, is empty, and can be written to. */
  readonly directory: string;
  /** Lets the world go on until `promise` settles, and passes on what it holds. */
  settle<T>(promise: Promise<T>): Promise<T>;
  end(): Promise<void>;
}

let under: HostUnderTest;
let disk: Disk;
const at = (name: string): string => `${under.directory}/${name}`;
const settle = <T>(promise: Promise<T>): Promise<T> => under.settle(promise);

function write(file: DiskFile, text: string, position: number): Promise<void> {
  return settle(
    new Promise((resolve, reject) => {
      file.writeAt(Buffer.from(text), position, (error) => (error ? reject(error) : resolve()));
    }),
  );
}

function sync(file: DiskFile): Promise<void> {
  return settle(new Promise((resolve, reject) => file.datasync((error) => (error ? reject(error) : resolve()))));
}

/** What a read of `length` bytes at `position` gives: the count it reports and that many bytes. */
function read(file: DiskFile, position: number, length: number): Promise<string> {
  const into = Buffer.alloc(length, "?");
  return settle(
    new Promise((resolve, reject) => {
      file.readAt(into, position, (error, count) =>
        error ? reject(error) : resolve(into.toString("latin1", 0, count)),
      );
    }),
  );
}

/** The errno name a promise fails with, after checking that it is a `DiskError`. */
async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await settle(promise);
    return "no error";
  } catch (error) {
    const { code, message } = error as DiskError;
    expect(message).toEqual(expect.any(String));
    expect(message.length).toBeGreaterThan(0);
    return code;
  }
}

async function create(name: string, text = ""): Promise<DiskFile> {
  const file = await settle(disk.open(at(name), "create"));
  if (text !== "") await write(file, text, 0);
  return file;
}

function files(): void {
  it("creates a file once, with mode 0600 and one link", async () => {
    const file = await create("a", "hello");
    expect(await codeOf(disk.open(at("a"), "create"))).toBe("EEXIST");
    const stat = await settle(disk.stat(at("a")));
    expect(stat).toMatchObject({ kind: "file", size: 5, mode: 0o600, links: 1 });
    await settle(file.close());
  });

  it("opens only what is there", async () => {
    expect(await codeOf(disk.open(at("none"), "read"))).toBe("ENOENT");
    expect(await codeOf(disk.open(at("none"), "readwrite"))).toBe("ENOENT");
    expect(await codeOf(disk.open(at("none/below"), "create"))).toBe("ENOENT");
  });

  it("writes at a position, leaves zeros before it, and reads short only at the end", async () => {
    const file = await create("a");
    await write(file, "end", 5);
    await write(file, "b", 1);
    expect(await read(file, 0, 8)).toBe("\0b\0\0\0end");
    expect(await read(file, 6, 100)).toBe("nd");
    expect(await read(file, 8, 4)).toBe("");
    expect(await read(file, 1_000, 4)).toBe("");
    await settle(file.close());
  });

  it("keeps a large write whole", async () => {
    const file = await create("a");
    const text = "0123456789abcdef".repeat(100_000);
    await write(file, text, 3);
    await sync(file);
    expect((await read(file, 3, text.length)) === text).toBe(true);
    await settle(file.close());
  });

  it("finishes many writes under way at once, each in its place", async () => {
    const file = await create("a");
    await Promise.all(Array.from({ length: 20 }, (_, i) => write(file, String.fromCharCode(97 + i), i)));
    expect(await read(file, 0, 20)).toBe("abcdefghijklmnopqrst");
    await settle(file.close());
  });

  it("calls back later, never inside the call", async () => {
    const file = await create("a", "x");
    let inside = true;
    const early: boolean[] = [];
    const note = (): void => void early.push(inside);
    const all = Promise.all([
      new Promise<void>((resolve) => file.writeAt(Buffer.from("y"), 0, () => resolve(note()))),
      new Promise<void>((resolve) => file.readAt(Buffer.alloc(1), 0, () => resolve(note()))),
      new Promise<void>((resolve) => file.datasync(() => resolve(note()))),
    ]);
    inside = false;
    await settle(all);
    expect(early).toEqual([false, false, false]);
    await settle(file.close());
  });

  it("refuses to write to a file opened for reading", async () => {
    await settle((await create("a", "x")).close());
    const file = await settle(disk.open(at("a"), "read"));
    await expect(write(file, "y", 0)).rejects.toMatchObject({ code: "EBADF" });
    expect(await read(file, 0, 4)).toBe("x");
    await settle(file.close());
  });

  it("goes on with an open file after it was renamed or removed", async () => {
    const file = await create("a", "one");
    await settle(disk.rename(at("a"), at("b")));
    await write(file, "two", 0);
    const other = await settle(disk.open(at("b"), "read"));
    expect(await read(other, 0, 3)).toBe("two");
    await settle(disk.remove(at("b")));
    expect(await read(other, 0, 3)).toBe("two");
    await settle(Promise.all([file.close(), other.close()]));
  });
}

function entries(): void {
  it("makes directories with mode 0700, once, and lists names only", async () => {
    await settle(disk.makeDirectory(at("d")));
    expect(await codeOf(disk.makeDirectory(at("d")))).toBe("EEXIST");
    expect(await codeOf(disk.makeDirectory(at("x/y")))).toBe("ENOENT");
    expect(await settle(disk.stat(at("d")))).toMatchObject({ kind: "directory", mode: 0o700 });
    await settle((await create("d/one")).close());
    await settle((await create("d/two")).close());
    expect((await settle(disk.list(at("d")))).sort()).toEqual(["one", "two"]);
    expect(await settle(disk.list(under.directory))).toEqual(["d"]);
    expect(await codeOf(disk.list(at("none")))).toBe("ENOENT");
    expect(await codeOf(disk.list(at("d/one")))).toBe("ENOTDIR");
  });

  it("says nothing is there with undefined", async () => {
    expect(await settle(disk.stat(at("none")))).toBeUndefined();
    expect(await settle(disk.stat(at("none/below")))).toBeUndefined();
  });

  it("renames over an old file, and not what is not there", async () => {
    await settle((await create("old", "old")).close());
    await settle((await create("new", "new")).close());
    await settle(disk.rename(at("new"), at("old")));
    expect(await settle(disk.list(under.directory))).toEqual(["old"]);
    const file = await settle(disk.open(at("old"), "read"));
    expect(await read(file, 0, 9)).toBe("new");
    await settle(file.close());
    expect(await codeOf(disk.rename(at("new"), at("x")))).toBe("ENOENT");
  });

  it("removes files, and says so when there is none", async () => {
    await settle((await create("a")).close());
    await settle(disk.remove(at("a")));
    expect(await settle(disk.list(under.directory))).toEqual([]);
    expect(await codeOf(disk.remove(at("a")))).toBe("ENOENT");
  });

  it("syncs a directory, and not what is none", async () => {
    await settle((await create("a")).close());
    await settle(disk.syncDirectory(under.directory));
    expect(await codeOf(disk.syncDirectory(at("none")))).toBe("ENOENT");
  });

  it("knows free bytes", async () => {
    expect(await settle(disk.freeBytes(under.directory))).toBeGreaterThan(0);
    expect(await codeOf(disk.freeBytes(at("none")))).toBe("ENOENT");
  });
}

function locks(): void {
  it("gives the lock of a directory to one at a time", async () => {
    const lock = await settle(disk.lock(under.directory));
    expect(await codeOf(disk.lock(under.directory))).toBe("EBUSY");
    await settle(lock.release());
    const again = await settle(disk.lock(under.directory));
    await settle(again.release());
  });

  it("locks one directory and not its neighbour", async () => {
    await settle(disk.makeDirectory(at("a")));
    await settle(disk.makeDirectory(at("b")));
    const one = await settle(disk.lock(at("a")));
    const two = await settle(disk.lock(at("b")));
    await settle(Promise.all([one.release(), two.release()]));
    expect(await codeOf(disk.lock(at("none")))).toBe("ENOENT");
  });
}

function time(): void {
  const wait = (milliseconds: number): Promise<void> =>
    settle(new Promise((resolve) => void under.host.timers.after(milliseconds, resolve)));

  it("moves the monotonic clock with a timer, by about as much", async () => {
    const { clock } = under.host;
    const start = clock.monotonic();
    await wait(30);
    const passed = clock.monotonic() - start;
    expect(passed).toBeGreaterThanOrEqual(29);
    expect(passed).toBeLessThan(1_000);
    expect(clock.now()).toBeGreaterThan(1_600_000_000_000);
    expect(Number.isInteger(clock.now())).toBe(true);
  });

  it("does not fire a cancelled timer, and cancelling twice or late does no harm", async () => {
    let fired = 0;
    const cancelled = under.host.timers.after(5, () => void fired++);
    cancelled.cancel();
    cancelled.cancel();
    const other = under.host.timers.after(5, () => void fired++);
    await wait(40);
    other.cancel();
    expect(fired).toBe(1);
  });

  it("fires timers later, in the order of their times", async () => {
    const order: string[] = [];
    under.host.timers.after(40, () => order.push("b"));
    under.host.timers.after(10, () => order.push("a"));
    under.host.timers.after(0, () => order.push("now"));
    expect(order).toEqual([]);
    await wait(80);
    expect(order).toEqual(["now", "a", "b"]);
  });

  it("runs `soon` later, in order, before a timer that is not due", async () => {
    const order: string[] = [];
    await settle(
      new Promise<void>((resolve) => {
        under.host.timers.after(20, () => resolve(void order.push("timer")));
        under.host.timers.soon(() => {
          order.push("one");
          under.host.timers.soon(() => order.push("three"));
        });
        under.host.timers.soon(() => order.push("two"));
        order.push("inside");
      }),
    );
    expect(order).toEqual(["inside", "one", "two", "three", "timer"]);
  });

  it("draws random bytes of the length asked for, different each time", () => {
    const { random } = under.host;
    expect(random.bytes(0).length).toBe(0);
    expect(random.bytes(33).length).toBe(33);
    expect(Buffer.from(random.bytes(32)).equals(random.bytes(32))).toBe(false);
  });
}

/** What every `Host` must do, whatever is behind it. */
export function hostContract(name: string, make: () => Promise<HostUnderTest>): void {
  describe(`host contract: ${name}`, () => {
    beforeEach(async () => {
      under = await make();
      disk = under.host.disk;
    });
    afterEach(() => under.end());
    describe("files", files);
    describe("entries", entries);
    describe("locks", locks);
    describe("time and randomness", time);
  });
}
