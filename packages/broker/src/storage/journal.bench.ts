/**
 * Measures the journal on a real disk: `npx tsx packages/broker/src/storage/journal.bench.ts [DIRECTORY] [SECONDS]`.
 * Each figure stands beside a bare loop of write + fdatasync on a file of zeros, run by turns.
 */
import { closeSync, fdatasync, mkdtempSync, openSync, rmSync, write, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { defaultLimits } from "../config/limits.ts";
import { nodeHost } from "../host/node-host.ts";
import type { Journal } from "../model/journal.ts";
import { claimDirectory } from "./data-directory.ts";
import { openKeyring } from "./keyring.ts";
import { openJournal } from "./open-journal.ts";

const root = mkdtempSync(join(process.argv[2] ?? tmpdir(), "mess-bench-"));
const seconds = Number(process.argv[3] ?? 2);
const ROUNDS = 3;
const BODY = Buffer.alloc(100, 0x61);

interface Figures {
  readonly commits: number;
  readonly p50: number;
  readonly p99: number;
  readonly cpuMicroseconds: number;
}

/** Runs `commit` again and again for the time. */
async function measure(commit: () => Promise<void>): Promise<Figures> {
  const times: number[] = [];
  const cpu = process.cpuUsage();
  const start = performance.now();
  while (performance.now() - start < (seconds * 1_000) / ROUNDS) {
    const before = performance.now();
    await commit();
    times.push(performance.now() - before);
  }
  const elapsed = performance.now() - start;
  const { user, system } = process.cpuUsage(cpu);
  times.sort((a, b) => a - b);
  const at = (part: number): number => times[Math.floor(times.length * part)] ?? NaN;
  return {
    commits: (times.length / elapsed) * 1_000,
    p50: at(0.5),
    p99: at(0.99),
    cpuMicroseconds: (user + system) / times.length,
  };
}

function bareLoop(records: number): { commit: () => Promise<void>; end: () => void } {
  const fd = openSync(join(root, `bare-${records}`), "w+");
  const size = 32 * 1_024 * 1_024;
  for (let at = 0; at < size; at += 1_024 * 1_024) writeSync(fd, Buffer.alloc(1_024 * 1_024), 0, 1_024 * 1_024, at);
  const bytes = Buffer.alloc(Math.ceil((records * 105 + 256) / 508) * 512, 1);
  let at = 0;
  const commit = (): Promise<void> =>
    new Promise((resolve, reject) => {
      at = at + bytes.length > size ? 0 : at;
      write(fd, bytes, 0, bytes.length, at, (failed) => {
        if (failed) reject(failed);
        else fdatasync(fd, (error) => (error ? reject(error) : resolve()));
      });
      at += bytes.length;
    });
  return { commit, end: () => closeSync(fd) };
}

async function open(): Promise<{ journal: Journal; commit: (records: number) => Promise<void> }> {
  const host = nodeHost();
  const directory = join(root, "data");
  const claimed = await claimDirectory({ host, directory });
  const keyring = await openKeyring({ host, directory, kek: Buffer.alloc(32, 7), create: !claimed.hasJournal });
  const { journal } = await openJournal({ host, directory, keyring, limits: defaultLimits, lock: claimed.lock });
  let done: () => void = () => undefined;
  journal.start({
    beforeSeal: () => undefined,
    committed: () => done(),
    failed: (reason) => {
      throw new Error(reason);
    },
  });
  const commit = (records: number): Promise<void> => {
    for (let i = 0; i < records; i++) {
      const at = journal.reserve(1, BODY.length);
      BODY.copy(journal.openBytes, at);
    }
    journal.commit();
    return new Promise((resolve) => {
      done = resolve;
    });
  };
  return { journal, commit };
}

function show(what: string, records: number, rounds: readonly Figures[]): void {
  const middle = (pick: (figures: Figures) => number): number => rounds.map(pick).toSorted((a, b) => a - b)[1] ?? NaN;
  const commits = middle((figures) => figures.commits);
  console.log(
    `${what.padEnd(8)} ${String(records).padStart(5)} records a frame: ${commits.toFixed(0).padStart(5)} commits/s, ` +
      `${(commits * records).toFixed(0).padStart(8)} records/s, p50 ${middle((f) => f.p50).toFixed(3)} ms, ` +
      `p99 ${middle((f) => f.p99).toFixed(3)} ms, ${middle((f) => f.cpuMicroseconds).toFixed(0)} us CPU a commit`,
  );
}

async function main(): Promise<void> {
  const { journal, commit } = await open();
  // The first spare is filled in the background; a broker that has run for a second has it.
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  for (const records of [1, 100, 2_500]) {
    const bare = bareLoop(records);
    const [bareRounds, journalRounds]: [Figures[], Figures[]] = [[], []];
    for (let round = 0; round < ROUNDS; round++) {
      bareRounds.push(await measure(bare.commit));
      journalRounds.push(await measure(() => commit(records)));
    }
    bare.end();
    show("bare", records, bareRounds);
    show("journal", records, journalRounds);
  }
  console.log(`resident ${(process.memoryUsage().rss / 1_048_576).toFixed(0)} MiB`);
  await journal.close();
}

await main().finally(() => rmSync(root, { recursive: true, force: true }));
