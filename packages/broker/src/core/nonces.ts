/**
 * Numbers used once, of signed messages that were taken: none is taken again (THREATS C5). The journal has them in the
 * messages; here they are a table of about 30 bytes each. One is forgotten only when its signature could not be taken
 * any more for its age; when there is no room, signed messages are refused instead.
 */
import type { Clock } from "../host/host.ts";
import { SeededHash } from "../model/seeded-hash.ts";
import { isTimely, nonceBytes } from "../model/signing.ts";
import { type NonceOwner, NoncePage } from "./nonce-page.ts";

export interface NoncesOptions {
  readonly clock: Clock;
  readonly seed: number;
  /** How far a signature's time may be from ours, before and after. */
  readonly windowMs: number;
  readonly noncesMax: number;
  readonly noncesPerPrincipalMax: number;
}

/** A signature that was taken. */
export interface NonceUse {
  readonly keyId: string;
  readonly principal: string;
  /** 16 bytes. */
  readonly nonce: Buffer;
  /** Seconds since 1970. */
  readonly issuedAt: number;
  /** Of the session and packet that brought it; 0 for none. */
  readonly session: number;
  readonly packetId: number;
}

/** Pages of one moment, for a snapshot: what is in them does not change any more. */
export interface SavedNonces {
  readonly page: NoncePage;
  readonly count: number;
  /** Seconds since 1970; of all in the page, as far as it matters. */
  readonly issuedAt: number;
}

/** Stretches of time that a window has. */
const bucketsPerWindow = 8;
/** A clock that runs ahead of the time that passed by more than this is not believed at once. */
const jumpMs = 3_600_000;

export class Nonces {
  readonly #options: NoncesOptions;
  readonly #hash: SeededHash;
  readonly #bucketSeconds: number;
  readonly #owners: Map<string, { owner: NonceOwner; count: number }> = new Map();
  readonly #countOf: Map<string, number> = new Map();
  /** Oldest stretch first. */
  #pages: NoncePage[] = [];
  #count = 0;
  /**
   * Wall-clock time before which nothing is taken any more, whatever the clock says now: signatures that were over then
   * may be forgotten. It never goes back.
   */
  #floor = 0;
  /** Monotonic time at which the floor was last raised. */
  #floorAt = 0;
  /** Since when (monotonic) the wall clock is far ahead; undefined when it is not. */
  #aheadSince: number | undefined;
  readonly #scratch: Buffer = Buffer.alloc(nonceBytes);

  constructor(options: NoncesOptions) {
    this.#options = options;
    this.#hash = new SeededHash(options.seed);
    this.#bucketSeconds = Math.max(1, Math.ceil(options.windowMs / bucketsPerWindow / 1_000));
    this.#floorAt = options.clock.monotonic();
  }

  /** Those that are over and not forgotten yet included. */
  get size(): number {
    return this.#count;
  }

