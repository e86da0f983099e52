import fc from "fast-check";
import { expect, test } from "vitest";
import { MessageView } from "../model/message.ts";
import { deadOf } from "./fake-consumer.test-data.ts";
import { readMessage } from "./frame-reading.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import { topicOf } from "./matching.ts";
import type { Queue } from "./queue.ts";
import { QueuePlayer, type QueueStep, queueHistories, queueNames } from "./queue-histories.test-data.ts";
import { isOthers, mayBeMember } from "./queue-members.ts";
import type { World } from "./world.test-data.ts";

/** Numbers and payloads of what waits, by the records themselves. */
function waiting(world: World, machine: Machine, queue: Queue): string[] {
  const view = new MessageView();
  const found: string[] = [];
  for (const lane of queue.lanes) {
    const { priority, backlog } = lane;
    backlog.forEachRun((from, to) => {
      for (const frame of world.journal.frames) {
        for (let seq = Math.max(from, frame.firstSeq); seq <= Math.min(to, frame.firstSeq + frame.count - 1); seq++) {
          const index = seq - frame.firstSeq;
          if (!mayBeMember(queue, frame, index)) continue;
          const message = readMessage(view, frame, index);
          if (isOthers(machine.state, { queue, lane, frame, seq }, topicOf(machine.state, message), message)) continue;
          const payload = message.bytes.toString("utf8", message.payloadStart, message.payloadEnd);
          found.push(`${priority} ${seq} ${payload}`);
        }
      }
    });
  }
  return found;
}

/** All that a restart has to find again. */
function facts(world: World, machine: Machine): unknown {
  return [...machine.state.queues.values()].map((queue) => ({
    declared: [queue.number, queue.name, queue.filters, queue.rules],
    waiting: waiting(world, machine, queue),
    counted: [queue.messages, queue.bytes, queue.historyThrough],
    attempts: [...(queue.attempts ?? [])].sort(([a], [b]) => a - b),
    dead: deadOf(world, queue.name, machine),
    deadCount: queue.deadCount,
  }));
}

function lost(player: QueuePlayer, name: string, ended: ReadonlySet<string>): string[] {
  const { world } = player;
  const queue = world.machine.state.queues.get(name);
  if (queue === undefined) return [];
  const there = new Set(waiting(world, world.machine, queue).map((one) => one.split(" ")[2]));
  for (const { payload } of deadOf(world, name)) there.add(payload);
  return [...ended].filter((payload) => !there.has(payload) && !player.acked.has(`${name} ${payload}`));
}

interface Options {
  readonly cachedFrames: number;
  readonly limits?: { readonly backlogRunsMax?: number; readonly blockedPerSubscriptionMax?: number };
}

function run(history: readonly QueueStep[], options: Options): void {
  const player = new QueuePlayer({
    journal: { cachedFrames: options.cachedFrames },
    limits: { ...options.limits },
  });
  const { world } = player;
  const snapshots = new Set([0]);
  for (const [i, step] of history.entries()) {
    player.play(step);
    expect(checkInvariants(world.machine.state), `after step ${i}`).toEqual([]);
    if (world.journal.dropped.length > 0) snapshots.delete(0);
    if (world.journal.snapshotSeq > 0) snapshots.add(world.journal.snapshotSeq);
    if (i % 12 !== 11 && i !== history.length - 1) continue;
    player.settle();
    const live = facts(world, world.machine);
    for (const from of snapshots) expect(facts(world, world.replayed(from)), `from ${from}`).toEqual(live);
  }
}

test("replaying the journal, from its start or from any snapshot, gives the queues that wrote it (I4, S11 to S16)", () => {
  fc.assert(
    fc.property(queueHistories(20, 120, ["tidy"]), (history) => run(history, { cachedFrames: 1_000 })),
    { numRuns: 150, interruptAfterTimeLimit: 60_000 },
  );
});

test("the same where frames have to be read, backlogs coarsen, and few may stand aside", () => {
  const limits = { backlogRunsMax: 8, blockedPerSubscriptionMax: 2 };
  fc.assert(
    fc.property(queueHistories(20, 120, ["tidy"]), (history) => run(history, { cachedFrames: 2, limits })),
    { numRuns: 150, interruptAfterTimeLimit: 60_000 },
  );
});

test("no message is lost: it waits, is dead, or was acknowledged; what was acknowledged does not come again (I8)", () => {
  const without: QueueStep["do"][] = ["purge", "reset", "change", "redrive", "policy", "subscribe", "crash"];
  fc.assert(
    fc.property(queueHistories(20, 150, without), (history) => {
      const player = new QueuePlayer({ journal: { cachedFrames: 2 } });
      const again: string[] = [];
      player.onTaken = (queue, { payload }) => {
        if (player.acked.has(`${queue} ${payload}`)) again.push(payload);
      };
      for (const [i, step] of [...history, { do: "crash" } as const].entries()) {
        if (step.do === "crash") player.settle();
        player.play(step);
        if (i % 12 !== 11 && step.do !== "crash") continue;
        player.settle();
        expect(again).toEqual([]);
        for (const name of queueNames.slice(0, 2)) expect(lost(player, name, ofQueue(player, name)), name).toEqual([]);
      }
    }),
    { numRuns: 150, interruptAfterTimeLimit: 60_000 },
  );
});

/** What was published to a topic of `a/#`. */
function ofQueue(player: QueuePlayer, _name: string): Set<string> {
  const { world } = player;
  const view = new MessageView();
  const payloads = new Set<string>();
  for (const frame of world.journal.frames) {
    for (let index = 0; index < frame.count; index++) {
      const kind = frame.kinds[index] as number;
      if (kind !== 1 && kind !== 3) continue;
      const message = readMessage(view, frame, index);
      const payload = message.bytes.toString("utf8", message.payloadStart, message.payloadEnd);
      if (message.topic.startsWith("a/") && player.published.has(payload)) payloads.add(payload);
    }
  }
  return payloads;
}
