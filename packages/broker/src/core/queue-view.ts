/** A declared subscription for people. */
import type { SubscriptionView } from "../model/queue-administration.ts";
import type { Queue } from "./queue.ts";
import { settingsOf } from "./queue-rules.ts";

export function viewOf(queue: Queue): SubscriptionView {
  const { work } = queue;
  const leased = work?.leases.size ?? 0;
  const retrying = work === undefined ? (queue.attempts?.size ?? 0) : work.retrying.size + work.burying.size;
  const blocked = work?.keys.parked ?? 0;
  const history = historyLeft(queue);
  return {
    name: queue.name,
    settings: settingsOf(queue.rules, queue.filters),
    declaredBy: queue.rules.declaredBy,
    declaredAt: queue.declaredAt,
    consumers: work?.consumers.size ?? 0,
    ready: Math.max(0, queue.messages + history - leased - retrying - blocked),
    leased,
    retrying,
    blocked,
    dead: queue.deadCount,
    exact: history === 0,
    oldestOffset: queue.first(),
  };
}

/** Numbers of history that were not walked yet: as many messages at most. */
function historyLeft(queue: Queue): number {
  if (queue.historyThrough === 0) return 0;
  let left = 0;
  for (const { backlog } of queue.lanes) {
    backlog.forEachRun((from, to) => {
      if (from <= queue.historyThrough) left += Math.min(to, queue.historyThrough) - from + 1;
    });
  }
  return left;
}
