import { DueQueue } from "./due-queue.ts";
import type { Host } from "./host.ts";
import { memoryDisk } from "./memory-disk.ts";
import { nodeHost } from "./node-host.ts";

/** The real clock, timers and randomness, and a disk in memory. */
export function memoryHost(capacityBytes: number): Host {
  const real = nodeHost();
  // Order of directory listings; nothing secret hangs on it.
  const seed = new DataView(real.random.bytes(4).buffer).getUint32(0);
  return { ...real, disk: memoryDisk({ queue: new DueQueue(), seed, capacityBytes }) };
}
