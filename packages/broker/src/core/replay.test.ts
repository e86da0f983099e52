import fc from "fast-check";
import { expect, test } from "vitest";
import { awaitingPuback, reserved } from "../delivery/in-flight.ts";
import { MessageView } from "../model/message.ts";
import { isDeliverable } from "../model/record.ts";
import type { Backlog } from "../subscriptions/backlog.ts";
import { messageAt } from "./frame-reading.ts";
import { histories, Player, policies, type Step } from "./history.test-data.ts";
import { checkInvariants } from "./invariants.ts";
import type { Machine } from "./machine.ts";
import type { MemoryJournal } from "./memory-journal.test-data.ts";
import { fromGroup, fromRetained, type Session } from "./session.ts";
import type { World } from "./world.test-data.ts";

type Facts = Record<string, unknown>;

/** Messages of the backlog that promise anything (QoS 1 and 2) and would go to this reader. */
function waiting(
  journal: MemoryJournal,
  backlog: Backlog,
  wants: (topic: string, publisher: number) => boolean,
): number[] {
  const found: number[] = [];
  const view = new MessageView();
  backlog.forEachRun((from, to) => {
    for (const frame of journal.frames) {
      for (let seq = Math.max(from, frame.firstSeq); seq <= Math.min(to, frame.firstSeq + frame.count - 1); seq++) {
        if (!isDeliverable(frame.kinds[seq - frame.firstSeq] as number)) continue;
        const message = messageAt(view, frame, seq);
        if (message !== undefined && message.qos > 0 && wants(message.topic, message.publisherNumber)) found.push(seq);
      }
    }
  });
  return found;
}

function sessionFacts(machine: Machine, journal: MemoryJournal, session: Session): Facts {
  const { state } = machine;
  const now = state.clock.now();
  const underWay: string[] = [];
  const due: string[] = [];
  session.inFlight.inOrder((packetId) => {
    const step = session.inFlight.stateOf(packetId);
    const source = session.inFlight.sourceOf(packetId);
    const seq = session.inFlight.seqOf(packetId);
    // Ids of QoS 1 are not kept over a restart; what they stand for is in the backlog, or due again.
    if (step === awaitingPuback) {
      if (source === fromRetained) due.push(`${seq}`);
      return;
    }
    // A group whose members all end with their connections is over after a restart.
    const group = state.groupsByNumber.get(source - fromGroup);
    const ofGroup = group !== undefined && group.durableMembers > 0 ? group.key : "over";
    const from = source >= fromGroup ? ofGroup : `${source}`;
    underWay.push(`${packetId} ${seq} ${step === reserved ? 2 : step} ${from}`);
  });
  session.retained.forEach((_, item) => {
    if (state.retained.get(item.topic)?.seq === item.seq) due.push(`${item.seq}`);
  });
  const isCurrent = (seq: string): boolean =>
    [...state.retained.entries()].some(([, entry]) => `${entry.seq}` === seq && entry.expiresAt > now);
  const entries = [...session.subscriptions.values()];
  return {
    session: [
      session.number,
      session.principal,
      session.clientId,
      session.keyId,
      session.expirySeconds,
      session.receiveMaximum,
    ],
    will: session.will,
    subscriptions: entries
      .map(({ text, qos, noLocal, identifier }) => `${text} ${qos} ${noLocal} ${identifier}`)
      .sort(),
    held: [...session.held].map(([id, bytes]) => `${id} ${bytes.toString("base64")}`).sort(),
    underWay: underWay.sort(),
    retained: due.filter(isCurrent).sort(),
    backlog: waiting(journal, session.backlog, (topic, publisher) => {
      const handle = machine.topic(Buffer.from(topic), 0, Buffer.byteLength(topic));
      if (handle === undefined) return false;
      machine.publishing.hasReaders(handle as never);
      const receiver = (
        handle as never as { receiverOf(session: Session): { qos: number; noLocal: boolean } | undefined }
      ).receiverOf(session);
      return receiver !== undefined && receiver.qos > 0 && !(receiver.noLocal && publisher === session.number);
    }),
  };
}

