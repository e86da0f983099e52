import type { Disk } from "./host.ts";
import { SimulatedDisk } from "./simulated-disk.ts";
import { FaultPlan } from "./simulated-faults.ts";
import { SimulatedFiles } from "./simulated-files.ts";
import type { SimulatedQueue } from "./simulated-queue.ts";
import { SeededRandom } from "./simulated-random.ts";

export interface MemoryDiskOptions {
  /** Runs the completions. */
  readonly queue: SimulatedQueue;
  readonly seed: number;
  readonly capacityBytes: number;
}

const owner = 0;
const atOnce = [0, 0] as const;

/** A disk in memory that never fails and takes no time; what is on it is gone with the process. */
export function memoryDisk({ queue, seed, capacityBytes }: MemoryDiskOptions): Disk {
  const world = {
    files: new SimulatedFiles(capacityBytes, process.getuid?.() ?? 0),
    queue,
    random: new SeededRandom(seed),
    plan: new FaultPlan(),
    latency: { write: atOnce, read: atOnce, datasync: atOnce, entry: atOnce },
    locks: new Map(),
    inFlight: new Set<never>(),
    note: () => undefined,
    violation: (text: string) => {
      throw new Error(`defect: ${text}`);
    },
    stop: () => undefined,
    isAlive: () => true,
  };
  return new SimulatedDisk(world, owner);
}
