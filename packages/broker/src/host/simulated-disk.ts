import type { DirectoryLock, Disk, DiskDone, DiskFile, DiskStat } from "./host.ts";
import type { DiskOperation, FaultEffect, FaultPlan, Persisted } from "./simulated-faults.ts";
import { DirectoryNode, FileNode, type Node, SimulatedDiskError, type SimulatedFiles } from "./simulated-files.ts";
import type { Noted } from "./simulated-history.ts";
import type { SimulatedQueue } from "./simulated-queue.ts";
import type { SeededRandom } from "./simulated-random.ts";

/** How long each operation takes, microseconds: a random number between the two. */
export interface DiskLatency {
  readonly write: readonly [number, number];
  readonly read: readonly [number, number];
  readonly datasync: readonly [number, number];
  readonly entry: readonly [number, number];
}

export const defaultLatency: DiskLatency = {
  write: [10, 60],
  read: [10, 60],
  datasync: [150, 1_500],
  entry: [10, 100],
};

/** What one incarnation of the machine shares with its disk. */
export interface DiskWorld {
  readonly files: SimulatedFiles;
  readonly queue: SimulatedQueue;
  readonly random: SeededRandom;
  readonly plan: FaultPlan;
  readonly latency: DiskLatency;
  /** Incarnation that holds the lock of a directory. */
  readonly locks: Map<Node, number>;
  /** Operations under way, in the order they were asked for. */
  readonly inFlight: Set<InFlight>;
  /** Folds an operation into the history. */
  note(operation: DiskOperation | "done", noted: Noted): void;
  /** A rule of the host contract was broken by the code under test. */
  violation(text: string): void;
  stop(how: "crash" | "kill"): void;
  isAlive(owner: number): boolean;
}

/** An operation that was asked for and has not been reported. */
export interface InFlight {
  /** Lets it take place, wholly or in part; what it would have returned is lost. */
  settle(persisted: Persisted): void;
}

interface Request<T> {
  readonly operation: DiskOperation;
  readonly path: string;
  /** The file as it is called now, when it was opened under another name. */
  readonly node?: FileNode;
  readonly detail: number;
  readonly bytes?: Uint8Array;
  /** Does the work, or throws a `SimulatedDiskError`. */
  perform(effect: FaultEffect | undefined): T;
  /** Does a part of the work; nothing when there are no parts. */
  performPart?(): void;
  done(error: SimulatedDiskError | undefined, value: T | undefined): void;
}

function latencyOf(operation: DiskOperation, latency: DiskLatency): readonly [number, number] {
  if (operation === "write" || operation === "read") return latency[operation];
  if (operation === "datasync" || operation === "syncDirectory") return latency.datasync;
  return latency.entry;
}

/** The disk as one incarnation of the machine sees it. A dead incarnation's calls do nothing and report nothing. */
export class SimulatedDisk implements Disk {
  readonly #world: DiskWorld;
  readonly #owner: number;

  constructor(world: DiskWorld, owner: number) {
    this.#world = world;
    this.#owner = owner;
  }

