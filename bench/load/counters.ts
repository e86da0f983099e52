/** Counts that the threads of a load share: each is written by one thread and read by others. All wrap at 2^32. */
const slots = { sent: 0, acknowledged: 1, received: 2 } as const;
export type CounterName = keyof typeof slots;

export class Counters {
  readonly memory: SharedArrayBuffer;
  readonly #values: Uint32Array;

  constructor(memory: SharedArrayBuffer = new SharedArrayBuffer(64)) {
    this.memory = memory;
    this.#values = new Uint32Array(memory);
  }

  add(name: CounterName, count: number): void {
    Atomics.add(this.#values, slots[name], count);
  }

  read(name: CounterName): number {
    return Atomics.load(this.#values, slots[name]);
  }
}
