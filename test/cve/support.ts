/** What the lessons share: one server a file as it runs by itself, an attacker a test, and an end without traces. */
import { readdirSync } from "node:fs";
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from "vitest";
import { Arena } from "../../attacks/support/arena.ts";
import type { Broker, BrokerOptions, Door } from "../../attacks/support/broker.ts";
import { residentMb } from "../../attacks/support/observe.ts";
import { startTarget } from "../../attacks/support/start-target.ts";
import { sleep } from "../support/names.ts";

export interface Baseline {
  /** Megabytes resident that may remain beside what was there before. Default 64. */
  readonly memoryMb?: number;
  /** Open descriptors that may remain. Default 8: the journal opens files in its own time. */
  readonly descriptors?: number;
  /** Somebody uses the broker beside each attack, and must not notice. Default true. */
  readonly isWatched?: boolean;
}

export interface Field {
  /** A new one for each test, from an address of its own. */
  readonly arena: Arena;
}

/** Descriptors a process holds. */
export function descriptorsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/fd`).length;
}

/** Closing takes the server a moment. */
const settleMs = 4_000;

/**
 * Starts one server for the file. After each test a client that had no part in the attack must still be served; after
 * all of them the process must be the same, with memory and descriptors near those of the beginning.
 */
export function useField(options: BrokerOptions = {}, baseline: Baseline = {}): Field {
  const { memoryMb = 64, descriptors = 8, isWatched = true } = baseline;
  let broker: Broker | undefined;
  let arena: Arena | undefined;
  const before = { pid: 0, memory: 0, descriptors: 0 };
  const started = (): Broker => {
    if (broker === undefined) throw new Error("the server has not started");
    return broker;
  };
  const current = (): Arena => {
    if (arena === undefined) throw new Error("no test is running");
    return arena;
  };
  beforeAll(async () => {
    broker = await startTarget("mess", options);
    const { pid } = broker;
    Object.assign(before, { pid, memory: residentMb(pid), descriptors: descriptorsOf(pid) });
  }, 30_000);
  beforeEach(async () => {
    arena = new Arena(started(), false);
    if (isWatched) await arena.watch();
  });
  afterEach(async () => {
    try {
      await current().unharmed();
    } finally {
      await current().leave();
    }
  });
  afterAll(async () => {
    if (broker === undefined) return;
    try {
      expect(broker.output, "the log").not.toContain("process.defect");
      expect(broker.pid, "the process").toBe(before.pid);
      await expectSettled(() => descriptorsOf(before.pid), before.descriptors + descriptors, "descriptors");
      await expectSettled(() => residentMb(before.pid), before.memory + memoryMb, "resident megabytes");
    } finally {
      await broker.remove();
    }
  });
  return {
    get arena() {
      return current();
    },
  };
}

async function expectSettled(measure: () => number, most: number, what: string): Promise<void> {
  const until = Date.now() + settleMs;
  while (measure() > most && Date.now() < until) await sleep(50);
  expect(measure(), what).toBeLessThanOrEqual(most);
}

/** One test for each way in for MQTT: what one transport refuses, another may have forgotten. */
export function atEachDoor(field: Field, title: string, run: (arena: Arena, door: Door) => Promise<void>): void {
  for (const [index, name] of ["TLS", "WebSocket over TLS"].entries()) {
    it(`${title}, over ${name}`, () => run(field.arena, field.arena.doors[index] as Door));
  }
}