  open(path: string, how: "read" | "readwrite" | "create"): Promise<DiskFile> {
    const { files } = this.#world;
    return this.#promise(how === "create" ? "create" : "open", path, () => {
      if (how === "create") {
        const { directory, name } = files.parent(path, "open");
        if (directory.entries.has(name)) throw new SimulatedDiskError("EEXIST", "open", path);
        const created = new FileNode(files.uid);
        files.link(directory, name, created);
        return new SimulatedFile(this, created, path, true);
      }
      const node = files.find(path);
      if (node === undefined) throw new SimulatedDiskError("ENOENT", "open", path);
      if (node.kind === "directory") throw new SimulatedDiskError("EISDIR", "open", path);
      if (node.kind === "symlink") throw new SimulatedDiskError("ELOOP", "open", path);
      return new SimulatedFile(this, node, path, how === "readwrite");
    });
  }

  stat(path: string): Promise<DiskStat | undefined> {
    const { files } = this.#world;
    return this.#promise("stat", path, () => {
      const node = files.find(path);
      return node === undefined ? undefined : files.stat(node);
    });
  }

  list(path: string): Promise<string[]> {
    const { files } = this.#world;
    // Directory order is the file system's own; a seeded one finds code that relies on sorting.
    return this.#promise("list", path, () =>
      this.#world.random.shuffle([...files.directory(path, "list").entries.keys()]),
    );
  }

  makeDirectory(path: string): Promise<void> {
    const { files } = this.#world;
    return this.#promise("makeDirectory", path, () => {
      const { directory, name } = files.parent(path, "mkdir");
      if (directory.entries.has(name)) throw new SimulatedDiskError("EEXIST", "mkdir", path);
      files.link(directory, name, new DirectoryNode(files.uid));
    });
  }

  rename(from: string, to: string): Promise<void> {
    return this.#promise("rename", from, () => this.#world.files.rename(from, to));
  }

  remove(path: string): Promise<void> {
    const { files } = this.#world;
    return this.#promise("remove", path, () => {
      const { directory, name } = files.parent(path, "unlink");
      const node = directory.entries.get(name);
      if (node === undefined) throw new SimulatedDiskError("ENOENT", "unlink", path);
      if (node.kind === "directory") throw new SimulatedDiskError("EISDIR", "unlink", path);
      files.unlink(directory, name);
    });
  }

  syncDirectory(path: string): Promise<void> {
    const { files } = this.#world;
    // Only what was done before the call is promised.
    const order = files.lastOrder;
    return this.#promise("syncDirectory", path, (effect) => {
      const directory = files.directory(path, "fsync");
      if (effect?.kind !== "pretend") files.syncDirectory(directory, order);
    });
  }

  freeBytes(path: string): Promise<number> {
    const { files } = this.#world;
    return this.#promise("freeBytes", path, () => {
      files.directory(path, "statfs");
      return Math.max(0, files.capacity - files.usedBytes());
    });
  }

  lock(path: string): Promise<DirectoryLock> {
    const { files, locks } = this.#world;
    return this.#promise("lock", path, () => {
      const directory = files.directory(path, "lock");
      const holder = locks.get(directory);
      if (holder !== undefined) throw new SimulatedDiskError("EBUSY", "lock", path);
      locks.set(directory, this.#owner);
      return {
        release: async (): Promise<void> => {
          if (locks.get(directory) === this.#owner) locks.delete(directory);
        },
      };
    });
  }

  get userId(): number {
    return this.#world.files.uid;
  }

  get owner(): number {
    return this.#owner;
  }

  get world(): DiskWorld {
    return this.#world;
  }

  /** Queues an operation; faults, latency, crash and history are the same for all of them. */
  submit<T>(request: Request<T>): void {
    const world = this.#world;
    if (!world.isAlive(this.#owner)) return;
    world.note(request.operation, { who: this.#owner, detail: request.detail, bytes: request.bytes });
    const name = (): string => (request.node && world.files.pathOf(request.node)) ?? request.path;
    const effect = world.plan.meet(request.operation, name);
    if (effect?.kind === "stop" && effect.when === "before") {
      // At the next turn and not inside the caller, as a signal would.
      world.queue.schedule(this.#owner, 0, () => world.stop(effect.how));
      return;
    }
    const [low, high] = latencyOf(request.operation, world.latency);
    const extra = effect?.kind === "delay" ? effect.milliseconds * 1_000 : 0;
    const flight: InFlight = {
      settle: (persisted) => {
        try {
          if (persisted === "all") request.perform(effect);
          if (persisted === "part") request.performPart?.();
        } catch (error) {
          if (!(error instanceof SimulatedDiskError)) throw error;
        }
      },
    };
    world.inFlight.add(flight);
    world.queue.schedule(this.#owner, world.random.between(low, high) + extra, () => {
      world.inFlight.delete(flight);
      this.#complete(request, effect, flight);
    });
  }

  #complete<T>(request: Request<T>, effect: FaultEffect | undefined, flight: InFlight): void {
    const world = this.#world;
    world.note("done", { who: this.#owner, detail: request.detail });
    if (effect?.kind === "stop") {
      flight.settle("all");
      return world.stop(effect.how);
    }
    if (effect?.kind === "error") {
      flight.settle(effect.persisted);
      return request.done(new SimulatedDiskError(effect.code, request.operation, request.path), undefined);
    }
    let value: T;
    try {
      value = request.perform(effect);
    } catch (error) {
      if (!(error instanceof SimulatedDiskError)) throw error;
      return request.done(error, undefined);
    }
    request.done(undefined, value);
  }

  #promise<T>(operation: DiskOperation, path: string, perform: (effect: FaultEffect | undefined) => T): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const done = (error: SimulatedDiskError | undefined, value: T | undefined): void => {
        if (error === undefined) resolve(value as T);
        else reject(error);
      };
      this.submit({ operation, path, detail: path.length, perform, done });
    });
  }
}

