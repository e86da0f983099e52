/** Declared subscriptions as the records that would rebuild them. */
import { jsonBytes, RecordKind } from "../model/record.ts";
import type { Queue } from "./queue.ts";
import type { QueueState, SubscriptionDeclared } from "./queue-records.ts";
import { settingsOf } from "./queue-rules.ts";
import type { State } from "./state.ts";

type Add = (kind: number, body: () => Buffer) => void;

/** What was declared does not change under the snapshot: its bytes are made when they are written. */
export function addQueues(add: Add, state: State): void {
  for (const queue of state.queuesByNumber.values()) {
    const { number, name, rules, filters, declaredAt: at } = queue;
    add(RecordKind.subscriptionDeclared, () => {
      const settings = settingsOf(rules, filters);
      return jsonBytes({
        number,
        name,
        settings,
        by: rules.declaredBy,
        at,
        from: 1,
        through: 0,
      } satisfies SubscriptionDeclared);
    });
    if (!hasState(queue)) continue;
    const body = jsonBytes(stateOf(queue));
    add(RecordKind.queueState, () => body);
  }
}

function hasState(queue: Queue): boolean {
  return (
    queue.lanes.length > 0 ||
    queue.dead !== undefined ||
    queue.historyThrough > 0 ||
    queue.eras.length > 0 ||
    queue.ackedFloor > 0 ||
    queue.idleSince !== queue.declaredAt
  );
}

function stateOf(queue: Queue): QueueState {
  return {
    number: queue.number,
    lanes: queue.lanes.map(({ priority, backlog }) => [priority, backlog.save(), backlog.count]),
    messages: queue.messages,
    bytes: queue.bytes,
    historyThrough: queue.historyThrough,
    eras: queue.eras,
    ackedFloor: queue.ackedFloor,
    attempts: [...(queue.attempts ?? [])].map(([seq, { failed, retryAt }]) => [seq, failed, retryAt]),
    dead: queue.dead?.save() ?? [],
    deadCount: queue.deadCount,
    idleSince: queue.idleSince === 0 ? null : queue.idleSince,
  };
}
