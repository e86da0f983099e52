const idMax = 65_535;
const initialCapacity = 8;
/** From here on a bitmap is smaller and faster than a sorted list. */
const listMax = 1_024;
/** Back to a list well below, so that a client at the border does not go to and fro. */
const listAgain = 256;

const noIds: Uint16Array = new Uint16Array(0);

/**
 * A set of packet ids (1..65535): nothing when empty, two bytes an id while few, 8 KiB at most. Kept once for each
 * session, so what counts is the memory of a small set.
 */
export class PacketIdSet {
  /** Sorted, the first `#size` count; not used while there is a bitmap. */
  #list: Uint16Array = noIds;
  #bits: Uint32Array | undefined;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  has(packetId: number): boolean {
    if (!isPacketId(packetId)) return false;
    if (this.#bits !== undefined) return hasBit(this.#bits, packetId);
    return this.#list[this.#placeOf(packetId)] === packetId && this.#placeOf(packetId) < this.#size;
  }

  /** False when it is there already, or is no packet id. */
  add(packetId: number): boolean {
    if (!isPacketId(packetId) || this.has(packetId)) return false;
    if (this.#bits === undefined && this.#size === listMax) this.#toBits();
    if (this.#bits !== undefined) {
      setBit(this.#bits, packetId);
    } else {
      if (this.#size === this.#list.length) this.#resize(Math.max(initialCapacity, this.#size * 2));
      const place = this.#placeOf(packetId);
      this.#list.copyWithin(place + 1, place, this.#size);
      this.#list[place] = packetId;
    }
    this.#size += 1;
    return true;
  }

  /** False when it was not there. */
  delete(packetId: number): boolean {
    if (!this.has(packetId)) return false;
    if (this.#bits !== undefined) {
      const word = packetId >>> 5;
      this.#bits[word] = (this.#bits[word] as number) & ~(1 << (packetId & 31));
    } else {
      const place = this.#placeOf(packetId);
      this.#list.copyWithin(place, place + 1, this.#size);
    }
    this.#size -= 1;
    if (this.#size === 0) this.clear();
    else if (this.#bits !== undefined && this.#size <= listAgain) this.#toList();
    return true;
  }

  /** In ascending order. `visit` must not change the set. */
  forEach(visit: (packetId: number) => void): void {
    if (this.#bits === undefined) {
      for (let i = 0; i < this.#size; i++) visit(this.#list[i] as number);
      return;
    }
    for (let id = 1; id <= idMax; id++) if (hasBit(this.#bits, id)) visit(id);
  }

  clear(): void {
    this.#list = noIds;
    this.#bits = undefined;
    this.#size = 0;
  }

  /** The first place with an id that is not smaller. */
  #placeOf(packetId: number): number {
    let low = 0;
    let high = this.#size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#list[middle] as number) < packetId) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  #resize(capacity: number): void {
    const larger = new Uint16Array(capacity);
    larger.set(this.#list);
    this.#list = larger;
  }

  #toBits(): void {
    const bits = new Uint32Array((idMax + 1) >>> 5);
    for (const id of this.#list) setBit(bits, id);
    this.#bits = bits;
    this.#list = noIds;
  }

  #toList(): void {
    const list = new Uint16Array(listAgain * 2);
    let length = 0;
    this.forEach((id) => {
      list[length++] = id;
    });
    this.#list = list;
    this.#bits = undefined;
  }
}

function hasBit(bits: Uint32Array, id: number): boolean {
  return (((bits[id >>> 5] as number) >>> (id & 31)) & 1) === 1;
}

function setBit(bits: Uint32Array, id: number): void {
  bits[id >>> 5] = (bits[id >>> 5] as number) | (1 << (id & 31));
}

function isPacketId(value: number): boolean {
  return Number.isInteger(value) && value >= 1 && value <= idMax;
}
