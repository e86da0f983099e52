/**
 * Ids of messages (`mess-id`), each within its publisher, for as long as the window lasts: a repeat is not stored again.
 * The journal has them in the messages; here they are a table, oldest first out, of about 40 bytes an id and its text.
 * When it is full, a publish with a new id is refused: forgetting one early would store a message twice.
 */
import type { Clock } from "../host/host.ts";
import { SeededHash } from "../model/seeded-hash.ts";

export interface MessageIdsOptions {
  readonly clock: Clock;
  readonly seed: number;
  readonly windowMs: number;
  readonly idsMax: number;
  readonly idsPerPrincipalMax: number;
}

interface Owner {
  readonly number: number;
  readonly name: string;
  count: number;
}

const initialSlots = 64;
const pageBytes = 64 * 1024;
/** With each look-up; more than are added between two. */
const forgottenAtOnce = 16;

export class MessageIds {
  readonly #clock: Clock;
  readonly #hash: SeededHash;
  readonly #options: MessageIdsOptions;
  /**
   * Wall clock less monotonic clock at the start. Ages are told by the latter: setting the clock back or forth while the
   * broker runs neither forgets an id early nor keeps one for hours.
   */
  readonly #base: number;
  readonly #owners: Map<string, Owner> = new Map();
  readonly #ownerOf: (Owner | undefined)[] = [];
  readonly #freeOwners: number[] = [];
  /** A ring of slots, in order of coming: `#head` is the oldest. A power of two. */
  #capacity: number = initialSlots;
  #head = 0;
  #count = 0;
  #at: Float64Array = new Float64Array(initialSlots);
  #seq: Float64Array = new Float64Array(initialSlots);
  #owner: Uint32Array = new Uint32Array(initialSlots);
  #hashes: Int32Array = new Int32Array(initialSlots);
  /** Page and place of the text; bytes of it. */
  #page: Uint32Array = new Uint32Array(initialSlots);
  #place: Uint16Array = new Uint16Array(initialSlots);
  #length: Uint16Array = new Uint16Array(initialSlots);
  /** Open addressing: slot + 1; twice the slots. */
  #table: Int32Array = new Int32Array(initialSlots * 2);
  /** Texts, one after the other; a page goes with its last id. */
  readonly #pages: Buffer[] = [];
  #firstPage = 0;
  #pageEnd = pageBytes;
  #scratch: Buffer = Buffer.alloc(256);

  constructor(options: MessageIdsOptions) {
    this.#options = options;
    this.#clock = options.clock;
    this.#hash = new SeededHash(options.seed);
    this.#base = options.clock.now() - options.clock.monotonic();
  }

  /** Those that are over and not forgotten yet included. */
  get size(): number {
    return this.#count;
  }

