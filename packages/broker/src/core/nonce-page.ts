/**
 * Numbers used once, of signatures that were made within one stretch of time: they are over at the same time, so they
 * are forgotten as one. Dense, in order of coming, with a table of hashes beside; 28 bytes each when it is full.
 */
import { nonceBytes } from "../model/signing.ts";

/** A key whose signatures are here. */
export interface NonceOwner {
  readonly keyId: string;
  readonly principal: string;
  /** Of the key's id. */
  readonly hash: number;
}

/** Four words of the number, one of the session, one of packet id and owner. */
const words = 6;
const firstCapacity = 64;
/** A place and 0 for none fit into 16 bits; and moving a page to a larger one holds nobody up. */
export const pageCapacity = 65_535;

export class NoncePage {
  /** Which stretch. */
  readonly bucket: number;
  readonly owners: NonceOwner[] = [];
  readonly #placeOf: Map<NonceOwner, number> = new Map();
  #count = 0;
  #entries: Uint32Array = new Uint32Array(firstCapacity * words);
  #hashes: Uint16Array = new Uint16Array(firstCapacity * 2);

  constructor(bucket: number) {
    this.bucket = bucket;
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === pageCapacity;
  }

  /** Its place; -1 when it is not here. `hash` of number and owner, the same at every call. */
  find(owner: NonceOwner, nonce: Buffer, hash: number): number {
    const place = this.#placeOf.get(owner);
    if (place === undefined) return -1;
    const mask = this.#hashes.length - 1;
    for (let at = hash & mask; ; at = (at + 1) & mask) {
      const index = (this.#hashes[at] as number) - 1;
      if (index < 0) return -1;
      if (this.#ownerAt(index) === place && this.#isNonce(index, nonce)) return index;
    }
  }

  /** The caller found that it is not here, and that the page is not full. `hashAt` as `hash`, of one that is here. */
  add(
    owner: NonceOwner,
    use: { readonly nonce: Buffer; readonly session: number; readonly packetId: number },
    hashAt: (index: number) => number,
  ): void {
    if (this.#count * words === this.#entries.length) this.#grow(hashAt);
    let place = this.#placeOf.get(owner);
    if (place === undefined) {
      place = this.owners.length;
      this.owners.push(owner);
      this.#placeOf.set(owner, place);
    }
    const index = this.#count++;
    const at = index * words;
    for (let word = 0; word < 4; word++) this.#entries[at + word] = use.nonce.readUInt32LE(word * 4);
    this.#entries[at + 4] = use.session;
    this.#entries[at + 5] = ((use.packetId << 16) | place) >>> 0;
    this.#list(index, hashAt(index));
  }

  ownerOf(index: number): NonceOwner {
    return this.owners[this.#ownerAt(index)] as NonceOwner;
  }

  sessionOf(index: number): number {
    return this.#entries[index * words + 4] as number;
  }

  packetIdOf(index: number): number {
    return (this.#entries[index * words + 5] as number) >>> 16;
  }

  /** The number's 16 bytes, written into `out`. */
  copyNonce(index: number, out: Buffer, to: number): void {
    for (let word = 0; word < nonceBytes / 4; word++)
      out.writeUInt32LE(this.#entries[index * words + word] as number, to + word * 4);
  }

  #ownerAt(index: number): number {
    return (this.#entries[index * words + 5] as number) & 0xffff;
  }

  #isNonce(index: number, nonce: Buffer): boolean {
    const at = index * words;
    for (let word = 0; word < 4; word++) if (this.#entries[at + word] !== nonce.readUInt32LE(word * 4)) return false;
    return true;
  }

  #list(index: number, hash: number): void {
    const mask = this.#hashes.length - 1;
    let at = hash & mask;
    while (this.#hashes[at] !== 0) at = (at + 1) & mask;
    this.#hashes[at] = index + 1;
  }

  #grow(hashAt: (index: number) => number): void {
    const capacity = this.#entries.length / words;
    const entries = new Uint32Array(Math.min(capacity * 2, pageCapacity) * words);
    entries.set(this.#entries);
    this.#entries = entries;
    this.#hashes = new Uint16Array(capacity * 4);
    for (let index = 0; index < this.#count; index++) this.#list(index, hashAt(index));
  }
}
