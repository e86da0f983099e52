/** States of a delivery that a client has not completed (MQTT 5.0 section 4.3). */
export const awaitingPuback = 1;
export const awaitingPubrec = 2;
export const awaitingPubcomp = 3;
/** QoS 2: the packet id is being made durable, the PUBLISH has not left. */
export const reserved = 4;

const idMax = 65_535;
const initialCapacity = 16;
/** Numbers of one delivery in `#fields`. */
const WIDTH = 5;
const ID = 0;
const STATE = 1;
const SOURCE = 2;
/** Order of first sending: slots, -1 at the ends. */
const NEXT = 3;
const PREVIOUS = 4;
const none = -1;

const noFields: Int32Array = new Int32Array(0);
const noSeqs: Float64Array = new Float64Array(0);

/**
 * The deliveries under way to one client, by packet id. A slot is `packetId & mask`: a look-up is one comparison. Ids go
 * up from 1 and around; one whose slot is still taken is passed over, which the standard allows (2.2.1 only asks that an
 * id is not in use). An idle client has no arrays at all.
 */
export class InFlight {
  #fields: Int32Array = noFields;
  #seqs: Float64Array = noSeqs;
  #mask = -1;
  #size = 0;
  #lastId = 0;
  #first = none;
  #last = none;

  get size(): number {
    return this.#size;
  }

  /**
   * Takes the next free packet id for the message `seq`. `source` is a small integer of the caller's. 0 when all 65,535
   * ids are in use.
   */
  take(seq: number, state: number, source: number): number {
    if (this.#size >= idMax) return 0;
    // A quarter stays empty, so that a free slot is near.
    if (this.#size * 4 >= this.#capacity() * 3 && this.#mask < idMax) this.#grow();
    let id = this.#lastId;
    do {
      id = id >= idMax ? 1 : id + 1;
    } while (this.#fields[(id & this.#mask) * WIDTH + ID] !== 0);
    this.#lastId = id;
    this.#put(id, seq, state, source);
    return id;
  }

  /** Recovery: the id is in use again, last in the order. False when it is in use already or no packet id. */
  restore(packetId: number, seq: number, state: number, source: number): boolean {
    if (!isPacketId(packetId) || this.#slotOf(packetId) >= 0) return false;
    while (this.#mask < 0 || this.#fields[(packetId & this.#mask) * WIDTH + ID] !== 0) this.#grow();
    this.#put(packetId, seq, state, source);
    return true;
  }

  /** 0 when the id is not in use; so are `stateOf` and `sourceOf`. */
  seqOf(packetId: number): number {
    const slot = this.#slotOf(packetId);
    return slot < 0 ? 0 : (this.#seqs[slot] as number);
  }

  stateOf(packetId: number): number {
    return this.#fieldOf(packetId, STATE);
  }

  sourceOf(packetId: number): number {
    return this.#fieldOf(packetId, SOURCE);
  }

  /** False when the id is not in use. */
  setState(packetId: number, state: number): boolean {
    const slot = this.#slotOf(packetId);
    if (slot < 0) return false;
    this.#fields[slot * WIDTH + STATE] = state;
    return true;
  }

  /** The id is free again; false when it was not in use. */
  release(packetId: number): boolean {
    const slot = this.#slotOf(packetId);
    if (slot < 0) return false;
    const fields = this.#fields;
    const next = fields[slot * WIDTH + NEXT] as number;
    const previous = fields[slot * WIDTH + PREVIOUS] as number;
    if (previous === none) this.#first = next;
    else fields[previous * WIDTH + NEXT] = next;
    if (next === none) this.#last = previous;
    else fields[next * WIDTH + PREVIOUS] = previous;
    fields[slot * WIDTH + ID] = 0;
    this.#size -= 1;
    return true;
  }

  /** Packet ids in the order of their first sending, which is the order of sending again [MQTT-4.6.0-1]. `visit` may release the id it is given. */
  inOrder(visit: (packetId: number) => void): void {
    let slot = this.#first;
    while (slot !== none) {
      const next = this.#fields[slot * WIDTH + NEXT] as number;
      visit(this.#fields[slot * WIDTH + ID] as number);
      slot = next;
    }
  }

  /** Frees all ids and the memory. The next id is the one after the last taken, not 1. */
  clear(): void {
    this.#fields = noFields;
    this.#seqs = noSeqs;
    this.#mask = -1;
    this.#size = 0;
    this.#first = none;
    this.#last = none;
  }

  #capacity(): number {
    return this.#mask + 1;
  }

  #slotOf(packetId: number): number {
    if (packetId <= 0 || this.#mask < 0) return none;
    const slot = packetId & this.#mask;
    return this.#fields[slot * WIDTH + ID] === packetId ? slot : none;
  }

  #fieldOf(packetId: number, field: number): number {
    const slot = this.#slotOf(packetId);
    return slot < 0 ? 0 : (this.#fields[slot * WIDTH + field] as number);
  }

  #put(id: number, seq: number, state: number, source: number): void {
    const slot = id & this.#mask;
    const fields = this.#fields;
    const at = slot * WIDTH;
    fields[at + ID] = id;
    fields[at + STATE] = state;
    fields[at + SOURCE] = source;
    fields[at + NEXT] = none;
    fields[at + PREVIOUS] = this.#last;
    if (this.#last === none) this.#first = slot;
    else fields[this.#last * WIDTH + NEXT] = slot;
    this.#last = slot;
    this.#seqs[slot] = seq;
    this.#size += 1;
  }

  /** Two ids that differ under the old mask differ under the new one. */
  #grow(): void {
    const fields = this.#fields;
    const seqs = this.#seqs;
    const capacity = Math.max(initialCapacity, this.#capacity() * 2);
    let slot = this.#first;
    this.#fields = new Int32Array(capacity * WIDTH);
    this.#seqs = new Float64Array(capacity);
    this.#mask = capacity - 1;
    this.#size = 0;
    this.#first = none;
    this.#last = none;
    while (slot !== none) {
      const at = slot * WIDTH;
      const id = fields[at + ID] as number;
      this.#put(id, seqs[slot] as number, fields[at + STATE] as number, fields[at + SOURCE] as number);
      slot = fields[at + NEXT] as number;
    }
  }
}

function isPacketId(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= idMax;
}
