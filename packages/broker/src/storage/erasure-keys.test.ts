import { describe, expect, it } from "vitest";
import { type SimulatedHost, simulatedHost } from "../host/simulated-host.ts";
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

const FILE = `${DIRECTORY}/erasure-keys`;
const HEAD = "head:";

/** Commits a record whose body after `head:` belongs to the domain. */
async function addTo(sim: SimulatedHost, store: Store, domain: number, secret: string): Promise<number> {
  const { journal } = store;
  const body = HEAD + secret;
  const at = journal.reserve(1, body.length);
  journal.openBytes.write(body, at, "latin1");
  journal.confine(domain, at + HEAD.length);
  const seq = journal.lastSeq;
  journal.commit();
  await sim.settle(
    new Promise<void>((resolve) => {
      const look = (): void => {
        if (journal.durableSeq >= seq) resolve();
        else sim.host.timers.after(0.05, look);
      };
      look();
    }),
  );
  return seq;
}

const destroy = (sim: SimulatedHost, store: Store, ...domains: number[]): Promise<void> =>
  sim.settle(new Promise<void>((resolve) => store.journal.destroyDomains(domains, resolve)));

async function read(sim: SimulatedHost, store: Store, seq: number): Promise<{ body: string; isErased: boolean }> {
  const frame = await sim.settle(
    new Promise<Parameters<Parameters<Store["journal"]["fetch"]>[1]>[0]>((resolve) =>
      store.journal.fetch(seq, resolve),
    ),
  );
  if (frame === undefined) throw new Error(`record ${seq} is not there`);
  const index = seq - frame.firstSeq;
  const body = frame.bytes.toString("latin1", frame.starts[index], frame.ends[index]);
  return { body, isErased: frame.erased?.[index] === 1 };
}

const hasKey = (store: Store, domain: number): boolean => {
  try {
    store.journal.requireDomains([domain]);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ code: "damaged" });
    return false;
  }
};

const blank = (secret: string): string => HEAD + "\0".repeat(secret.length);

