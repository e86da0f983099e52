/** One row of the table of loads. */
import type { Arena, ArenaOptions } from "./arena.ts";

/** `full` is the load of the table; `smoke` shows the same refusals in seconds. */
export type Scale = "full" | "smoke";

/** Something that must hold whatever the speed of the machine: refused, bounded, alive. */
export interface Check {
  readonly what: string;
  readonly holds: boolean;
  /** What was seen. */
  readonly seen: string;
}

export interface Findings {
  readonly checks: readonly Check[];
  /** Figures for people: what the load was. */
  readonly load: string;
}

export interface Row {
  /** As in the name of its file. */
  readonly id: string;
  readonly title: string;
  /** What is expected, in one line. */
  readonly expected: string;
  readonly options?: ArenaOptions;
  /** Instead of `options` in the smoke test, which is to take seconds. */
  readonly smokeOptions?: ArenaOptions;
  run(arena: Arena, scale: Scale): Promise<Findings>;
}

export function check(what: string, holds: boolean, seen: string | number = ""): Check {
  return { what, holds, seen: String(seen) };
}

export const sleep = (milliseconds: number): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Runs `task` for each index, `width` at a time. */
export async function inParallel(count: number, width: number, task: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await task(next++);
  };
  await Promise.all(Array.from({ length: Math.min(width, count) }, worker));
}

/** Waits until `look` holds; false when it does not in time. */
export async function eventually(look: () => boolean | Promise<boolean>, milliseconds: number): Promise<boolean> {
  const deadline = performance.now() + milliseconds;
  while (!(await look())) {
    if (performance.now() > deadline) return false;
    await sleep(50);
  }
  return true;
}
