import type { Queue } from "./queue.ts";

/** `seq` is done and gives its key on: the next message of it may go. */
export function freeKey(queue: Queue, key: string | undefined, seq: number): void {
  const { work } = queue;
  if (key === undefined || work === undefined) return;
  let heir = work.keys.release(key, seq);
  while (heir !== 0) {
    const lane = queue.laneOf(heir);
    if (lane !== undefined) {
      lane.ready.push(heir);
      return;
    }
    heir = work.keys.release(key, heir);
  }
}
