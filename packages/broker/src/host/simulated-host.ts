import type { Host, Timer } from "./host.ts";
import { type CrashOptions, losePower, pendingSectors } from "./simulated-crash.ts";
import { type DiskLatency, type DiskWorld, defaultLatency, type InFlight, SimulatedDisk } from "./simulated-disk.ts";
import { DiskControl } from "./simulated-disk-control.ts";
import { FaultPlan } from "./simulated-faults.ts";
import { type Node, SimulatedFiles } from "./simulated-files.ts";
import { History } from "./simulated-history.ts";
import { SimulatedClock, SimulatedQueue, SimulatedTimers, WORLD } from "./simulated-queue.ts";
import { SeededRandom } from "./simulated-random.ts";

export interface SimulatedHostOptions {
  /** 32 bits. The same seed and the same calls give the same history. */
  readonly seed: number;
  /** A disk from `SimulatedHost.disk.image()`; empty without. */
  readonly image?: SimulatedFiles;
  /** Bytes; 1 GiB without. */
  readonly capacityBytes?: number;
  readonly latency?: Partial<DiskLatency>;
  /** Wall-clock milliseconds at the start; the first of January 2026 without. */
  readonly wallStart?: number;
  /** Keep a readable line for each operation: for reading a failing seed. */
  readonly trace?: boolean;
  /** Called after every power loss and kill, also those that a planted fault caused. */
  readonly onStop?: (how: "crash" | "kill") => void;
}

export interface KillOptions {
  /** The kernel drops clean pages before the restart: what a failed sync lost becomes visible as lost. */
  readonly evict?: boolean;
}

/** What `settle` rejects with when a fault stopped the machine under the promise. */
export class MachineStopped extends Error {
  constructor() {
    super("the simulated machine stopped");
    this.name = "MachineStopped";
  }
}

const DRAINS_A_TURN = 4_096;
const START_2026 = 1_767_225_600_000;

/**
 * A machine in memory: disk with unsynced writes, clock, timers and randomness, all from one seed. Nothing happens
 * until it is told to run. `host` is the machine's present life; after `crash` or `kill` take it anew: the old
 * one's callbacks never fire and its calls do nothing.
 */
export class SimulatedHost {
  readonly seed: number;
  readonly disk: DiskControl;
  readonly clock: SimulatedClock;
  /** Rules of the host contract that the code under test broke; a test ends with this empty. */
  readonly violations: string[] = [];
  readonly history: History;
  readonly #queue: SimulatedQueue = new SimulatedQueue();
  readonly #random: SeededRandom;
  readonly #world: DiskWorld;
  readonly #inFlight: Set<InFlight> = new Set();
  readonly #onStop: ((how: "crash" | "kill") => void) | undefined;
  #incarnation = 0;
  #drains = 0;
  #host: Host | undefined;

