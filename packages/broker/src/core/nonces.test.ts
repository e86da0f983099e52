import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { addNonces, restoreNonces } from "./nonce-records.ts";
import { Nonces, type NonceUse } from "./nonces.ts";
import { TestClock } from "./world.test-data.ts";

const windowMs = 300_000;

interface Limits {
  readonly noncesMax?: number;
  readonly noncesPerPrincipalMax?: number;
}

function make(clock: TestClock, limits: Limits = {}): Nonces {
  return new Nonces({ clock, seed: 3, windowMs, noncesMax: 1_000, noncesPerPrincipalMax: 1_000, ...limits });
}

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(16);
  nonce.writeUInt32LE(number, 4);
  return nonce;
}

/** A signature, as the model remembers it: for ever. */
interface Taken {
  readonly use: NonceUse;
  /** Wall-clock time of its record. */
  readonly publishedAt: number;
}

/** What is on disk: a snapshot, and what was published after it. */
interface Disk {
  snapshot: Buffer[];
  after: Taken[];
}

function started(clock: TestClock, { snapshot, after }: Disk): Nonces {
  const nonces = make(clock, { noncesMax: 60, noncesPerPrincipalMax: 40 });
  for (const part of snapshot) restoreNonces(nonces, part, 0, part.length);
  for (const { use, publishedAt } of after) nonces.restore(use, publishedAt);
  return nonces;
}

const hour = 3_600_000;
const step = fc.oneof(
  {
    weight: 20,
    arbitrary: fc.record({
      do: fc.constant("publish" as const),
      key: fc.constantFrom("sk_a", "sk_b", "sk_c"),
      /** Seconds from the broker's clock. */
      ahead: fc.oneof(fc.constantFrom(-301, -300, -299, 0, 299, 300, 301), fc.integer({ min: -400, max: 400 })),
      packetId: fc.nat(2),
    }),
  },
  { weight: 20, arbitrary: fc.record({ do: fc.constant("replay" as const), which: fc.nat() }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.constantFrom(1, 1_000, 37_500, 299_000, 601_000) }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("jump" as const),
      ms: fc.constantFrom(-hour, -1_000, 1_000, hour, 100 * hour, -100 * hour),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant("restart" as const), down: fc.constantFrom(0, 1_000, 90 * hour) }),
  },
  { weight: 2, arbitrary: fc.constant({ do: "snapshot" as const }) },
  // The clock as it was when something was signed: all that may not be taken again is fresh by it.
  { weight: 2, arbitrary: fc.record({ do: fc.constant("return" as const), which: fc.nat() }) },
);

const principalOf = (key: string): string => (key === "sk_c" ? "c" : "a");

