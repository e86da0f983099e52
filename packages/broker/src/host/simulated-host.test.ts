import { describe, expect, it } from "vitest";
import type { DiskError, DiskFile } from "./host.ts";
import { MachineStopped, type SimulatedHost, simulatedHost } from "./simulated-host.ts";

function write(file: DiskFile, bytes: Uint8Array, position: number): Promise<void> {
  return new Promise((resolve, reject) =>
    file.writeAt(bytes, position, (error) => (error ? reject(error) : resolve())),
  );
}

function sync(file: DiskFile): Promise<void> {
  return new Promise((resolve, reject) => file.datasync((error) => (error ? reject(error) : resolve())));
}

function code(failed: Promise<unknown>): Promise<string> {
  return failed.then(
    () => "no error",
    (error: DiskError) => error.code,
  );
}

const old = Buffer.alloc(4_096, 0x61);
const fresh = Buffer.alloc(4_096, 0x62);

/** A machine with one durable file full of `a`. */
async function withFile(seed: number): Promise<{ sim: SimulatedHost; file: DiskFile }> {
  const sim = simulatedHost({ seed });
  sim.disk.put("/f", old);
  return { sim, file: await sim.settle(sim.host.disk.open("/f", "readwrite")) };
}

describe("crash", () => {
  it("keeps what was synced", async () => {
    for (let seed = 0; seed < 50; seed++) {
      const { sim, file } = await withFile(seed);
      await sim.settle(write(file, fresh, 0));
      await sim.settle(sync(file));
      sim.crash();
      expect(sim.disk.read("/f")).toEqual(fresh);
    }
  });

  it("keeps any set of unsynced sectors, and over many seeds every kind of result", async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 300; seed++) {
      const { sim, file } = await withFile(seed);
      await sim.settle(write(file, fresh, 0));
      sim.crash({ granularity: 512 });
      const bytes = sim.disk.read("/f");
      let result = "";
      for (let at = 0; at < 4_096; at += 512) {
        const sector = bytes.subarray(at, at + 512);
        expect(sector.equals(old.subarray(0, 512)) || sector.equals(fresh.subarray(0, 512))).toBe(true);
        result += String.fromCharCode(sector[0] ?? 0);
      }
      seen.add(result);
    }
    expect(seen.has("aaaaaaaa")).toBe(true);
    expect(seen.has("bbbbbbbb")).toBe(true);
    expect([...seen].some((result) => result.includes("ab"))).toBe(true);
    expect(seen.size).toBeGreaterThan(30);
  });

  it("tears a sector at byte granularity", async () => {
    let torn = 0;
    for (let seed = 0; seed < 100; seed++) {
      const { sim, file } = await withFile(seed);
      await sim.settle(write(file, fresh, 0));
      sim.crash({ granularity: 1 });
      const bytes = sim.disk.read("/f");
      for (let at = 0; at < 4_096; at += 512) {
        if (new Set(bytes.subarray(at, at + 512)).size > 1) torn++;
      }
    }
    expect(torn).toBeGreaterThan(20);
  });

  it("lets a test choose every subset of sectors", async () => {
    const results = new Set<string>();
    for (let mask = 0; mask < 8; mask++) {
      const { sim, file } = await withFile(1);
      await sim.settle(write(file, fresh.subarray(0, 1_536), 0));
      expect(sim.pendingSectors(512)).toBe(3);
      sim.crash({ granularity: 512, sectors: (sector) => ((mask >> sector) & 1) === 1 });
      const bytes = sim.disk.read("/f");
      results.add([0, 512, 1_024].map((at) => String.fromCharCode(bytes[at] ?? 0)).join(""));
    }
    expect(results.size).toBe(8);
  });

  it("lands each sector as one of the versions it went through", async () => {
    const seen = new Set<string>();
    for (let seed = 0; seed < 200; seed++) {
      const { sim, file } = await withFile(seed);
      await sim.settle(write(file, Buffer.from("1"), 0));
      await sim.settle(write(file, Buffer.from("2"), 1));
      sim.crash({ granularity: 512 });
      seen.add(sim.disk.read("/f").toString("latin1", 0, 2));
    }
    expect([...seen].sort()).toEqual(["12", "1a", "aa"]);
  });

  it("promises nothing for a write that was not finished when the sync was asked for", async () => {
    let lost = 0;
    for (let seed = 0; seed < 50; seed++) {
      const { sim, file } = await withFile(seed);
      const writing = write(file, fresh, 0);
      await sim.settle(sync(file));
      await sim.settle(writing);
      sim.crash({ sectors: "none" });
      if (sim.disk.read("/f").equals(old)) lost++;
    }
    expect(lost).toBe(50);
  });

  it("loses directory entries until the directory was synced", async () => {
    const outcomes = new Set<string>();
    for (let seed = 0; seed < 100; seed++) {
      const sim = simulatedHost({ seed });
      const { disk } = sim.host;
      await sim.settle(disk.makeDirectory("/d"));
      await sim.settle(disk.syncDirectory("/"));
      await sim.settle(disk.open("/d/kept", "create"));
      await sim.settle(disk.syncDirectory("/d"));
      await sim.settle(disk.open("/d/new", "create"));
      await sim.settle(disk.rename("/d/kept", "/d/renamed"));
      sim.crash();
      outcomes.add((await sim.settle(sim.host.disk.list("/d"))).sort().join());
    }
    expect([...outcomes].sort()).toEqual(["kept", "kept,new", "new,renamed", "renamed"]);
  });

  it("never calls back into the life before", async () => {
    const { sim, file } = await withFile(3);
    let called = 0;
    const count = (): void => void called++;
    const before = sim.host;
    file.writeAt(fresh, 0, count);
    file.datasync(count);
    before.timers.after(1, count);
    before.timers.soon(count);
    void before.disk.stat("/f").then(count);
    sim.crash();
    file.writeAt(fresh, 0, count);
    before.timers.after(1, count);
    await sim.runUntilIdle();
    expect(called).toBe(0);
    expect(sim.host).not.toBe(before);
  });
});

