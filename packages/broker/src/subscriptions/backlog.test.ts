import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Backlog } from "./backlog.ts";

type Kind = "mine" | "other" | "record";

/** A journal with one reader: what each number is, and which messages wait, said plainly. */
class Model {
  readonly kinds: Kind[] = ["record"];
  readonly waiting = new Set<number>();
  readonly done = new Set<number>();
  lastMessageSeq = 0;

  write(kind: Kind, backlog: Backlog): void {
    this.kinds.push(kind);
    const seq = this.kinds.length - 1;
    if (kind === "record") return;
    if (kind === "mine") {
      backlog.append(seq, this.lastMessageSeq);
      this.waiting.add(seq);
    }
    this.lastMessageSeq = seq;
  }

  finish(seq: number): void {
    this.waiting.delete(seq);
    this.done.add(seq);
  }

  nth(n: number): number {
    return [...this.waiting].sort((a, b) => a - b)[n % Math.max(1, this.waiting.size)] ?? 0;
  }
}

interface Run {
  from: number;
  to: number;
  scan: boolean;
}

function runsOf(backlog: Backlog): Run[] {
  const runs: Run[] = [];
  backlog.forEachRun((from, to, scan) => runs.push({ from, to, scan }));
  return runs;
}

/** Closed gaps between runs, by what was removed: they may not be joined. */
function closedGaps(runs: readonly Run[], model: Model): number {
  let closed = 0;
  for (let i = 1; i < runs.length; i++) {
    const [before, after] = [runs[i - 1] as Run, runs[i] as Run];
    for (let seq = before.to + 1; seq < after.from; seq++) {
      if (!model.done.has(seq)) continue;
      closed += 1;
      break;
    }
  }
  return closed;
}

function check(backlog: Backlog, model: Model, runsMax: number): void {
  const runs = runsOf(backlog);
  expect(backlog.runs).toBe(runs.length);
  expect(runs.length).toBeLessThanOrEqual(Math.max(runsMax, closedGaps(runs, model) + 1 + (runsMax >> 3)));
  expect(backlog.first()).toBe(runs[0]?.from ?? 0);
  // Plain comparisons and one `expect`: there are many numbers.
  const wrong: string[] = [];
  let walked = backlog.nextFrom(0);
  for (let seq = 0; seq <= model.kinds.length; seq++) {
    const run = runs.find(({ from, to }) => from <= seq && seq <= to);
    if (backlog.contains(seq) !== (run !== undefined)) wrong.push(`contains(${seq})`);
    if (backlog.isScan(seq) !== (run?.scan ?? false)) wrong.push(`isScan(${seq})`);
    if (backlog.runEnd(seq) !== (run?.to ?? 0)) wrong.push(`runEnd(${seq})`);
    if (model.waiting.has(seq) && run === undefined) wrong.push(`${seq} waits and is lost`);
    if (model.done.has(seq) && run !== undefined) wrong.push(`${seq} is done and comes back`);
    if (model.kinds[seq] === "other" && run?.scan === false) wrong.push(`${seq} is not mine`);
    if (run === undefined) continue;
    if (walked !== seq) wrong.push(`nextFrom gives ${walked} for ${seq}`);
    walked = backlog.nextFrom(seq);
  }
  expect(wrong).toEqual([]);
  expect(walked).toBe(0);
  if (backlog.exact) expect(backlog.count).toBe(model.waiting.size);
  else expect(backlog.count).toBeGreaterThanOrEqual(model.waiting.size);
}

const step = fc.oneof(
  { weight: 8, arbitrary: fc.tuple(fc.constant("mine" as const), fc.integer({ min: 1, max: 4 })) },
  { weight: 4, arbitrary: fc.tuple(fc.constantFrom("other" as const, "record" as const), fc.constant(1)) },
  { weight: 6, arbitrary: fc.tuple(fc.constantFrom("ack first" as const, "ack any" as const), fc.nat(40)) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("skip" as const), fc.nat(40)) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constantFrom("drop" as const, "reload" as const, "repeat" as const), fc.nat(40)),
  },
);

function run(backlog: Backlog, model: Model, [what, n]: [string, number]): void {
  if (what === "mine") for (let i = 0; i < n; i++) model.write("mine", backlog);
  else if (what === "other" || what === "record") model.write(what, backlog);
  else if (what.startsWith("ack")) {
    const seq = model.nth(what === "ack first" ? 0 : n);
    expect(backlog.remove(seq)).toBe(seq > 0);
    if (seq > 0) model.finish(seq);
  } else if (what === "skip") {
    const strangers = model.kinds.flatMap((kind, seq) => (kind !== "mine" && backlog.contains(seq) ? [seq] : []));
    const seq = strangers[n % Math.max(1, strangers.length)];
    if (seq === undefined) return;
    const { count } = backlog;
    expect(backlog.skip(seq)).toBe(true);
    expect(!backlog.contains(seq) || backlog.isScan(seq)).toBe(true);
    // Skipping says nothing about members, but can show that there is no room for as many.
    expect(backlog.count).toBeLessThanOrEqual(count);
  } else if (what === "drop") {
    const seq = Math.min(n, model.kinds.length - 1);
    const gone = [...model.waiting].filter((waiting) => waiting <= seq);
    backlog.dropThrough(seq, n % 2 === 0 ? gone.length : undefined);
    for (const waiting of gone) model.finish(waiting);
  } else if (what === "reload") {
    const { count, exact } = backlog;
    backlog.load(backlog.save(), exact ? count : undefined);
  } else if (model.waiting.size > 0) {
    const before = [backlog.save(), backlog.count];
    backlog.append(model.nth(n), 0);
    expect([backlog.save(), backlog.count]).toEqual(before);
  }
}