  constructor(options: SimulatedHostOptions) {
    this.seed = options.seed;
    this.#random = new SeededRandom(options.seed);
    this.history = new History(options.trace === true);
    this.#onStop = options.onStop;
    const files = options.image?.copy() ?? new SimulatedFiles(options.capacityBytes ?? 2 ** 30, 1_000);
    const plan = new FaultPlan();
    this.clock = new SimulatedClock(this.#queue, options.wallStart ?? START_2026);
    this.#world = {
      files,
      queue: this.#queue,
      random: this.#random.fork(),
      plan,
      latency: { ...defaultLatency, ...options.latency },
      locks: new Map<Node, number>(),
      inFlight: this.#inFlight,
      note: (operation, noted) => this.history.note(operation, this.#queue.now, noted),
      violation: (text) => this.violations.push(text),
      stop: (how) => (how === "crash" ? this.crash() : this.kill()),
      isAlive: (owner) => owner === this.#incarnation,
    };
    this.disk = new DiskControl(files, plan);
  }

  /** The machine since its last start. */
  get host(): Host {
    this.#host ??= this.#boot();
    return this.#host;
  }

  /** Counts starts of the machine from 0. */
  get incarnation(): number {
    return this.#incarnation;
  }

  /** Simulated microseconds since the start. */
  get now(): number {
    return this.#queue.now;
  }

  /** Unsynced sectors that a crash now could keep or lose. */
  pendingSectors(size: 512 | 4096): number {
    return pendingSectors(this.#world.files, size);
  }

  /** An event of the world outside (a client, a fault): it survives crashes of the machine. */
  schedule(milliseconds: number, run: () => void): Timer {
    return this.#queue.schedule(WORLD, milliseconds * 1_000, run);
  }

  /** Moves the wall clock; the monotonic clock stays. */
  jumpWallClock(milliseconds: number): void {
    this.clock.wallStart += milliseconds;
  }

  /** Power loss. Operations under way may have reached the disk in part; so may all that was not synced. */
  crash(options: CrashOptions = {}): void {
    this.#settleInFlight(options.sectors);
    losePower(this.#world.files, options, this.#random);
    this.#endIncarnation("crash");
  }

  /** The process dies, the machine stays: what was written stays in the page cache, unsynced. */
  kill(options: KillOptions = {}): void {
    this.#settleInFlight("seeded");
    for (const file of this.#world.files.allFiles(undefined)) {
      if (options.evict === true) file.evict();
      // A new process has a new descriptor, and the kernel reports a failed sync once.
      file.syncFailed = false;
    }
    this.#endIncarnation("kill");
  }

  /** Runs one event; false when there is none. Promises it resolved run at the next `drain`. */
  step(): boolean {
    return this.#queue.step() !== undefined;
  }

  /**
   * Lets everything that waits for a resolved promise run. Node takes the next tick when no such work is left, and a
   * tick costs a fifth of a turn of its loop; now and then it gets a turn all the same.
   */
  drain(): Promise<void> {
    const turn = ++this.#drains % DRAINS_A_TURN === 0;
    return new Promise((resolve) => (turn ? setImmediate(resolve) : process.nextTick(resolve)));
  }

  /** Runs events for so many simulated milliseconds. */
  async run(milliseconds: number): Promise<void> {
    const end = this.#queue.now + Math.round(milliseconds * 1_000);
    await this.drain();
    for (let next = this.#queue.nextAt(); next !== undefined && next <= end; next = this.#queue.nextAt()) {
      this.step();
      await this.drain();
    }
    this.#queue.advanceTo(end);
  }

  /** Runs until nothing is left to happen; false when it still goes on after `limitMs` simulated milliseconds. */
  async runUntilIdle(limitMs: number = 60_000): Promise<boolean> {
    const end = this.#queue.now + limitMs * 1_000;
    await this.drain();
    for (let next = this.#queue.nextAt(); next !== undefined; next = this.#queue.nextAt()) {
      if (next > end) return false;
      this.step();
      await this.drain();
    }
    return true;
  }

  /** Runs until `condition` holds; false when it does not within `limitMs` simulated milliseconds. */
  async runUntil(condition: () => boolean, limitMs: number = 60_000): Promise<boolean> {
    const end = this.#queue.now + limitMs * 1_000;
    await this.drain();
    while (!condition()) {
      const next = this.#queue.nextAt();
      if (next === undefined || next > end) return false;
      this.step();
      await this.drain();
    }
    return true;
  }

  /**
   * Runs until `promise` settles and passes on what it holds. Rejects with `MachineStopped` when the machine stopped
   * first, and with an error when nothing is left that could settle it.
   */
  async settle<T>(promise: Promise<T>, limitMs: number = 3_600_000): Promise<T> {
    const life = this.#incarnation;
    let settled = false;
    const finish = (): void => {
      settled = true;
    };
    promise.then(finish, finish);
    const over = (): boolean => settled || this.#incarnation !== life;
    if (!(await this.runUntil(over, limitMs))) throw new Error("the promise is pending and nothing can settle it");
    if (!settled) throw new MachineStopped();
    return promise;
  }

  #settleInFlight(sectors: CrashOptions["sectors"]): void {
    const under = [...this.#inFlight];
    this.#inFlight.clear();
    for (const flight of under) {
      const choice = sectors === "none" ? "none" : sectors === "all" ? "all" : undefined;
      flight.settle(choice ?? this.#random.pick(["none", "part", "all"] as const));
    }
  }

  #endIncarnation(how: "crash" | "kill"): void {
    this.history.note(how, this.#queue.now, { who: this.#incarnation, detail: 0 });
    this.#queue.cancelAll(this.#incarnation);
    this.#world.locks.clear();
    this.#incarnation++;
    this.#host = undefined;
    this.#onStop?.(how);
  }

  #boot(): Host {
    const owner = this.#incarnation;
    const random = this.#random.fork();
    const alive = (): boolean => this.#incarnation === owner;
    return {
      disk: new SimulatedDisk(this.#world, owner),
      clock: this.clock,
      timers: new SimulatedTimers(this.#queue, this.#random.fork(), owner, alive),
      random: { bytes: (length) => random.bytes(length) },
    };
  }
}

export function simulatedHost(options: SimulatedHostOptions): SimulatedHost {
  return new SimulatedHost(options);
}
