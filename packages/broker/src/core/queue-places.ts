/** Messages that were looked at and are not done: which lane they are of, and when they may go again. */
import type { Lane, Queue } from "./queue.ts";

/** The lane it was taken from. Where backlogs coarsened, its number may lie in runs of other lanes too. */
export function laneOfPlace(queue: Queue, seq: number): Lane | undefined {
  return queue.work?.laneOf.get(seq) ?? queue.laneOf(seq);
}

/** It may go (again). False when it does not wait any more. */
export function makeReady(queue: Queue, seq: number): boolean {
  const lane = laneOfPlace(queue, seq);
  if (lane?.backlog.contains(seq) !== true) return false;
  lane.ready.push(seq);
  return true;
}

/** `seq` is done and gives its key on: the next message of it may go. */
export function freeKey(queue: Queue, key: string | undefined, seq: number): void {
  const { work } = queue;
  if (key === undefined || work === undefined) return;
  let heir = work.keys.release(key, seq);
  while (heir !== 0 && !makeReady(queue, heir)) heir = work.keys.release(key, heir);
}

/** Keys do not count (any more), or from now on: nothing waits for one. */
export function releaseKeys(queue: Queue): void {
  const { work } = queue;
  if (work === undefined) return;
  work.keys.forEachParked((seq) => makeReady(queue, seq));
  work.keys.clear();
  for (const lease of work.leases.values()) lease.key = undefined;
  for (const seq of work.retrying.keys()) work.retrying.set(seq, undefined);
}

/**
 * Where a backlog coarsened, numbers of others got among those that were looked at. They are nobody's, and go before they
 * hold on to segments of the journal: all that lie before the first message that is under way.
 */
export function dropStrangers(queue: Queue): void {
  const { work } = queue;
  if (work === undefined || work.fetching || !queue.lanes.some(({ backlog }) => backlog.isScan(backlog.first())))
    return;
  let first = Number.POSITIVE_INFINITY;
  const see = (seq: number): void => {
    if (seq < first) first = seq;
  };
  for (const { offset } of work.leases.values()) see(offset);
  for (const seq of work.retrying.keys()) see(seq);
  for (const seq of work.burying) see(seq);
  work.keys.forEachParked(see);
  for (const { ready } of queue.lanes) if (ready.size > 0) see(ready.peek());
  for (const { backlog, sentThrough } of queue.lanes) {
    const through = Math.min(sentThrough, first - 1);
    if (backlog.first() !== 0 && backlog.first() <= through) backlog.dropThrough(through);
  }
}
