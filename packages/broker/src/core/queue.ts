/**
 * A declared subscription: what waits in it, and what happened to it (the durable part, a fold over the journal). Who
 * consumes and what they have is in `QueueWork`, which is there only while there is work. A broker may hold 100,000 of
 * these: an idle one has no lists at all.
 */
import { SeqHeap } from "../delivery/seq-heap.ts";
import { priorityDefault } from "../model/settings.ts";
import { Backlog } from "../subscriptions/backlog.ts";
import type { QueueRules } from "./queue-rules.ts";
import type { QueueWork } from "./queue-work.ts";

/** What waits of one priority: sent and not done included. */
export class Lane {
  readonly priority: number;
  readonly backlog: Backlog;
  /** The last number that was looked at; what is not done of it is leased, waits for a retry or its key, or is in `ready`. */
  sentThrough = 0;
  /** Numbers that were looked at and may go (again): given back, retried, or theirs is the key now. */
  readonly ready: SeqHeap = new SeqHeap();

  constructor(priority: number, runsMax: number) {
    this.priority = priority;
    this.backlog = new Backlog(runsMax);
  }
}

/** Failed attempts at a message that is not done. */
export interface Attempts {
  readonly failed: number;
  /** Wall-clock milliseconds. */
  readonly retryAt: number;
}

export interface DeclaredQueue {
  readonly number: number;
  readonly name: string;
  readonly filters: readonly string[];
  readonly rules: QueueRules;
  /** Wall-clock milliseconds. */
  readonly at: number;
}

/** What a message had to match when it came, and whether it went to the lane of its priority. */
export interface Era {
  /** The last message of it. */
  readonly through: number;
  readonly filters: readonly string[];
  readonly where: QueueRules["where"];
  readonly priorities: boolean;
}

const noEras: readonly Era[] = [];
const noLanes: readonly Lane[] = [];
const noSeqs: number[] = [];

export class Queue {
  /** Small, never used twice. */
  readonly number: number;
  readonly name: string;
  filters: readonly string[];
  rules: QueueRules;
  declaredAt: number;
  deleted = false;

  #lanes: readonly Lane[] = noLanes;
  /** Messages that wait or are under way, and their bytes; what was there before `historyThrough` is not counted. */
  messages = 0;
  bytes = 0;
  /** Up to here the backlog is history that was read in by a position: its members are found when it is walked. */
  historyThrough = 0;
  /** What counted for older messages that may still wait, where it was declared otherwise then; ascending. */
  eras: readonly Era[] = noEras;
  /** By number of the message; of messages that are not done. */
  attempts: Map<number, Attempts> | undefined;
  /** Numbers of the dead letters on `$mess/dead/NAME` that were neither redriven nor purged. */
  dead: Backlog | undefined;
  deadCount = 0;

  /** Done and not yet in the journal: everything up to the floor, and single numbers beyond. */
  ackedFloor = 0;
  ackedBeyond: number[] = noSeqs;
  ackPending = false;

  /** Since when nobody consumes, wall-clock milliseconds; 0 while somebody does. */
  idleSince: number;
  work: QueueWork | undefined;
  /** Number of the frame that will wake this queue; avoids listing it twice. */
  wokenFor = -1;

  readonly #runsMax: number;

  /** `runsMax`: runs a backlog keeps before it coarsens; 16 bytes each. */
  constructor(declared: DeclaredQueue, runsMax: number) {
    this.number = declared.number;
    this.name = declared.name;
    this.filters = declared.filters;
    this.rules = declared.rules;
    this.declaredAt = declared.at;
    this.idleSince = declared.at;
    this.#runsMax = runsMax;
  }

  /** Highest priority first. Without priorities there is one at most. */
  get lanes(): readonly Lane[] {
    return this.#lanes;
  }

  /** The message waits from now on. `previous`: the message before it that a queue could have got. */
  append(seq: number, priority: number, bytes: number, previous: number): void {
    const lane = this.laneFor(priority);
    // History stays a run of its own: in it members are looked for, behind it they are known.
    lane.backlog.append(seq, previous <= this.historyThrough ? 0 : previous);
    this.messages++;
    this.bytes += bytes;
  }