describe("kill", () => {
  it("keeps every finished write, and still loses it at the next power cut", async () => {
    const { sim, file } = await withFile(4);
    await sim.settle(write(file, fresh, 0));
    sim.kill();
    expect(sim.disk.read("/f")).toEqual(fresh);
    sim.crash({ sectors: "none" });
    expect(sim.disk.read("/f")).toEqual(old);
  });

  it("frees the lock", async () => {
    const { sim } = await withFile(5);
    await sim.settle(sim.host.disk.lock("/"));
    expect(await sim.settle(code(sim.host.disk.lock("/")))).toBe("EBUSY");
    sim.kill();
    expect(await sim.settle(code(sim.host.disk.lock("/")))).toBe("no error");
  });
});

describe("faults", () => {
  it("shows after a failed sync what will not survive, and no later sync saves it", async () => {
    const { sim, file } = await withFile(6);
    sim.disk.plant({ operation: "datasync", nth: 1, effect: { kind: "error", code: "EIO", persisted: "none" } });
    await sim.settle(write(file, fresh, 0));
    expect(await sim.settle(code(sync(file)))).toBe("EIO");
    expect(sim.disk.read("/f")).toEqual(fresh);
    sim.kill();
    const again = await sim.settle(sim.host.disk.open("/f", "readwrite"));
    await sim.settle(sync(again));
    expect(sim.disk.read("/f")).toEqual(fresh);
    sim.crash({ sectors: "all" });
    expect(sim.disk.read("/f")).toEqual(old);
  });

  it("reports a second sync after a failed one, a changed buffer, and a close under a write", async () => {
    const { sim, file } = await withFile(7);
    sim.disk.plant({ operation: "datasync", nth: 1, effect: { kind: "error", code: "EIO", persisted: "all" } });
    await sim.settle(code(sync(file)));
    await sim.settle(code(sync(file)));
    expect(sim.violations).toEqual(["a sync after a failed sync of the same file: /f"]);
    const bytes = Buffer.from("hello");
    file.writeAt(bytes, 0, () => undefined);
    bytes[0] = 0;
    void file.close();
    await sim.runUntilIdle();
    expect(sim.violations.slice(1).sort()).toEqual([
      "a buffer changed while it was being written: /f",
      "a file was closed while an operation on it was under way: /f",
    ]);
  });

  it("fails the n-th call, once or from then on, on one path", async () => {
    const { sim, file } = await withFile(8);
    const error = { kind: "error", code: "EIO", persisted: "none" } as const;
    const once = sim.disk.plant({ operation: "write", nth: 2, path: "/f", effect: error });
    const results: string[] = [];
    for (let i = 0; i < 3; i++) results.push(await sim.settle(code(write(file, fresh, 0))));
    expect(results).toEqual(["no error", "EIO", "no error"]);
    expect(once.hits).toBe(1);
    sim.disk.plant({ operation: "write", nth: 1, lasting: true, path: "/g", effect: error });
    expect(await sim.settle(code(write(file, fresh, 0)))).toBe("no error");
    sim.disk.plant({ operation: "write", nth: 1, lasting: true, effect: error });
    expect(await sim.settle(code(write(file, fresh, 0)))).toBe("EIO");
    expect(await sim.settle(code(write(file, fresh, 0)))).toBe("EIO");
    sim.disk.clearFaults();
    expect(await sim.settle(code(write(file, fresh, 0)))).toBe("no error");
  });

  it("fills up, with a part of the write stored, and has room again", async () => {
    const { sim, file } = await withFile(9);
    sim.disk.capacity = 6_000;
    expect(await sim.settle(code(write(file, fresh, 0)))).toBe("no error");
    expect(await sim.settle(code(write(file, fresh, 4_096)))).toBe("ENOSPC");
    expect(await sim.settle(sim.host.disk.freeBytes("/"))).toBeLessThanOrEqual(6_000 - 4_096);
    sim.disk.capacity = 60_000;
    expect(await sim.settle(code(write(file, fresh, 4_096)))).toBe("no error");
  });

  it("stops the machine before or after an operation", async () => {
    for (const when of ["before", "after"] as const) {
      const { sim, file } = await withFile(10);
      sim.disk.plant({ operation: "write", nth: 1, effect: { kind: "stop", how: "kill", when } });
      await expect(sim.settle(write(file, fresh, 0))).rejects.toBeInstanceOf(MachineStopped);
      expect(sim.disk.read("/f").equals(fresh)).toBe(when === "after");
    }
  });

  it("misdirects a write and flips a bit", async () => {
    const { sim, file } = await withFile(11);
    sim.disk.plant({ operation: "write", nth: 1, effect: { kind: "misdirect", by: 512 } });
    await sim.settle(write(file, Buffer.from("xy"), 0));
    expect(sim.disk.read("/f").toString("latin1", 510, 515)).toBe("aaxya");
    sim.disk.flipBit("/f", 0);
    expect(sim.disk.read("/f").toString("latin1", 0, 2)).toBe("`a");
  });
});