class SimulatedFile implements DiskFile {
  readonly #disk: SimulatedDisk;
  readonly #node: FileNode;
  readonly #path: string;
  readonly #writable: boolean;
  #underWay = 0;
  #closed = false;

  constructor(disk: SimulatedDisk, node: FileNode, path: string, writable: boolean) {
    this.#disk = disk;
    this.#node = node;
    this.#path = path;
    this.#writable = writable;
  }

  writeAt(bytes: Uint8Array, position: number, done: DiskDone<void>): void {
    const { files, random } = this.#disk.world;
    const node = this.#node;
    // The caller may not touch the bytes before `done`; the copy shows whether it did.
    const copy = Buffer.from(bytes);
    const store = (data: Buffer, at: number): void => {
      if (data.length === 0) return;
      node.cache.write(data, at);
      node.pending.push({ order: files.nextOrder(), position: at, bytes: data });
    };
    this.#submit<void>({
      operation: "write",
      detail: position,
      bytes: copy,
      perform: (effect) => {
        if (!this.#writable) throw new SimulatedDiskError("EBADF", "write", this.#path);
        if (Buffer.compare(copy, bytes) !== 0) this.#violation("a buffer changed while it was being written");
        const end = position + copy.length;
        if (end > node.cache.size && files.usedBytes() + end - node.cache.size > files.capacity) {
          store(copy.subarray(0, random.below(copy.length)), position);
          throw new SimulatedDiskError("ENOSPC", "write", this.#path);
        }
        if (effect?.kind === "flip") flipBit(copy, effect.bit);
        store(copy, effect?.kind === "misdirect" ? Math.max(0, position + effect.by) : position);
      },
      performPart: () => store(copy.subarray(0, random.below(copy.length)), position),
      done,
    });
  }

  readAt(into: Uint8Array, position: number, done: DiskDone<number>): void {
    const node = this.#node;
    this.#submit<number>({
      operation: "read",
      detail: position,
      perform: (effect) => {
        const end = Math.min(node.cache.size, position + into.length);
        if (end <= position) return 0;
        into.set(node.cache.buffer.subarray(position, end));
        if (effect?.kind === "flip") flipBit(into.subarray(0, end - position), effect.bit);
        return end - position;
      },
      done: (error, value) => done(error, value ?? 0),
    });
  }

  datasync(done: DiskDone<void>): void {
    const { files, random } = this.#disk.world;
    const node = this.#node;
    const order = files.lastOrder;
    const half = (): void => {
      node.syncFailed = true;
      node.sync(order, (write) => {
        const kept = random.below(3);
        if (kept === 0) return undefined;
        return kept === 1 ? write.bytes : write.bytes.subarray(0, random.below(write.bytes.length + 1));
      });
    };
    if (node.syncFailed && this.#disk.world.isAlive(this.#disk.owner)) {
      this.#violation("a sync after a failed sync of the same file");
    }
    this.#submit<void>({
      operation: "datasync",
      detail: node.pending.length,
      perform: (effect) => {
        if (effect?.kind === "pretend") return;
        if (effect?.kind === "error") node.syncFailed = true;
        node.sync(order, (write) => write.bytes);
      },
      performPart: half,
      done: (error) => {
        if (error !== undefined && !node.syncFailed) {
          // Linux marks the pages clean after a failed sync: reads still show them, no later sync writes them.
          node.syncFailed = true;
          node.sync(order, () => undefined);
        }
        done(error, undefined);
      },
    });
  }

  close(): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#underWay > 0) this.#violation("a file was closed while an operation on it was under way");
      this.#submit<void>({
        operation: "close",
        detail: 0,
        perform: () => {
          this.#closed = true;
        },
        done: (error) => (error === undefined ? resolve() : reject(error)),
      });
    });
  }

  #submit<T>(request: Omit<Request<T>, "path" | "node">): void {
    if (this.#closed) this.#violation(`${request.operation} on a closed file`);
    this.#underWay++;
    const done: Request<T>["done"] = (error, value) => {
      this.#underWay--;
      request.done(error, value);
    };
    this.#disk.submit<T>({ ...request, path: this.#path, node: this.#node, done });
  }

  #violation(text: string): void {
    this.#disk.world.violation(`${text}: ${this.#path}`);
  }
}

/** Bit 0 is the lowest bit of the first byte; counted modulo the length. */
function flipBit(bytes: Uint8Array, bit: number): void {
  const at = Math.floor(bit / 8) % bytes.length;
  bytes[at] = (bytes[at] ?? 0) ^ (1 << (bit % 8));
}