describe("Nonces", () => {
  it("takes nothing twice, whatever happens to process and clock, and what is fresh while time goes on", () => {
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 200, size: "max" }), (steps) => {
        const clock = new TestClock();
        clock.wall = 1_900_000_000_000;
        const disk: Disk = { snapshot: [], after: [] };
        const taken: Taken[] = [];
        let nonces = started(clock, disk);
        let wasJumped = false;
        const mayTake = (use: NonceUse): boolean => nonces.isTimely(use.issuedAt) && !nonces.has(use);
        for (const one of steps) {
          if (one.do === "wait") {
            clock.wall += one.ms;
            clock.steady += one.ms;
          } else if (one.do === "jump") {
            clock.wall += one.ms;
            wasJumped = true;
          } else if (one.do === "return") {
            const then = taken[one.which % Math.max(1, taken.length)];
            if (then !== undefined) clock.wall = then.use.issuedAt * 1_000;
            wasJumped = true;
          } else if (one.do === "restart") {
            clock.wall += one.down;
            // Monotonic time begins anew with the machine.
            clock.steady = one.down === 0 ? clock.steady : 17;
            nonces = started(clock, disk);
          } else if (one.do === "snapshot") {
            const parts: (Buffer | (() => Buffer))[] = [];
            addNonces(nonces, (part) => parts.push(part));
            disk.snapshot = parts.map((part) => (typeof part === "function" ? part() : part));
            disk.after = [];
          } else if (one.do === "replay") {
            const again = taken[one.which % Math.max(1, taken.length)];
            if (again !== undefined) expect(mayTake(again.use)).toBe(false);
          } else {
            const issuedAt = Math.floor(clock.wall / 1_000) + one.ahead;
            const principal = principalOf(one.key);
            const nonce = nonceOf(taken.length + 1);
            const use = { keyId: one.key, principal, nonce, issuedAt, session: 7, packetId: one.packetId };
            const isTimely = Math.abs(clock.wall - issuedAt * 1_000) <= windowMs;
            if (!wasJumped) expect(mayTake(use)).toBe(isTimely);
            if (!mayTake(use) || nonces.whyFull(principal, 0) !== "") continue;
            nonces.add(use);
            expect(nonces.has(use)).toBe(true);
            expect(nonces.isSamePacket(use)).toBe(one.packetId !== 0);
            expect(nonces.isSamePacket({ ...use, session: 8 })).toBe(false);
            taken.push({ use, publishedAt: clock.wall });
            disk.after.push({ use, publishedAt: clock.wall });
          }
          expect(nonces.size).toBeLessThanOrEqual(60);
        }
        for (const { use } of taken) {
          clock.wall = use.issuedAt * 1_000;
          expect(mayTake(use)).toBe(false);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("when full takes nothing until the first are too old, and never forgets one before", () => {
    const clock = new TestClock();
    const nonces = make(clock, { noncesMax: 10, noncesPerPrincipalMax: 6 });
    const issuedAt = Math.floor(clock.wall / 1_000);
    const use = (number: number, principal: string): NonceUse => ({
      keyId: `sk_${principal}`,
      principal,
      nonce: nonceOf(number),
      issuedAt,
      session: 0,
      packetId: 0,
    });
    for (let number = 0; number < 6; number++) nonces.add(use(number, "a"));
    expect(nonces.whyFull("a", 0)).toContain("6 signed messages of this principal");
    expect(nonces.whyFull("b", 3)).toBe("");
    expect(nonces.whyFull("b", 4)).toContain("10 signed messages are remembered");
    for (let number = 0; number < 4; number++) nonces.add(use(number, "b"));
    for (let second = 0; second <= 300; second++) {
      clock.wall = issuedAt * 1_000 + second * 1_000;
      clock.steady += 1_000;
      expect(nonces.whyFull("c", 0)).not.toBe("");
      for (let number = 0; number < 6; number++) expect(nonces.has(use(number, "a"))).toBe(true);
    }
    clock.wall += 60_000;
    clock.steady += 60_000;
    expect(nonces.whyFull("a", 0)).toBe("");
    expect(nonces.size).toBe(0);
  });

  it("a clock that is suddenly years ahead forgets nothing until it has stayed there for a window", () => {
    const clock = new TestClock();
    const nonces = make(clock);
    const issuedAt = Math.floor(clock.wall / 1_000);
    const use: NonceUse = { keyId: "sk_a", principal: "a", nonce: nonceOf(1), issuedAt, session: 0, packetId: 0 };
    expect(nonces.isTimely(issuedAt)).toBe(true);
    nonces.add(use);
    clock.wall += 10 * 365 * 24 * hour;
    expect(nonces.isTimely(issuedAt)).toBe(false);
    clock.steady += windowMs - 1;
    clock.wall += windowMs - 1;
    expect(nonces.isTimely(issuedAt)).toBe(false);
    expect(nonces.size).toBe(1);
    clock.wall -= 10 * 365 * 24 * hour + windowMs - 1;
    expect(nonces.isTimely(issuedAt)).toBe(true);
    expect(nonces.has(use)).toBe(true);
  });

  it("ten million signatures within a window: a bounded number is remembered, in bounded memory, and the rest refused", () => {
    const clock = new TestClock();
    const noncesMax = 500_000;
    const nonces = make(clock, { noncesMax, noncesPerPrincipalMax: noncesMax });
    const issuedAt = Math.floor(clock.wall / 1_000);
    const nonce = Buffer.alloc(16);
    const before = process.memoryUsage().arrayBuffers;
    let refused = 0;
    for (let number = 0; number < 10_000_000; number++) {
      if (nonces.whyFull("a", 0) !== "") {
        refused++;
        continue;
      }
      nonce.writeUInt32LE(number, 0);
      nonces.add({ keyId: "sk_a", principal: "a", nonce, issuedAt, session: 1, packetId: 1 });
    }
    expect(refused).toBe(10_000_000 - noncesMax);
    expect(nonces.size).toBe(noncesMax);
    // 28 bytes each, and what the last page has too much of.
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(noncesMax * 40 + 8 * 1_024 * 1_024);
    nonce.writeUInt32LE(noncesMax - 1, 0);
    expect(nonces.has({ keyId: "sk_a", nonce })).toBe(true);
    nonce.writeUInt32LE(noncesMax, 0);
    expect(nonces.has({ keyId: "sk_a", nonce })).toBe(false);
  });
});