describe("time", () => {
  it("moves the wall clock alone", async () => {
    const sim = simulatedHost({ seed: 1, wallStart: 1_000_000 });
    await sim.run(2_000);
    sim.jumpWallClock(-500_000);
    expect(sim.host.clock.now()).toBe(502_000);
    expect(sim.host.clock.monotonic()).toBe(2_000);
  });

  it("runs `soon` after the input that is due, and timers in their order", async () => {
    const sim = simulatedHost({ seed: 2 });
    const order: string[] = [];
    const { timers } = sim.host;
    sim.schedule(1, () => {
      timers.soon(() => order.push("soon"));
      order.push("input 1");
    });
    sim.schedule(1, () => order.push("input 2"));
    timers.after(50, () => order.push("late"));
    timers.after(10, () => order.push("early"));
    timers.after(5, () => order.push("cancelled")).cancel();
    await sim.runUntilIdle();
    expect(order).toEqual(["input 1", "input 2", "soon", "early", "late"]);
  });
});

describe("determinism", () => {
  async function history(seed: number): Promise<string> {
    const { sim, file } = await withFile(seed);
    for (let i = 0; i < 20; i++) {
      file.writeAt(sim.host.random.bytes(700), i * 600, () => file.datasync(() => undefined));
      sim.host.timers.after(3, () => void sim.host.disk.list("/"));
    }
    await sim.run(4);
    sim.crash();
    await sim.settle(sim.host.disk.open("/f", "read"));
    return sim.history.hash();
  }

  it("one seed gives one history, another seed another", async () => {
    const first = await history(42);
    expect(await history(42)).toBe(first);
    expect(await history(43)).not.toBe(first);
  });

  it("an image goes on like the disk it was taken from", async () => {
    const { sim, file } = await withFile(12);
    await sim.settle(write(file, fresh, 0));
    await sim.settle(sim.host.disk.open("/new", "create"));
    const image = sim.disk.image();
    for (const entries of ["none", "all"] as const) {
      const copy = simulatedHost({ seed: 1, image });
      expect(copy.disk.read("/f")).toEqual(fresh);
      copy.crash({ sectors: "none", entries });
      expect(copy.disk.read("/f")).toEqual(old);
      expect(copy.disk.paths()).toEqual(entries === "none" ? ["/f"] : ["/f", "/new"]);
    }
    expect(sim.disk.read("/f")).toEqual(fresh);
  });
});
