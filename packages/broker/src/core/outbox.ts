/**
 * Effects that wait for the commit of the records they belong to. One batch a frame; the batch of the open frame
 * fills, the sealed ones wait in order. Acknowledgements are kept as numbers: there are many, and they are the point
 * of the exercise: none leaves before its frame is durable (principle 3).
 */
import type { Journal } from "../model/journal.ts";
import type { Link } from "../model/link.ts";
import type { Group } from "./group.ts";
import type { Queue } from "./queue.ts";
import type { Session } from "./session.ts";

/** Kinds of answer, above the 8 bits of reason and 16 of packet id. */
const kindPuback = 1;
const kindPubrec = 2;
const kindPubcomp = 3;
const kindFactor = 0x1_00_0000;

class Batch {
  readonly number: number;
  /** Last record of its frame; known once that is sealed. */
  through = 0;
  /** Connections that are told now that they are attached: before they are told anything else [MQTT-3.2.0-1]. */
  readonly attachments: (() => void)[] = [];
  readonly links: Link[] = [];
  readonly codes: number[] = [];
  readonly receipts: number[] = [];
  readonly actions: (() => void)[] = [];
  /** Those who wait outside the engine: they are told of the failure of the journal too. */
  readonly promises: ((isDurable: boolean) => void)[] = [];
  readonly sessions: Session[] = [];
  readonly groups: Group[] = [];
  readonly queues: Queue[] = [];

  constructor(number: number) {
    this.number = number;
  }
}

/** What to do with those who have messages in a frame that was committed. */
export interface Wake {
  session(session: Session): void;
  group(group: Group): void;
  queues(queues: readonly Queue[]): void;
}

export class Outbox {
  readonly #journal: Journal;
  readonly #wake: Wake;
  readonly #sealed: Batch[] = [];
  #open: Batch = new Batch(0);
  #sealedThrough: number;
  #hasFailed = false;

  constructor(journal: Journal, wake: Wake) {
    this.#journal = journal;
    this.#wake = wake;
    this.#sealedThrough = journal.lastSeq;
  }

  /** The open frame is sealed now; called after the last record was added to it. Without a record there is no frame. */
  seal(): void {
    const through = this.#journal.lastSeq;
    if (through === this.#sealedThrough) return;
    this.#open.through = through;
    this.#sealed.push(this.#open);
    this.#sealedThrough = through;
    this.#open = new Batch(this.#open.number + 1);
  }

  /** Everything up to `durableSeq` is durable. The journal adds records of its own to frames, so numbers decide, not turns. */
  release(durableSeq: number): void {
    while (this.#sealed.length > 0 && (this.#sealed[0] as Batch).through <= durableSeq) {
      this.#let(this.#sealed.shift() as Batch);
    }
    if (durableSeq > this.#sealedThrough) this.#sealedThrough = durableSeq;
    if (this.#sealed.length > 0 || this.#journal.lastSeq > this.#sealedThrough) return;
    // Effects that waited for such a record of the journal's: no frame of ours follows to take them along.
    const batch = this.#open;
    this.#open = new Batch(batch.number + 1);
    this.#let(batch);
  }

  /** The journal failed: whoever waits for an acknowledgement is refused, nothing else happens any more. */
  refuse(reason: number): void {
    for (const batch of [...this.#sealed, this.#open]) {
      for (let i = 0; i < batch.links.length; i++) {
        const code = batch.codes[i] as number;
        if (Math.floor(code / kindFactor) === kindPuback)
          answer(batch.links[i] as Link, code - (code & 0xff) + reason, 0);
      }
      for (const settle of batch.promises) settle(false);
    }
    this.#sealed.length = 0;
    this.#open = new Batch(this.#open.number + 1);
    this.#hasFailed = true;
  }

  #let(batch: Batch): void {
    for (const attach of batch.attachments) attach();
    for (let i = 0; i < batch.links.length; i++)
      answer(batch.links[i] as Link, batch.codes[i] as number, batch.receipts[i] as number);
    for (const action of batch.actions) action();
    for (const settle of batch.promises) settle(true);
    for (const session of batch.sessions) this.#wake.session(session);
    for (const group of batch.groups) this.#wake.group(group);
    if (batch.queues.length > 0) this.#wake.queues(batch.queues);
  }

  /** PUBACK; `receipt` as `Link.confirm` has it. */
  confirm(link: Link, packetId: number, reason: number, receipt: number): void {
    this.#answer(link, kindPuback * kindFactor + packetId * 256 + reason, receipt);
  }

  /** PUBREC: nothing is published yet, so there is no receipt. */
  received(link: Link, packetId: number, reason: number): void {
    this.#answer(link, kindPubrec * kindFactor + packetId * 256 + reason, 0);
  }

  completed(link: Link, packetId: number, reason: number): void {
    this.#answer(link, kindPubcomp * kindFactor + packetId * 256 + reason, 0);
  }

  /** Runs when everything written so far is durable; at once if it is. */
  action(run: () => void): void {
    const batch = this.#batch();
    if (batch === undefined) run();
    else batch.actions.push(run);
  }

  /** As `action`; with false when the journal has failed. */
  promise(settle: (isDurable: boolean) => void): void {
    const batch = this.#batch();
    if (batch === undefined || this.#hasFailed) settle(!this.#hasFailed);
    else batch.promises.push(settle);
  }

  /** As `action`, before every other effect of its frame. */
  attachment(run: () => void): void {
    const batch = this.#batch();
    if (batch === undefined) run();
    else batch.attachments.push(run);
  }

  wakeSession(session: Session): void {
    if (session.wokenFor === this.#open.number) return;
    session.wokenFor = this.#open.number;
    this.#open.sessions.push(session);
  }

  wakeGroup(group: Group): void {
    if (group.wokenFor === this.#open.number) return;
    group.wokenFor = this.#open.number;
    this.#open.groups.push(group);
  }

  wakeQueue(queue: Queue): void {
    if (queue.wokenFor === this.#open.number) return;
    queue.wokenFor = this.#open.number;
    this.#open.queues.push(queue);
  }

  #answer(link: Link, code: number, receipt: number): void {
    const batch = this.#batch();
    if (batch === undefined) {
      answer(link, code, receipt);
      return;
    }
    batch.links.push(link);
    batch.codes.push(code);
    batch.receipts.push(receipt);
  }

  /** The batch that an effect of "now" belongs to; none when nothing is on its way to the disk. */
  #batch(): Batch | undefined {
    // Nothing becomes durable any more: what would have to wait for it waits for ever.
    if (this.#hasFailed) return new Batch(0);
    if (this.#journal.lastSeq > this.#sealedThrough) {
      this.#journal.commit();
      return this.#open;
    }
    return this.#sealed[this.#sealed.length - 1];
  }
}

function answer(link: Link, code: number, receipt: number): void {
  const reason = code & 0xff;
  const packetId = (code >>> 8) & 0xffff;
  const kind = Math.floor(code / kindFactor);
  if (kind === kindPubcomp) link.completed(packetId, reason);
  else link.confirm(packetId, kind === kindPuback ? 1 : 2, reason, receipt);
}
