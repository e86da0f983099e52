import type { DiskFault, FaultPlan, PlantedFault } from "./simulated-faults.ts";
import { FileNode, LinkNode, type SimulatedFiles } from "./simulated-files.ts";

/** The hand of the test inside the simulated disk: reads, damages and plants, at once and without simulated time. */
export class DiskControl {
  readonly #files: SimulatedFiles;
  readonly #plan: FaultPlan;

  constructor(files: SimulatedFiles, plan: FaultPlan) {
    this.#files = files;
    this.#plan = plan;
  }

  /** The `nth` matching call from now on fails as the fault says. */
  plant(fault: DiskFault): PlantedFault {
    return this.#plan.plant(fault);
  }

  clearFaults(): void {
    this.#plan.clear();
  }

  /** An independent copy of the disk, unsynced state included: for a new simulated host. */
  image(): SimulatedFiles {
    return this.#files.copy();
  }

  /** Paths of all files, sorted. */
  paths(): string[] {
    return this.#files.files().map(({ path }) => path);
  }

  /** A copy of what a read would see now. */
  read(path: string): Buffer {
    const { cache } = this.#file(path);
    return Buffer.from(cache.buffer.subarray(0, cache.size));
  }

  /** A copy of what is surely on the platter. */
  readDurable(path: string): Buffer {
    const { durable } = this.#file(path);
    return Buffer.from(durable.buffer.subarray(0, durable.size));
  }

  /** Puts a file there, whole and durable, entry included; an older one goes. */
  put(path: string, bytes: Uint8Array): void {
    const { directory, name } = this.#files.parent(path, "put");
    const file = new FileNode(this.#files.uid);
    file.durable.write(bytes, 0);
    file.cache.write(bytes, 0);
    directory.entries.set(name, file);
    directory.durable.set(name, file);
  }

  /** Takes a file away, durably. */
  delete(path: string): void {
    const { directory, name } = this.#files.parent(path, "delete");
    directory.entries.delete(name);
    directory.durable.delete(name);
  }

  symlink(path: string, target: string): void {
    const { directory, name } = this.#files.parent(path, "symlink");
    const node = new LinkNode(this.#files.uid, target);
    directory.entries.set(name, node);
    directory.durable.set(name, node);
  }

  /** Overwrites bytes on the platter and in the cache: rot, or a write that was meant for another place. */
  overwrite(path: string, position: number, bytes: Uint8Array): void {
    const file = this.#file(path);
    file.durable.write(bytes, position);
    file.cache.write(bytes, position);
  }

  /** Rot of one bit; bit 0 is the lowest of the first byte. */
  flipBit(path: string, bit: number): void {
    const at = Math.floor(bit / 8);
    const old = this.read(path)[at];
    if (old === undefined) throw new RangeError(`bit ${bit} is past the end of ${path}`);
    this.overwrite(path, at, Uint8Array.of(old ^ (1 << (bit % 8))));
  }

  setAttributes(path: string, attributes: { mode?: number; uid?: number; links?: number }): void {
    const node = this.#files.find(path);
    if (node === undefined) throw new RangeError(`nothing at ${path}`);
    Object.assign(node, attributes);
  }

  /** Bytes the disk can hold; less than what is used means full. */
  set capacity(bytes: number) {
    this.#files.capacity = bytes;
  }

  get capacity(): number {
    return this.#files.capacity;
  }

  get usedBytes(): number {
    return this.#files.usedBytes();
  }

  #file(path: string): FileNode {
    const node = this.#files.find(path);
    if (node?.kind !== "file") throw new RangeError(`no file at ${path}`);
    return node;
  }
}