describe("an erasure domain", () => {
  it("is read while it has its key, and is zeros for good without it; others are as they were", async () => {
    const sim = simulatedHost({ seed: 1 });
    let store = await openStore(sim);
    const seqs: [seq: number, domain: number, secret: string][] = [];
    for (let i = 0; i < 40; i++) {
      const secret = bodyOf(i, 20 + ((i * 53) % 700));
      seqs.push([await addTo(sim, store, 1 + (i % 4), secret), 1 + (i % 4), secret]);
    }
    const plain = await append(sim, store, ["of no domain"]).then(() => store.journal.lastSeq);
    await sim.settle(store.journal.close());
    store = await openStore(sim);
    for (const [seq, , secret] of seqs)
      expect(await read(sim, store, seq)).toEqual({ body: HEAD + secret, isErased: false });
    await destroy(sim, store, 2, 3);
    for (let life = 0; life < 2; life++) {
      for (const [seq, domain, secret] of seqs) {
        const isErased = domain === 2 || domain === 3;
        expect(await read(sim, store, seq)).toEqual({ body: isErased ? blank(secret) : HEAD + secret, isErased });
      }
      expect((await read(sim, store, plain)).body).toBe("of no domain");
      expect([1, 2, 3, 4, 5].map((domain) => hasKey(store, domain))).toEqual([true, false, false, true, false]);
      sim.crash();
      store = await openStore(sim);
    }
    await sim.settle(store.journal.close());
    const report = await sim.settle(verifyJournal({ host: sim.host, directory: DIRECTORY, kek: KEK }));
    expect(report).toMatchObject({ ok: true, erased: 20 });
  });

  it("has no key on disk after its destruction, under any name", async () => {
    const sim = simulatedHost({ seed: 2 });
    const store = await openStore(sim);
    for (const domain of [1, 2, 3]) await addTo(sim, store, domain, "secret");
    const slots = sim.disk.read(FILE);
    const slot = Buffer.from(slots.subarray(64, 128));
    expect(slot.some((byte) => byte !== 0)).toBe(true);
    await destroy(sim, store, 2);
    sim.crash();
    for (const path of sim.disk.paths()) expect(sim.disk.read(path).includes(slot), path).toBe(false);
    const after = sim.disk.read(FILE);
    expect(after.subarray(64, 128).equals(Buffer.alloc(64))).toBe(true);
    expect(after.subarray(0, 64).equals(slots.subarray(0, 64))).toBe(true);
    expect(after.subarray(128).equals(slots.subarray(128))).toBe(true);
  });

  it("loses nothing acknowledged, and brings nothing back, at a kill or power cut at any write", async () => {
    let stopped = 0;
    for (let nth = 1; nth <= 24; nth++) {
      for (const how of ["crash", "kill"] as const) {
        const sim = simulatedHost({ seed: 200 + nth });
        const store = await openStore(sim);
        sim.disk.plant({
          operation: "change",
          nth,
          effect: { kind: "stop", how, when: nth % 2 === 0 ? "before" : "after" },
        });
        const acked = new Map<number, [domain: number, secret: string]>();
        let destroyed = false;
        try {
          for (const domain of [1, 2, 1, 3, 2]) {
            const secret = `secret of ${domain}, number ${acked.size}`;
            acked.set(await addTo(sim, store, domain, secret), [domain, secret]);
          }
          await destroy(sim, store, 1);
          destroyed = true;
          await addTo(sim, store, 2, "more");
        } catch {
          stopped++;
        }
        sim.disk.clearFaults();
        sim[how]();
        const again = await openStore(sim);
        if (destroyed) expect(hasKey(again, 1)).toBe(false);
        // What was asked for is asked for again by whoever knows that it was.
        for (const [seq, [domain, secret]] of acked) {
          const { body, isErased } = await read(sim, again, seq);
          expect([HEAD + secret, blank(secret)]).toContain(body);
          if (domain !== 1) expect(body).toBe(HEAD + secret);
          expect(isErased).toBe(body !== HEAD + secret);
          if (destroyed && domain === 1) expect(isErased).toBe(true);
        }
        await destroy(sim, again, 1);
        expect(hasKey(again, 1)).toBe(false);
        expect(again.failures).toEqual([]);
      }
    }
    expect(stopped).toBeGreaterThan(10);
  });

  it("survives a change of the key-encryption key, after which no copy of an old slot is of any use", async () => {
    const sim = simulatedHost({ seed: 4 });
    let store = await openStore(sim);
    const seqs = [await addTo(sim, store, 1, "first"), await addTo(sim, store, 2, "second")];
    const copy = sim.disk.read(FILE);
    await destroy(sim, store, 1);
    await sim.settle(store.keyring.rewrap(Buffer.alloc(32, 1)));
    expect(sim.disk.paths().filter((path) => path.includes("erasure"))).toEqual([`${FILE}-2`]);
    await sim.settle(store.keyring.rewrap(KEK));
    expect(sim.disk.paths().filter((path) => path.includes("erasure"))).toEqual([FILE]);
    const third = await addTo(sim, store, 3, "third");
    sim.crash();
    store = await openStore(sim);
    expect((await read(sim, store, seqs[0]!)).isErased).toBe(true);
    expect((await read(sim, store, seqs[1]!)).body).toBe("head:second");
    expect((await read(sim, store, third)).body).toBe("head:third");
    await sim.settle(store.journal.close());
    // Somebody puts back what the disk had before.
    const now = sim.disk.read(FILE);
    copy.copy(now, 0, 0, 64);
    sim.disk.put(FILE, now);
    sim.disk.setAttributes(FILE, { mode: 0o600 });
    const report = await sim.settle(verifyJournal({ host: sim.host, directory: DIRECTORY, kek: KEK }));
    expect(report.ok).toBe(false);
  });

  it("is read, or erased, as before at a kill or power cut at any write of a change of keys", async () => {
    const other = Buffer.alloc(32, 1);
    let stopped = 0;
    for (let nth = 1; nth <= 16; nth++) {
      for (const how of ["crash", "kill"] as const) {
        const sim = simulatedHost({ seed: 300 + nth });
        const store = await openStore(sim);
        const seqs = [await addTo(sim, store, 1, "first"), await addTo(sim, store, 2, "second")];
        await destroy(sim, store, 1);
        sim.disk.plant({
          operation: "change",
          nth,
          effect: { kind: "stop", how, when: nth % 2 === 0 ? "before" : "after" },
        });
        await sim.settle(store.keyring.rewrap(other)).catch(() => {
          stopped++;
        });
        sim.disk.clearFaults();
        sim[how]();
        const again = await openStore(sim, smallLimits, undefined, other).catch(() => openStore(sim));
        expect(await read(sim, again, seqs[0]!)).toEqual({ body: blank("first"), isErased: true });
        expect((await read(sim, again, seqs[1]!)).body).toBe("head:second");
        await addTo(sim, again, 3, "third");
        await sim.settle(again.keyring.rewrap(KEK));
        sim.crash();
        expect((await read(sim, await openStore(sim), seqs[1]!)).body).toBe("head:second");
      }
    }
    expect(stopped).toBeGreaterThan(8);
  });

  it("with a damaged slot is damage and no erasure, whichever bit it is", async () => {
    const sim = simulatedHost({ seed: 5 });
    const store = await openStore(sim);
    await addTo(sim, store, 1, "secret");
    await addTo(sim, store, 2, "secret");
    await sim.settle(store.journal.close());
    for (let bit = 64 * 8; bit < 128 * 8; bit++) {
      sim.disk.flipBit(FILE, bit);
      const report = await sim.settle(verifyJournal({ host: sim.host, directory: DIRECTORY, kek: KEK }));
      expect(report.ok, `bit ${bit}`).toBe(false);
      sim.disk.flipBit(FILE, bit);
    }
    expect(await sim.settle(verifyJournal({ host: sim.host, directory: DIRECTORY, kek: KEK }))).toMatchObject({
      ok: true,
    });
  });

  it("goes with a frame that has many, and holds publishers back before a frame has too many", async () => {
    const sim = simulatedHost({ seed: 6 });
    const store = await openStore(sim, {
      segmentBytes: 2 ** 20,
      frameBytesSoft: 2 ** 19,
      frameCacheBytes: 0,
      diskBytesMax: 2 ** 26,
    });
    for (let domain = 1; domain <= 1_030; domain++) {
      const seq = put(store, "head:secret");
      const at = store.journal.openBytes.lastIndexOf("secret");
      store.journal.confine(domain, at);
      expect(store.journal.congested).toBe(domain > 1_024);
      expect(seq).toBe(domain);
    }
    store.journal.commit();
    await sim.runUntil(() => store.journal.durableSeq === 1_030);
    expect(store.journal.congested).toBe(false);
    await destroy(sim, store, 500);
    sim.crash();
    const again = await openStore(sim);
    for (const domain of [1, 499, 500, 501, 1_030]) {
      expect((await read(sim, again, domain)).isErased).toBe(domain === 500);
    }
  });
});