  /** Wall-clock milliseconds, never earlier than what was said before: turning the clock back brings nothing back. */
  now(): number {
    this.#tick();
    return Math.max(this.#options.clock.now(), this.#floor);
  }

  /** May a signature of that time be taken now? */
  isTimely(issuedAt: number): boolean {
    return isTimely(issuedAt, this.now(), this.#options.windowMs);
  }

  has(use: Pick<NonceUse, "keyId" | "nonce">): boolean {
    return this.#locate(use) !== undefined;
  }

  /** Was it taken out of the same packet of the same session? */
  isSamePacket(use: NonceUse): boolean {
    const found = this.#locate(use);
    if (found === undefined || use.packetId === 0) return false;
    const { page, index } = found;
    return page.sessionOf(index) === use.session && page.packetIdOf(index) === use.packetId;
  }

  /** Why no other one of this principal can be remembered; empty when it can. `coming`: others that are about to be added. */
  whyFull(principal: string, coming: number): string {
    const { noncesMax, noncesPerPrincipalMax } = this.#options;
    this.#tick();
    if (this.#count + coming >= noncesMax) {
      return `${noncesMax} signed messages are remembered, all that may be: try again later`;
    }
    if ((this.#countOf.get(principal) ?? 0) + coming < noncesPerPrincipalMax) return "";
    return `${noncesPerPrincipalMax} signed messages of this principal are remembered, all that may be: try again later`;
  }

  /** The caller found that it is not known, timely, and that there is room. */
  add(use: NonceUse): void {
    this.#insert(use);
  }

  /** Recovery: of a message, or of a snapshot. Bounded by what was taken before. */
  restore(use: NonceUse, now: number): void {
    if (now > this.#floor) this.#floor = now;
    if (!this.#isOver(this.#bucketOf(use.issuedAt)) && !this.has(use)) this.#insert(use);
    this.#forget();
  }

  /** Recovery: what was not to be taken any more then is not now. */
  restoreFloor(floor: number): void {
    if (floor > this.#floor) this.#floor = floor;
    this.#forget();
  }

  /** For a snapshot: as `restoreFloor` and `restore` take it. */
  save(): { readonly floor: number; readonly pages: readonly SavedNonces[] } {
    const pages = this.#pages.map((page) => ({
      page,
      count: page.count,
      issuedAt: page.bucket * this.#bucketSeconds,
    }));
    return { floor: this.#floor, pages };
  }

  /**
   * Raises the floor to the wall clock and forgets what is over then. The clock is believed when it went on with the time
   * that passed, or a little faster; one that is suddenly far ahead has to stay there for a window first. Were it a
   * mistake, everything would be forgotten, and nothing taken until the real time is there.
   */
  #tick(): void {
    const { clock, windowMs } = this.#options;
    const wall = clock.now();
    const steady = clock.monotonic();
    if (wall <= this.#floor + (steady - this.#floorAt) + jumpMs) this.#aheadSince = undefined;
    else {
      this.#aheadSince ??= steady;
      if (steady - this.#aheadSince < windowMs) return;
      this.#aheadSince = undefined;
    }
    if (wall <= this.#floor) return;
    this.#floor = wall;
    this.#floorAt = steady;
    this.#forget();
  }

  #forget(): void {
    while (this.#pages.length > 0 && this.#isOver((this.#pages[0] as NoncePage).bucket)) {
      this.#drop(this.#pages.shift() as NoncePage);
    }
  }

  /** The last of its stretch is older than the window. */
  #isOver(bucket: number): boolean {
    return (bucket + 1) * this.#bucketSeconds * 1_000 + this.#options.windowMs < this.#floor;
  }

  #drop(page: NoncePage): void {
    for (let index = 0; index < page.count; index++) this.#discount(page.ownerOf(index));
    this.#count -= page.count;
  }

  #discount(owner: NonceOwner): void {
    const { keyId, principal } = owner;
    const known = this.#owners.get(keyId);
    if (known !== undefined && --known.count === 0) this.#owners.delete(keyId);
    const left = (this.#countOf.get(principal) ?? 0) - 1;
    if (left > 0) this.#countOf.set(principal, left);
    else this.#countOf.delete(principal);
  }

  #bucketOf(issuedAt: number): number {
    return Math.floor(issuedAt / this.#bucketSeconds);
  }

  #locate({ keyId, nonce }: Pick<NonceUse, "keyId" | "nonce">): { page: NoncePage; index: number } | undefined {
    const owner = this.#owners.get(keyId)?.owner;
    if (owner === undefined) return undefined;
    const hash = this.#hashOf(owner, nonce);
    for (const page of this.#pages) {
      const index = page.find(owner, nonce, hash);
      if (index >= 0) return { page, index };
    }
    return undefined;
  }

  #insert(use: NonceUse): void {
    const { keyId, principal } = use;
    let known = this.#owners.get(keyId);
    if (known === undefined) {
      const bytes = Buffer.from(keyId, "utf8");
      known = { owner: { keyId, principal, hash: this.#hash.bytes(bytes, 0, bytes.length) }, count: 0 };
      this.#owners.set(keyId, known);
    }
    const page = this.#pageFor(this.#bucketOf(use.issuedAt));
    page.add(known.owner, use, (index) => this.#hashAt(page, index));
    known.count++;
    this.#countOf.set(principal, (this.#countOf.get(principal) ?? 0) + 1);
    this.#count++;
  }

  /** The newest page of the stretch that has room, in its place among the others. */
  #pageFor(bucket: number): NoncePage {
    let at = this.#pages.length;
    while (at > 0 && (this.#pages[at - 1] as NoncePage).bucket > bucket) at--;
    const last = this.#pages[at - 1];
    if (last !== undefined && last.bucket === bucket && !last.isFull) return last;
    const page = new NoncePage(bucket);
    this.#pages.splice(at, 0, page);
    return page;
  }

  /** Clients choose the numbers, so the table needs a secret. */
  #hashOf(owner: NonceOwner, nonce: Buffer): number {
    return this.#hash.bytes(nonce, 0, nonceBytes) ^ owner.hash;
  }

  #hashAt(page: NoncePage, index: number): number {
    page.copyNonce(index, this.#scratch, 0);
    return this.#hashOf(page.ownerOf(index), this.#scratch);
  }
}