describe("Backlog", () => {
  it("loses nothing, revives nothing, and mixes nothing up, through any appends, acknowledgements and coarsening", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.array(step, { maxLength: 60, size: "max" }), (runsMax, steps) => {
        const backlog = new Backlog(runsMax);
        const model = new Model();
        for (const one of steps) run(backlog, model, one);
        check(backlog, model, runsMax);
        // With wide gaps at the end, whatever may be joined before them is.
        for (let n = 0; n < 10 * (runsMax + 1); n++) model.write(n % 10 < 9 ? "other" : "mine", backlog);
        check(backlog, model, runsMax);
        for (const seq of [...model.waiting]) {
          expect(backlog.remove(seq)).toBe(true);
          model.finish(seq);
        }
        check(backlog, model, runsMax);
      }),
      { numRuns: 200 },
    );
  });

  it("is one run however many other records lie between its messages", () => {
    const backlog = new Backlog(4);
    const model = new Model();
    for (let n = 0; n < 300; n++) model.write(n % 3 === 2 ? "record" : "mine", backlog);
    expect(runsOf(backlog)).toEqual([{ from: 1, to: 299, scan: false }]);
    expect(backlog.count).toBe(200);
    check(backlog, model, 4);
  });

  it("starts a new run when messages of others lie between, and joins the narrowest gaps when there are too many", () => {
    const backlog = new Backlog(3);
    const model = new Model();
    for (const gap of [5, 1, 4, 2]) {
      model.write("mine", backlog);
      for (let n = 0; n < gap; n++) model.write("other", backlog);
    }
    expect(runsOf(backlog)).toEqual([
      { from: 1, to: 1, scan: false },
      { from: 7, to: 9, scan: true },
      { from: 14, to: 14, scan: false },
    ]);
    expect([backlog.count, backlog.exact]).toEqual([4, false]);
    check(backlog, model, 3);
  });

  it("joins no more than it has to, the oldest first", () => {
    const backlog = new Backlog(3);
    for (const seq of [2, 4, 6, 8]) backlog.append(seq, seq - 1);
    expect(runsOf(backlog)).toEqual([
      { from: 2, to: 4, scan: true },
      { from: 6, to: 6, scan: false },
      { from: 8, to: 8, scan: false },
    ]);
  });

  it("never joins over what was acknowledged out of turn: it would come back (D6)", () => {
    const backlog = new Backlog(2);
    const model = new Model();
    for (let n = 0; n < 9; n++) model.write("mine", backlog);
    for (const seq of [2, 4, 6, 8]) {
      backlog.remove(seq);
      model.finish(seq);
    }
    for (let n = 0; n < 20; n++) model.write(n % 2 === 0 ? "other" : "mine", backlog);
    check(backlog, model, 2);
    expect([2, 4, 6, 8].filter((seq) => backlog.contains(seq))).toEqual([]);
    backlog.load(backlog.save(), backlog.count);
    for (let n = 0; n < 20; n++) model.write(n % 2 === 0 ? "other" : "mine", backlog);
    expect([2, 4, 6, 8].filter((seq) => backlog.contains(seq))).toEqual([]);
  });

  it("keeps a gap closed when what lay behind it turns out to be no member", () => {
    const backlog = new Backlog(3);
    for (const seq of [1, 2, 3]) backlog.append(seq, seq - 1);
    backlog.append(5, 4);
    backlog.remove(2);
    backlog.skip(3);
    for (const seq of [10, 20]) backlog.append(seq, seq - 1);
    expect(backlog.contains(2)).toBe(false);
    expect(backlog.contains(7)).toBe(true);
  });

  it("puts a message that comes late in its place, once", () => {
    const backlog = new Backlog(10);
    for (const seq of [10, 20, 15, 15, 5, 20]) backlog.append(seq, 0);
    expect(runsOf(backlog).map(({ from }) => from)).toEqual([5, 10, 15, 20]);
    expect(backlog.count).toBe(4);
  });

  it("is empty again when everything is done, and starts anew", () => {
    const backlog = new Backlog(10);
    for (let seq = 1; seq <= 5; seq++) backlog.append(seq, seq - 1);
    backlog.dropThrough(9);
    expect([backlog.first(), backlog.count, backlog.runs, backlog.nextFrom(0), backlog.exact]).toEqual([
      0,
      0,
      0,
      0,
      true,
    ]);
    expect([backlog.remove(3), backlog.skip(3), backlog.contains(0)]).toEqual([false, false, false]);
    backlog.append(10, 5);
    expect(runsOf(backlog)).toEqual([{ from: 10, to: 10, scan: false }]);
  });

  it("refuses a saved backlog that does not ascend", () => {
    for (const runs of [
      [5, 4, 0],
      [0, 4, 0],
      [1, 3, 0, 3, 5, 0],
      [1.5, 2, 0],
      [1, Number.NaN, 0],
      [1, 2 ** 60, 0],
    ]) {
      expect(() => new Backlog(10).load(runs)).toThrow("damaged");
    }
  });

  it("stays small and quick over 300,000 messages in the worst pattern, and gives each back once", () => {
    const backlog = new Backlog(64);
    const started = performance.now();
    for (let n = 1; n <= 300_000; n++) backlog.append(n * 2, n * 2 - 1);
    let most = 0;
    let found = 0;
    for (let seq = backlog.nextFrom(0); seq > 0; seq = backlog.nextFrom(seq)) {
      if (seq % 2 === 0) {
        found += 1;
        backlog.remove(seq);
      } else backlog.skip(seq);
      if (backlog.runs > most) most = backlog.runs;
    }
    expect([found, backlog.count, backlog.runs]).toEqual([300_000, 0, 0]);
    expect(most).toBeLessThanOrEqual(64);
    expect(performance.now() - started).toBeLessThan(5_000);
  });
});