  /** Offset of the message that brought this id, 0 when none did within the window. */
  find(principal: string, id: string): number {
    this.#forgetSome();
    const owner = this.#owners.get(principal);
    if (owner === undefined) return 0;
    const slot = this.#slotOf(owner, this.#read(id));
    return slot < 0 ? 0 : (this.#seq[slot] as number);
  }

  /** Why no new id of this principal can be remembered; empty when it can. `coming`: others that are about to be added. */
  whyFull(principal: string, coming: number, perPrincipal: boolean): string {
    const { idsMax, idsPerPrincipalMax, windowMs } = this.#options;
    const isFull = (): boolean => this.#count + coming >= idsMax;
    const hasAll = (): boolean =>
      perPrincipal && (this.#owners.get(principal)?.count ?? 0) + coming >= idsPerPrincipalMax;
    // Each is forgotten once, so on average this costs nothing.
    while ((isFull() || hasAll()) && this.#count > 0 && this.#isOver(this.#head)) this.#forgetOldest();
    const seconds = Math.ceil(windowMs / 1000);
    if (isFull()) {
      return `ids of messages are remembered for ${seconds} s, and the broker remembers ${idsMax} at most: try again later`;
    }
    if (!hasAll()) return "";
    return `ids of messages are remembered for ${seconds} s, ${idsPerPrincipalMax} at most for a principal: try again later`;
  }

  /** A message with this id was published `ageMs` ago. The caller found that it is not known. */
  add(principal: string, id: string, seq: number, ageMs: number): void {
    this.#insert(principal, id, seq, this.#steady() - ageMs);
  }

  /** Recovery: `publishedAt` is wall-clock time, and what is over by now is not known yet. */
  restore(principal: string, id: string, seq: number, publishedAt: number): void {
    // More than that were never remembered at once, however long the journal.
    if (this.#count >= this.#options.idsMax * 2) this.#forgetOldest();
    this.#insert(principal, id, seq, publishedAt);
  }

  /** Recovery is done. What comes from a clock that went ahead of ours is as old as the start at least. */
  restored(): void {
    const now = this.#steady();
    this.#forEachSlot((slot) => {
      if ((this.#at[slot] as number) > now) this.#at[slot] = now;
    });
    while (this.#count > 0 && this.#isOver(this.#head)) this.#forgetOldest();
  }

  /** Oldest first, with wall-clock times as of now. */
  forEach(visit: (principal: string, id: string, seq: number, publishedAt: number) => void): void {
    const toWall = this.#clock.now() - this.#steady();
    this.#forEachSlot((slot) => {
      if (this.#isOver(slot)) return;
      const owner = this.#ownerOf[this.#owner[slot] as number];
      const place = this.#place[slot] as number;
      const page = this.#pages[(this.#page[slot] as number) - this.#firstPage];
      const id = page?.toString("utf8", place, place + (this.#length[slot] as number));
      if (owner !== undefined && id !== undefined)
        visit(owner.name, id, this.#seq[slot] as number, (this.#at[slot] as number) + toWall);
    });
  }

  #steady(): number {
    return this.#base + this.#clock.monotonic();
  }

  #isOver(slot: number): boolean {
    return this.#steady() - (this.#at[slot] as number) >= this.#options.windowMs;
  }

  #forEachSlot(visit: (slot: number) => void): void {
    for (let i = 0; i < this.#count; i++) visit(this.#slotAt(i));
  }

  /** Some of those that are over. */
  #forgetSome(): void {
    for (let i = 0; i < forgottenAtOnce && this.#count > 0 && this.#isOver(this.#head); i++) this.#forgetOldest();
  }

  /** One that is over and waits to be forgotten may stand beside its successor. */
  #insert(principal: string, id: string, seq: number, at: number): void {
    const owner = this.#owners.get(principal) ?? this.#newOwner(principal);
    const length = this.#read(id);
    if (this.#count === this.#capacity) this.#grow();
    const slot = this.#slotAt(this.#count);
    this.#count++;
    owner.count++;
    this.#at[slot] = at;
    this.#seq[slot] = seq;
    this.#owner[slot] = owner.number;
    this.#hashes[slot] = this.#hashOf(owner, length);
    this.#keepText(slot, length);
    this.#list(slot);
  }

  #slotAt(index: number): number {
    return (this.#head + index) & (this.#capacity - 1);
  }

  /** The id as bytes in the scratch; their number. */
  #read(id: string): number {
    if (id.length * 3 > this.#scratch.length) this.#scratch = Buffer.alloc(id.length * 3);
    return this.#scratch.write(id, 0, "utf8");
  }

  #hashOf(owner: Owner, length: number): number {
    return this.#hash.bytes(this.#scratch, 0, length) ^ Math.imul(owner.number + 1, 0x9e37_79b1);
  }

  /** The slot of the id in the scratch that is not over; -1 when there is none. */
  #slotOf(owner: Owner, length: number): number {
    const hash = this.#hashOf(owner, length);
    const mask = this.#table.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const slot = (this.#table[at] as number) - 1;
      if (slot < 0) return -1;
      const isSame = this.#hashes[slot] === hash && this.#owner[slot] === owner.number && this.#isText(slot, length);
      if (isSame && !this.#isOver(slot)) return slot;
    }
  }

  #isText(slot: number, length: number): boolean {
    if (this.#length[slot] !== length) return false;
    const page = this.#pages[(this.#page[slot] as number) - this.#firstPage] as Buffer;
    const place = this.#place[slot] as number;
    for (let i = 0; i < length; i++) if (page[place + i] !== this.#scratch[i]) return false;
    return true;
  }

  #list(slot: number): void {
    const mask = this.#table.length - 1;
    let at = (this.#hashes[slot] as number) & mask;
    while (this.#table[at] !== 0) at = (at + 1) & mask;
    this.#table[at] = slot + 1;
  }

  /** Takes the slot out and moves those up that stand behind it because it stood there. */
  #unlist(slot: number): void {
    const table = this.#table;
    const mask = table.length - 1;
    let hole = (this.#hashes[slot] as number) & mask;
    while (table[hole] !== slot + 1) hole = (hole + 1) & mask;
    for (let at = (hole + 1) & mask; table[at] !== 0; at = (at + 1) & mask) {
      const wanted = (this.#hashes[(table[at] as number) - 1] as number) & mask;
      if (((at - wanted) & mask) < ((at - hole) & mask)) continue;
      table[hole] = table[at] as number;
      hole = at;
    }
    table[hole] = 0;
  }

  #forgetOldest(): void {
    const slot = this.#head;
    this.#unlist(slot);
    const owner = this.#ownerOf[this.#owner[slot] as number] as Owner;
    owner.count--;
    if (owner.count === 0) this.#dropOwner(owner);
    this.#head = this.#slotAt(1);
    this.#count--;
    const first = this.#count === 0 ? this.#firstPage + this.#pages.length : (this.#page[this.#head] as number);
    for (; this.#firstPage < first; this.#firstPage++) this.#pages.shift();
    if (this.#pages.length === 0) this.#pageEnd = pageBytes;
  }

  #newOwner(name: string): Owner {
    const number = this.#freeOwners.pop() ?? this.#ownerOf.length;
    const owner: Owner = { number, name, count: 0 };
    this.#ownerOf[number] = owner;
    this.#owners.set(name, owner);
    return owner;
  }

  #dropOwner(owner: Owner): void {
    this.#owners.delete(owner.name);
    this.#ownerOf[owner.number] = undefined;
    this.#freeOwners.push(owner.number);
  }

  #keepText(slot: number, length: number): void {
    if (this.#pageEnd + length > pageBytes) {
      this.#pages.push(Buffer.alloc(pageBytes));
      this.#pageEnd = 0;
    }
    const last = this.#pages.length - 1;
    this.#scratch.copy(this.#pages[last] as Buffer, this.#pageEnd, 0, length);
    this.#page[slot] = this.#firstPage + last;
    this.#place[slot] = this.#pageEnd;
    this.#length[slot] = length;
    this.#pageEnd += length;
  }

  #grow(): void {
    const order = Array.from({ length: this.#count }, (_, i) => this.#slotAt(i));
    this.#at = moved(new Float64Array(this.#capacity * 2), this.#at, order);
    this.#seq = moved(new Float64Array(this.#capacity * 2), this.#seq, order);
    this.#owner = moved(new Uint32Array(this.#capacity * 2), this.#owner, order);
    this.#hashes = moved(new Int32Array(this.#capacity * 2), this.#hashes, order);
    this.#page = moved(new Uint32Array(this.#capacity * 2), this.#page, order);
    this.#place = moved(new Uint16Array(this.#capacity * 2), this.#place, order);
    this.#length = moved(new Uint16Array(this.#capacity * 2), this.#length, order);
    this.#capacity *= 2;
    this.#head = 0;
    this.#table = new Int32Array(this.#capacity * 2);
    for (let slot = 0; slot < this.#count; slot++) this.#list(slot);
  }
}

function moved<T extends Float64Array | Uint32Array | Int32Array | Uint16Array>(to: T, from: T, order: number[]): T {
  for (let i = 0; i < order.length; i++) to[i] = from[order[i] as number] as number;
  return to;
}
