/** Runs one row and judges it by the common pass line. */
import { Arena } from "./arena.ts";
import type { PhaseFigures } from "./control-protocol.ts";
import { residentBytes } from "./resident-memory.ts";
import { type Check, check, eventually, inParallel, type Row, type Scale, sleep } from "./row.ts";

const MiB = 1_024 * 1_024;

/** The common pass line. The times hold where the server has a core for itself; elsewhere they are only reported. */
export const passLine = {
  residentBytesMax: 384 * MiB,
  pingP99Ms: 250,
  publishP99Ms: 500,
  /** Memory against that before the load, once it is over. */
  residueMax: 1.1,
  residueWithinMs: 60_000,
} as const;

export interface RowReport {
  readonly id: string;
  readonly title: string;
  readonly load: string;
  readonly baselineBytes: number;
  readonly peakBytes: number;
  /** After the load, at best within the time it may take. */
  readonly afterBytes: number;
  readonly pingP99Ms: number;
  readonly publishP99Ms: number;
  readonly acknowledged: number;
  /** What must hold on every machine. */
  readonly checks: readonly Check[];
  /** What must hold where times mean something. */
  readonly timed: readonly Check[];
}

export function percentile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

/** A server of its own for the row: what one leaves behind must not be counted to the next. */
export async function runRow(row: Row, scale: Scale): Promise<RowReport> {
  const options = scale === "smoke" ? (row.smokeOptions ?? row.options) : row.options;
  const arena = await Arena.open(options);
  try {
    if (scale === "full") await warmUp(arena);
    await sleep(scale === "smoke" ? 500 : 3_000);
    await arena.control.phase();
    arena.memory.takePeak();
    const baselineBytes = residentBytes(arena.server.pid);
    const found = await row.run(arena, scale);
    const during = await arena.control.phase();
    const peakBytes = arena.memory.takePeak();
    arena.leave();
    const afterBytes = await settle(arena, baselineBytes, scale);
    const alive = residentBytes(arena.server.pid) > 0;
    const ledger = await closeLedger(arena);
    const figures = { baselineBytes, peakBytes, afterBytes, ...latency(during) };
    return {
      id: row.id,
      title: row.title,
      load: found.load,
      ...figures,
      acknowledged: ledger.acknowledged,
      checks: [
        ...found.checks,
        check("the process lives", alive),
        check("memory stays within 384 MiB", peakBytes <= passLine.residentBytesMax, mb(peakBytes)),
        check("nothing acknowledged is lost", ledger.lost.length === 0, `${ledger.lost.length} lost`),
        check("the healthy client stays connected", during.disconnects === 0, during.disconnects),
        check("nothing of the healthy client is refused", during.refused === 0, during.refused),
      ],
      timed: timedChecks(figures),
    };
  } finally {
    arena.leave();
    await arena.close();
  }
}

/** Ordinary work, so that memory before the load is that of a broker in use and not of one that has just started. */
async function warmUp(arena: Arena): Promise<void> {
  await inParallel(300, 8, async (index) => {
    const client = await arena.attacker({ clientId: `warm-${index}` });
    await client.subscribe(`attack/warm/${index}`);
    for (let count = 0; count < 20; count += 1) {
      await client.publish({ topic: `attack/warm/${index}`, payload: Buffer.alloc(1_024), qos: 1 });
    }
    await client.disconnect();
  });
}

function latency({ pings, publishes }: PhaseFigures): { pingP99Ms: number; publishP99Ms: number } {
  return { pingP99Ms: percentile(pings, 0.99), publishP99Ms: percentile(publishes, 0.99) };
}

function timedChecks(figures: Omit<RowReport, "id" | "title" | "load" | "acknowledged" | "checks" | "timed">): Check[] {
  const { baselineBytes, afterBytes, pingP99Ms, publishP99Ms } = figures;
  return [
    check("PINGRESP p99 within 250 ms", pingP99Ms <= passLine.pingP99Ms, `${Math.round(pingP99Ms)} ms`),
    check("publish p99 within 500 ms", publishP99Ms <= passLine.publishP99Ms, `${Math.round(publishP99Ms)} ms`),
    check(
      "memory comes back to within 10 % in 60 s",
      afterBytes <= baselineBytes * passLine.residueMax,
      `${mb(baselineBytes)} before, ${mb(afterBytes)} after`,
    ),
  ];
}

/** The least resident memory seen after the load, until it is as it was or its time is up. */
async function settle(arena: Arena, baselineBytes: number, scale: Scale): Promise<number> {
  const withinMs = scale === "smoke" ? 500 : passLine.residueWithinMs;
  let least = Number.MAX_SAFE_INTEGER;
  await eventually(() => {
    least = Math.min(least, residentBytes(arena.server.pid));
    return least <= baselineBytes * passLine.residueMax;
  }, withinMs);
  return least;
}

/** Kills the server and starts it again: what was acknowledged must have been on disk. */
async function closeLedger(arena: Arena): Promise<{ acknowledged: number; lost: readonly number[] }> {
  await arena.control.stop();
  await arena.server.kill();
  await arena.server.start();
  return arena.control.drain();
}

export function mb(bytes: number): string {
  return `${Math.round(bytes / MiB)} MiB`;
}
