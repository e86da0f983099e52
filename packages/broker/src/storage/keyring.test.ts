import { describe, expect, it } from "vitest";
import { type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
import { type Keyring, openKeyring } from "./keyring.ts";
import { openJournal } from "./open-journal.ts";
import {
  append,
  DIRECTORY,
  KEK,
  openStore,
  openUnsettled,
  replayed,
  segmentPaths,
  smallLimits,
} from "./storage-fixture.test-data.ts";

async function withDirectory(seed: number): Promise<SimulatedHost> {
  const sim = simulatedHost({ seed });
  await sim.settle(sim.host.disk.makeDirectory(DIRECTORY));
  await sim.settle(sim.host.disk.syncDirectory("/"));
  return sim;
}

function open(sim: SimulatedHost, kek: Uint8Array, create: boolean = false): Promise<Keyring> {
  return sim.settle(openKeyring({ host: sim.host, directory: DIRECTORY, kek, create }));
}

const SALT = Buffer.alloc(32, 1);
const keyOf = (ring: Keyring, id: number): string | undefined =>
  ring.segmentKey(id, SALT)?.own.export().toString("hex");

describe("the keyring", () => {
  it("gives the same keys after a reopen, and different ones for different salts and data keys", async () => {
    const sim = await withDirectory(1);
    const ring = await open(sim, KEK, true);
    await sim.settle(ring.rotate());
    const again = await open(sim, KEK);
    expect(again.currentKeyId).toBe(2);
    expect(again.journalId).toEqual(ring.journalId);
    expect(keyOf(again, 1)).toBe(keyOf(ring, 1));
    expect(keyOf(again, 2)).toBe(keyOf(ring, 2));
    expect(keyOf(again, 1)).not.toBe(keyOf(again, 2));
    expect(again.segmentKey(1, Buffer.alloc(32, 2))?.own.export().toString("hex")).not.toBe(keyOf(again, 1));
    expect(again.segmentKey(3, SALT)).toBeUndefined();
  });

  it("refuses a wrong key-encryption key as configuration, and leaves all files as they are", async () => {
    const sim = simulatedHost({ seed: 2 });
    const store = await openStore(sim);
    await append(sim, store, ["a"]);
    await sim.settle(store.journal.close());
    const before = sim.disk.paths().map((path) => sim.disk.read(path).toString("hex"));
    const failure = await open(sim, Buffer.alloc(32, 9)).catch((error: unknown) => error);
    expect(failure).toMatchObject({ code: "configuration", exitCode: 78 });
    expect(sim.disk.paths().map((path) => sim.disk.read(path).toString("hex"))).toEqual(before);
    expect(await replayed(sim, await openStore(sim))).toEqual(store.acked);
  });

  it("is never made anew unless asked, and a short key is refused", async () => {
    const sim = await withDirectory(3);
    await expect(open(sim, KEK)).rejects.toMatchObject({ code: "damaged" });
    await expect(open(sim, Buffer.alloc(31), true)).rejects.toMatchObject({ code: "configuration" });
    expect(sim.disk.paths()).toEqual([]);
  });

  it("rewraps all keys under a new key-encryption key, whole or not at all at any crash", async () => {
    const other = Buffer.alloc(32, 3);
    for (let nth = 1; nth < 12; nth++) {
      const sim = await withDirectory(nth);
      const ring = await open(sim, KEK, true);
      await sim.settle(ring.rotate());
      const sealed = ring.box.seal(Buffer.from("private key"), "ca");
      const keys = [keyOf(ring, 1), keyOf(ring, 2)];
      const how = nth % 2 === 0 ? "crash" : "kill";
      sim.disk.plant({ operation: "change", nth: Math.ceil(nth / 2), effect: { kind: "stop", how, when: "after" } });
      const done = await sim.settle(ring.rewrap(other)).then(
        () => true,
        () => false,
      );
      sim.disk.clearFaults();
      const opened = await open(sim, other).catch(() => undefined);
      if (done) expect(opened).toBeDefined();
      const current = opened ?? (await open(sim, KEK));
      expect([keyOf(current, 1), keyOf(current, 2)]).toEqual(keys);
      expect(current.box.open(sealed, "ca")?.toString()).toBe("private key");
    }
  });

  it("reads segments of old data keys after a rotation, and seals new ones with the new key", async () => {
    const sim = simulatedHost({ seed: 5 });
    const store = await openStore(sim);
    await append(sim, store, ["with the first key"]);
    await sim.settle(store.keyring.rotate());
    for (let i = 0; i < 4; i++) await append(sim, store, ["x".repeat(5_000)]);
    await sim.settle(store.journal.close());
    const keyIds = segmentPaths(sim).map((path) => sim.disk.read(path).readUInt32LE(36));
    expect(new Set(keyIds)).toEqual(new Set([1, 2]));
    expect(await replayed(sim, await openStore(sim))).toEqual(store.acked);
  });

  it("does not open a journal of another keyring", async () => {
    const sim = simulatedHost({ seed: 6 });
    await sim.settle((await openStore(sim)).journal.close());
    sim.disk.delete(`${DIRECTORY}/keyring`);
    const ring = await open(sim, KEK, true);
    const opening = openJournal({ host: sim.host, directory: DIRECTORY, keyring: ring, limits: smallLimits });
    await expect(sim.settle(opening)).rejects.toMatchObject({ code: "damaged" });
    await expect(sim.settle(openUnsettled(sim))).rejects.toMatchObject({ code: "damaged" });
  });
});

describe("the secret box", () => {
  it("opens only what it sealed, for the same purpose", async () => {
    const sim = await withDirectory(7);
    const { box } = await open(sim, KEK, true);
    const sealed = box.seal(Buffer.from("secret"), "server");
    expect(box.open(sealed, "server")?.toString()).toBe("secret");
    expect(box.open(sealed, "ca")).toBeUndefined();
    expect(sealed.includes("secret")).toBe(false);
    expect(box.seal(Buffer.from("secret"), "server").equals(sealed)).toBe(false);
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const flipped = Buffer.from(sealed);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      expect(box.open(flipped, "server")).toBeUndefined();
    }
    for (let length = 0; length < sealed.length; length++) {
      expect(box.open(sealed.subarray(0, length), "server")).toBeUndefined();
    }
    const empty = box.seal(Buffer.alloc(0), "x");
    expect(box.open(empty, "x")).toEqual(Buffer.alloc(0));
  });
});
