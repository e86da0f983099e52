import type { Host } from "../../packages/broker/src/host/host.ts";
import type { DiskFault, PlantedFault } from "../../packages/broker/src/host/simulated-faults.ts";
import { type SimulatedHost, simulatedHost } from "../../packages/broker/src/host/simulated-host.ts";
import type { SeededRandom } from "../../packages/broker/src/host/simulated-random.ts";
import { Violation } from "./facts.ts";
import { Ledger } from "./ledger.ts";
import { Pipe, type PipeClient } from "./pipe.ts";
import type { Running, StartSystem, SystemOptions } from "./system-under-test.ts";

export interface MachineOptions {
  readonly seed: number;
  readonly random: SeededRandom;
  readonly start: StartSystem;
  readonly system: SystemOptions;
  /** Test-only: the host as a planted bug lets the broker see it. */
  readonly wrap: (host: Host, sim: SimulatedHost) => Host;
  /** Called between a stop and the next start: for planted bugs in recovery. */
  readonly beforeStart: (sim: SimulatedHost) => void;
}

const ROOMY = 2 ** 30;

/** The computer with the broker on it: starts it, stops it, starts it again, and knows all its connections. */
export class Machine {
  readonly sim: SimulatedHost;
  readonly ledger: Ledger;
  readonly #options: MachineOptions;
  readonly #pipes: Set<Pipe> = new Set();
  #running: Running | undefined;
  #failures = 0;
  #planted: PlantedFault[] = [];
  #fullUntil = 0;
  readonly #troubles: { end(): void }[] = [];
  /** Each is asked at every stop whether it is over. */
  #atStop: (() => boolean)[] = [];
  /** What an event of the machine threw, kept for the loop that runs the events. */
  violation: Violation | undefined;

  constructor(options: MachineOptions) {
    this.#options = options;
    this.sim = simulatedHost({ seed: options.seed, capacityBytes: ROOMY, onStop: (how) => this.#stopped(how) });
    this.ledger = new Ledger(() => this.sim.now);
  }

  get isUp(): boolean {
    return this.#running !== undefined;
  }

  start(): void {
    const { start, system, wrap, beforeStart } = this.#options;
    const life = this.sim.incarnation;
    beforeStart(this.sim);
    this.ledger.note(() => `machine ${life} starts`);
    const events = { failed: (): void => this.#failed(life) };
    start(wrap(this.sim.host, this.sim), events, system).then(
      (running) => {
        if (this.sim.incarnation !== life) return;
        this.ledger.note(() => `machine ${life} is up`);
        this.#running = running;
        this.#failures = 0;
      },
      (error: unknown) => {
        if (this.sim.incarnation === life) this.#refused(error);
      },
    );
  }

  dial(address: string, client: PipeClient): Pipe | undefined {
    if (this.#running === undefined) return undefined;
    const pipe = new Pipe(this.sim, this.#options.random.fork(), address, client);
    this.#pipes.add(pipe);
    pipe.attach(this.#running.accept(pipe));
    return pipe;
  }

  /** SIGTERM: drains, exits, and is started again. */
  restart(): void {
    const running = this.#running;
    if (running === undefined) return;
    const life = this.sim.incarnation;
    this.#running = undefined;
    const exit = (): void => {
      if (this.sim.incarnation === life) this.sim.kill();
    };
    running.close().then(exit, exit);
    // A drain that does not end is cut short by whoever sent the signal.
    this.sim.schedule(5_000, exit);
  }

  /** A fault of the disk that waits for its call. Until it has been met nothing is promised about late acks. */
  plantDiskError(fault: Omit<DiskFault, "onHit">): void {
    const trouble = this.ledger.beginTrouble();
    let life = -1;
    const onHit = (): void => {
      life = this.sim.incarnation;
    };
    this.#planted.push(this.sim.disk.plant({ ...fault, onHit }));
    // Met, it troubles the life that met it; until then every life to come.
    this.#atStop.push(() => {
      if (life < 0) return false;
      trouble.end();
      return true;
    });
    this.#troubles.push(trouble);
  }

  /** One sync takes long, whenever it comes. */
  plantSlowSync(milliseconds: number): void {
    const trouble = this.ledger.beginTrouble();
    this.#troubles.push(trouble);
    const onHit = (): void => void this.sim.schedule(milliseconds + 100, () => trouble.end());
    this.sim.disk.plant({ operation: "datasync", nth: 1, effect: { kind: "delay", milliseconds }, onHit });
  }

  /** The machine stops at a disk operation to come. */
  plantStop(nth: number, how: "crash" | "kill", when: "before" | "after"): void {
    this.sim.disk.plant({ operation: "change", nth, effect: { kind: "stop", how, when } });
  }

  fillDisk(milliseconds: number, spare: number): void {
    const { disk } = this.sim;
    disk.capacity = disk.usedBytes + spare;
    this.#fullUntil = this.sim.now + milliseconds * 1_000;
    const trouble = this.ledger.beginTrouble();
    this.#troubles.push(trouble);
    this.sim.schedule(milliseconds + 1_000, () => trouble.end());
    this.sim.schedule(milliseconds, () => {
      if (this.sim.now >= this.#fullUntil) disk.capacity = ROOMY;
    });
  }

  /** No more faults; the machine is or comes up. */
  heal(): void {
    this.sim.disk.clearFaults();
    this.sim.disk.capacity = ROOMY;
    this.#planted = [];
    this.#fullUntil = 0;
    for (const trouble of this.#troubles.splice(0)) trouble.end();
    this.#atStop = [];
  }

  /** The process ends by itself after its storage failed. */
  #failed(life: number): void {
    this.ledger.note(() => `machine ${life}: storage failed`);
    const trouble = this.ledger.beginTrouble();
    this.#troubles.push(trouble);
    this.#atStop.push(() => {
      trouble.end();
      return true;
    });
    this.sim.schedule(this.#options.random.between(1, 30), () => {
      if (this.sim.incarnation !== life) return;
      if (this.#options.random.chance(0.5)) this.sim.crash();
      else this.sim.kill({ evict: this.#options.random.chance(0.5) });
    });
  }

  #refused(error: unknown): void {
    const text = error instanceof Error ? error.message : String(error);
    this.ledger.note(() => `the broker does not start: ${text}`);
    // A start may fail while the disk does. It is tried again on a healthy one, and then it has to succeed.
    if (!this.ledger.isTroubled || ++this.#failures > 3) {
      this.violation ??= new Violation("start", text);
      return;
    }
    this.heal();
    this.sim.kill();
  }

  #stopped(how: "crash" | "kill"): void {
    this.#running = undefined;
    this.ledger.note(() => `the machine stops: ${how}`);
    this.ledger.stopped();
    this.#planted = this.#planted.filter(({ hits }) => hits === 0);
    this.#atStop = this.#atStop.filter((over) => !over());
    for (const pipe of this.#pipes) pipe.machineStopped(how);
    this.#pipes.clear();
    const life = this.sim.incarnation;
    this.sim.schedule(this.#options.random.between(1, 40), () => {
      if (this.sim.incarnation === life) this.start();
    });
  }
}