function publishingFacts({ state }: Machine): Facts {
  const delayed: string[] = [];
  state.delayed.inPlaces(0, Number.POSITIVE_INFINITY, (entry) => delayed.push(JSON.stringify(entry)) > 0);
  const ids: string[] = [];
  state.messageIds.forEach((principal, id, seq, at) => ids.push(`${principal} ${id} ${seq} ${Math.round(at)}`));
  // What a declaration keeps is forgotten with time, which nothing records: a restart may know of more.
  const topics = [...state.topicSettings.values()].map(({ filter, settings }) => JSON.stringify([filter, settings]));
  return { delayed, ids: ids.sort(), topics: topics.sort() };
}

/** All that a restart has to find again. */
function durableFacts(machine: Machine, journal: MemoryJournal, now: number, without: ReadonlySet<string>): Facts {
  const { state } = machine;
  const facts: Facts = {
    counters: [state.lastMessageSeq, state.lastSessionNumber],
    keys: [...state.keys.values()].map(({ id }) => id).sort(),
    policy: state.policy,
    retained: [...state.retained.entries()]
      .filter(([, { expiresAt }]) => expiresAt > now)
      .map(([topic, { seq, at, principal, qos }]) => `${topic} ${seq} ${at} ${principal} ${qos}`)
      .sort(),
    ...publishingFacts(machine),
  };
  for (const session of state.sessionsByNumber.values()) {
    if (!session.durable) continue;
    const of = sessionFacts(machine, journal, session);
    if (without.has(session.clientId)) delete of["backlog"];
    if (without.has(`retained ${session.clientId}`)) delete of["retained"];
    facts[`session ${session.number}`] = of;
  }
  for (const group of state.groups.values()) {
    if (group.durableMembers === 0) continue;
    const members = [...group.members].filter(([member]) => member.durable);
    const facts5: Facts = { members: members.map(([member, { qos }]) => `${member.number} ${qos}`).sort() };
    if (!without.has(group.key)) facts5["backlog"] = waiting(journal, group.backlog, () => true);
    facts[`group ${group.key}`] = facts5;
  }
  return facts;
}

function compare(world: World, without: ReadonlySet<string>, snapshots: readonly number[]): void {
  const live = durableFacts(world.machine, world.journal, world.clock.now(), without);
  for (const from of snapshots) {
    const replayed = world.replayed(from);
    expect(durableFacts(replayed, world.journal, world.clock.now(), without), `replayed from ${from}`).toEqual(live);
  }
}

interface Options {
  readonly cachedFrames?: number;
  readonly backlogRunsMax?: number;
}

function run(history: readonly Step[], options: Options): void {
  const player = new Player({
    policy: policies[0],
    journal: { cachedFrames: options.cachedFrames ?? 1_000 },
    limits: { backlogRunsMax: options.backlogRunsMax ?? 4_096 },
  });
  const { world } = player;
  const without = new Set<string>();
  const snapshots = new Set([0]);
  let dropped = 0;
  for (const [i, step] of history.entries()) {
    // What goes out as QoS 0 waits while connected only.
    if (step.do === "subscribe" && step.qos === 0)
      without.add(step.filter.startsWith("$share") ? step.filter : `c${step.client}`);
    // What is under way for a subscription that is gone is not due again.
    if (step.do === "unsubscribe") without.add(`retained c${step.client}`);
    player.play(step);
    if (world.journal.dropped.length !== dropped) snapshots.clear();
    dropped = world.journal.dropped.length;
    if (world.journal.snapshotSeq > 0) snapshots.add(world.journal.snapshotSeq);
    if (i % 10 !== 9 && i !== history.length - 1) continue;
    world.journal.commitNow();
    if (world.journal.dropped.length === dropped && world.journal.snapshotSeq > 0)
      snapshots.add(world.journal.snapshotSeq);
    compare(world, without, [...snapshots]);
    expect(checkInvariants(world.machine.state)).toEqual([]);
  }
}

test("replaying the journal, from its start or from any snapshot, gives the state that wrote it (I4)", () => {
  fc.assert(
    fc.property(histories(20, 100, ["lose"]), (history) => run(history, {})),
    { numRuns: 300 },
  );
});

test("the same with readers that lag, and backlogs that coarsen", () => {
  fc.assert(
    fc.property(histories(40, 120, ["lose"]), (history) => run(history, { cachedFrames: 2, backlogRunsMax: 16 })),
    { numRuns: 150 },
  );
});