  /** True when it waited. */
  remove(seq: number): boolean {
    let isThere = false;
    // In a lane that coarsened it may be a stranger.
    for (const { backlog } of this.#lanes) if (backlog.remove(seq)) isThere = true;
    if (isThere) this.attempts?.delete(seq);
    return isThere;
  }

  /** One message less is counted. */
  uncount(seq: number, bytes: number): void {
    if (seq <= this.historyThrough) return;
    this.messages = Math.max(0, this.messages - 1);
    this.bytes = Math.max(0, this.bytes - bytes);
  }

  /** The smallest number that is not done; 0 when nothing waits. */
  first(): number {
    let first = 0;
    for (const { backlog } of this.#lanes) {
      const ofLane = backlog.first();
      if (ofLane !== 0 && (first === 0 || ofLane < first)) first = ofLane;
    }
    return first;
  }

  /** Everything up to `floor` is done, and what is in `beyond`; the sums are what is left. */
  applyAcked(
    floor: number,
    beyond: readonly number[],
    left: { readonly messages: number; readonly bytes: number },
  ): void {
    const before = this.first();
    this.ackedFloor = floor;
    if (before !== 0 && before <= floor) {
      for (const { backlog } of this.#lanes) backlog.dropThrough(floor);
      if (this.attempts !== undefined)
        for (const seq of this.attempts.keys()) if (seq <= floor) this.attempts.delete(seq);
    }
    for (const seq of beyond) this.remove(seq);
    this.messages = left.messages;
    this.bytes = left.bytes;
  }

  /** The lane it waits in. One in which it is sure to be a member comes before one that coarsened. */
  laneOf(seq: number): Lane | undefined {
    let found: Lane | undefined;
    for (const lane of this.#lanes) {
      if (!lane.backlog.contains(seq)) continue;
      if (this.#lanes.length === 1 || !lane.backlog.isScan(seq)) return lane;
      found ??= lane;
    }
    return found;
  }

  /** Made when it is first needed. */
  laneFor(priority: number): Lane {
    for (const lane of this.#lanes) if (lane.priority === priority) return lane;
    const lane = new Lane(priority, this.#runsMax);
    this.#lanes = [...this.#lanes, lane].sort((a, b) => b.priority - a.priority);
    return lane;
  }

  /** What waits becomes history: everything from `from` to `through` that matches, nothing else. */
  rewind(from: number, through: number): void {
    this.#lanes = noLanes;
    this.messages = 0;
    this.bytes = 0;
    this.attempts = undefined;
    this.historyThrough = through;
    this.eras = [{ through, filters: this.filters, where: this.rules.where, priorities: false }];
    this.ackedFloor = from - 1;
    this.ackedBeyond = noSeqs;
    if (from <= through) this.laneFor(priorityDefault).backlog.load([from, through, 1]);
  }

  /** Declared otherwise from now on: `through` is the last message for which the old counts. */
  setRules(filters: readonly string[], rules: QueueRules, through: number): void {
    const { where, priorities } = this.rules;
    const isSame =
      priorities === rules.priorities &&
      JSON.stringify([this.filters, where]) === JSON.stringify([filters, rules.where]);
    if (this.#lanes.length > 0 && !isSame) {
      const first = this.first();
      const known = this.eras.filter((era) => era.through >= first);
      this.eras = [...known, { through, filters: this.filters, where, priorities }];
    } else if (this.#lanes.length === 0) this.eras = noEras;
    this.filters = filters;
    this.rules = rules;
  }

  /** What counted when this message came; undefined: what counts now. */
  eraOf(seq: number): Era | undefined {
    for (const era of this.eras) if (seq <= era.through) return era;
    return undefined;
  }

  /** Lanes in which nothing waits are given up, and the walk over the others begins anew. */
  restartWalk(): void {
    if (this.#lanes.length > 0) this.#lanes = this.#lanes.filter(({ backlog }) => backlog.first() !== 0);
    if (this.#lanes.length === 0) this.#lanes = noLanes;
    for (const lane of this.#lanes) {
      lane.sentThrough = 0;
      lane.ready.clear();
    }
  }

  noteFailed(seq: number, failed: number, retryAt: number): void {
    this.attempts ??= new Map();
    this.attempts.set(seq, { failed, retryAt });
  }

  noteAcked(seq: number, isFirst: boolean): void {
    if (isFirst) this.ackedFloor = seq;
    else if (this.ackedBeyond === noSeqs) this.ackedBeyond = [seq];
    else this.ackedBeyond.push(seq);
  }

  /** What was noted is in the journal. */
  ackWritten(): void {
    this.ackPending = false;
    this.ackedBeyond = noSeqs;
  }

  addDead(seq: number, previous: number): void {
    this.dead ??= new Backlog(this.#runsMax);
    if (this.dead.contains(seq) && !this.dead.isScan(seq)) return;
    this.dead.append(seq, previous);
    this.deadCount++;
  }

  removeDead(seq: number): void {
    if (this.dead?.remove(seq) !== true) return;
    this.deadCount = Math.max(0, this.deadCount - 1);
    // Numbers of other records may be left in the runs.
    if (this.deadCount > 0 && this.dead.first() !== 0) return;
    this.dead = undefined;
    this.deadCount = 0;
  }

  loadDead(runs: readonly number[], count: number): void {
    this.dead = undefined;
    this.deadCount = 0;
    if (runs.length === 0) return;
    this.dead = new Backlog(this.#runsMax);
    this.dead.load(runs, count);
    this.deadCount = count;
  }
}
