/** What must hold of declared subscriptions; the numbers are those of ARCHITECTURE.md. */
import type { Queue } from "./queue.ts";
import { laneOfPlace } from "./queue-places.ts";
import type { Attached, HeldLease, QueueWork } from "./queue-work.ts";
import type { State } from "./state.ts";

type Report = (number: string, text: string) => void;

export function checkQueues(state: State, report: Report): void {
  if (state.queues.size !== state.queuesByNumber.size) report("S11", "queues by name and by number differ");
  let tokens = 0;
  for (const [name, queue] of state.queues) {
    if (queue.deleted || queue.name !== name || state.queuesByNumber.get(queue.number) !== queue)
      report("S11", `${name} is not the one of its name, or over`);
    for (const filter of queue.filters)
      if (state.index.get(filter, queue) !== queue) report("S11", `${name}: "${filter}" is not in the index`);
    checkRuns(state, queue, report);
    if (queue.work === undefined) checkIdle(queue, report);
    else {
      checkPlaces(queue, queue.work, report);
      checkKeys(queue, queue.work, report);
      tokens += checkLeases(state, queue, queue.work, report);
    }
  }
  if (tokens !== state.leasesByToken.size)
    report("S12", `${tokens} leases have tokens, ${state.leasesByToken.size} are known by them`);
}

/** S8, for lanes and dead letters. */
function checkRuns(state: State, queue: Queue, report: Report): void {
  const backlogs = queue.lanes.map(({ backlog }) => backlog);
  if (queue.dead !== undefined) backlogs.push(queue.dead);
  for (const backlog of backlogs) {
    let end = 0;
    backlog.forEachRun((from, to) => {
      if (from <= end || to < from || to > state.journal.lastSeq)
        report("S8", `${queue.name}: a run ${from} to ${to} after ${end}`);
      end = to;
    });
  }
  for (const seq of queue.attempts?.keys() ?? [])
    if (queue.laneOf(seq) === undefined) report("S16", `${queue.name}: attempts at ${seq}, which does not wait`);
  if (queue.first() === 0 && (queue.messages !== 0 || queue.bytes !== 0))
    report("S15", `${queue.name}: nothing waits, and ${queue.messages} messages of ${queue.bytes} bytes are counted`);
  if ((queue.dead === undefined) !== (queue.deadCount === 0))
    report("S15", `${queue.name}: ${queue.deadCount} dead letters are counted`);
}

function checkIdle(queue: Queue, report: Report): void {
  for (const lane of queue.lanes)
    if (lane.sentThrough !== 0 || lane.ready.size > 0)
      report("S13", `${queue.name}: nobody works, and the walk is under way`);
}

/** S13: what was looked at and is not done is in one place, and in one alone. */
function checkPlaces(queue: Queue, work: QueueWork, report: Report): void {
  const places = new Map<number, string>();
  const put = (seq: number, place: string): void => {
    const other = places.get(seq);
    if (other !== undefined) report("S13", `${queue.name}: ${seq} is ${other} and ${place}`);
    places.set(seq, place);
  };
  for (const lease of work.leases.values()) put(lease.offset, "leased");
  for (const seq of work.retrying.keys()) put(seq, "retrying");
  for (const seq of work.burying) put(seq, "being buried");
  work.keys.forEachParked((seq) => put(seq, "parked"));
  for (const { backlog, ready, sentThrough } of queue.lanes) {
    // What was dropped meanwhile is passed over when its turn comes.
    for (const seq of new Set(ready.values())) if (backlog.contains(seq)) put(seq, "ready");
    backlog.forEachRun((from, to) => {
      for (let seq = from; seq <= Math.min(to, sentThrough); seq++)
        if (!places.has(seq) && !backlog.isScan(seq))
          report("S13", `${queue.name}: ${seq} was looked at, waits, and is nowhere`);
    });
  }
  for (const [seq, place] of places) {
    const lane = laneOfPlace(queue, seq);
    if (lane === undefined) report("S13", `${queue.name}: ${seq} is ${place} and does not wait`);
    else if (seq > lane.sentThrough) report("S13", `${queue.name}: ${seq} is ${place} and was not looked at`);
  }
}

/** S14: a key has one message at a time, and that one waits. */
function checkKeys(queue: Queue, work: QueueWork, report: Report): void {
  const leased = new Set<string>();
  for (const lease of work.leases.values()) {
    if (lease.key === undefined) continue;
    if (leased.has(lease.key)) report("S14", `${queue.name}: two leases of the key ${lease.key}`);
    leased.add(lease.key);
    if (work.keys.holderOf(lease.key) !== lease.offset)
      report("S14", `${queue.name}: ${lease.offset} is leased, and its key is another's`);
  }
  work.keys.forEachHolder((seq, key) => {
    if (queue.laneOf(seq) === undefined) report("S14", `${queue.name}: ${seq} has the key ${key} and does not wait`);
  });
}

/** S12. Returns how many have tokens. */
function checkLeases(state: State, queue: Queue, work: QueueWork, report: Report): number {
  const ofHolder = new Map<Attached, HeldLease[]>();
  let tokens = 0;
  for (const lease of work.leases.values()) {
    if (lease.token !== "") tokens++;
    if (lease.token !== "" && state.leasesByToken.get(lease.token) !== lease)
      report("S12", `${queue.name}: the lease of ${lease.offset} is not known by its token`);
    if (lease.queue !== queue) report("S12", `${queue.name} has a lease of another`);
    const { holder } = lease;
    if (holder === undefined) continue;
    const list = ofHolder.get(holder);
    if (list === undefined) ofHolder.set(holder, [lease]);
    else list.push(lease);
  }
  for (const attached of new Set([...ofHolder.keys(), ...work.consumers])) {
    const leases = ofHolder.get(attached) ?? [];
    const bytes = leases.reduce((sum, lease) => sum + lease.bytes, 0);
    const isAgreed = leases.length === attached.leases.size && leases.every((lease) => attached.leases.has(lease));
    if (!isAgreed || bytes !== attached.leaseBytes || attached.queue !== queue || attached.gone)
      report("S12", `${queue.name}: a consumer and its leases do not agree`);
    if (leases.length > attached.messages) report("S12", `${queue.name}: a consumer has more than its credit`);
  }
  for (const attached of work.consumers)
    if (attached.hasCredit !== work.turns.has(attached))
      report("S12", `${queue.name}: a consumer has credit and no turn, or the other way round`);
  if (work.turns.size > work.consumers.size) report("S12", `${queue.name}: somebody who left has a turn`);
  const earliest = work.leases.earliest();
  const isNoticed = earliest === undefined || (work.alarm?.pending === true && work.alarm.time <= earliest);
  if (!isNoticed) report("S12", `${queue.name}: nobody will notice that a lease expires`);
  return tokens;
}
