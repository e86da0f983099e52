import type { Host } from "../../packages/broker/src/host/host.ts";
import type { SimulatedHost } from "../../packages/broker/src/host/simulated-host.ts";
import { SeededRandom } from "../../packages/broker/src/host/simulated-random.ts";
import { Auditor } from "./auditor.ts";
import { type ClientWorld, SimulatedClient } from "./client.ts";
import { Violation } from "./facts.ts";
import type { Ledger } from "./ledger.ts";
import { Machine } from "./machine.ts";
import { debts } from "./obligations.ts";
import type { Operation, Plan } from "./operations.ts";
import type { StartSystem } from "./system-under-test.ts";

export interface RunOptions {
  readonly start: StartSystem;
  /** Test-only: a planted bug between the broker and its host. */
  readonly wrap?: (host: Host, sim: SimulatedHost) => Host;
  readonly beforeStart?: (sim: SimulatedHost) => void;
  /** How many of the last lines of what happened to keep. */
  readonly trace?: number;
}

export interface RunResult {
  /** The last lines of what happened; empty without `trace`. */
  readonly trace: readonly string[];
  readonly violation: Violation | undefined;
  /** Of everything the disk did and the clients got. */
  readonly hash: string;
  readonly published: number;
  readonly acked: number;
  readonly delivered: number;
  readonly stops: number;
  readonly simulatedMs: number;
}

/** Everything acked arrives within this many simulated milliseconds once the faults are over. */
const LIVENESS_MS = 10_000;

/** One run: the operations of a plan against the real broker, then peace, then one last power cut. */
export class Run {
  readonly #plan: Plan;
  readonly #machine: Machine;
  readonly #sim: SimulatedHost;
  readonly #ledger: Ledger;
  readonly #clients: SimulatedClient[];
  readonly #world: ClientWorld;
  readonly #trace: string[] = [];

  constructor(plan: Plan, options: RunOptions) {
    const random = new SeededRandom(plan.seed ^ 0x5eed);
    this.#plan = plan;
    this.#machine = new Machine({
      seed: plan.seed,
      random: random.fork(),
      start: options.start,
      system: { segmentBytes: plan.segmentBytes },
      wrap: options.wrap ?? ((host) => host),
      beforeStart: options.beforeStart ?? (() => undefined),
    });
    this.#sim = this.#machine.sim;
    this.#ledger = this.#machine.ledger;
    const keep = options.trace ?? 0;
    if (keep > 0) {
      this.#ledger.trace = (line) => {
        if (this.#trace.push(line) > 2 * keep) this.#trace.splice(0, keep);
      };
    }
    const dial: ClientWorld["dial"] = (address, client) => this.#machine.dial(address, client);
    this.#world = { sim: this.#sim, ledger: this.#ledger, random: random.fork(), dial };
    this.#clients = plan.clients.map((client) => new SimulatedClient(client, this.#world));
  }

  async result(): Promise<RunResult> {
    let violation: Violation | undefined;
    const lost = (error: unknown): void => {
      violation ??= asViolation(error);
    };
    process.on("unhandledRejection", lost);
    try {
      await this.#phases();
    } catch (error) {
      lost(error);
    } finally {
      process.off("unhandledRejection", lost);
    }
    const { messages, sessions, stops } = this.#ledger;
    let delivered = 0;
    for (const session of sessions) {
      for (const delivery of session.deliveries) {
        delivered++;
        this.#sim.history.note("delivered", delivery.at, { who: session.client, detail: delivery.message.index });
      }
    }
    return {
      trace: this.#trace,
      violation,
      hash: this.#sim.history.hash(),
      published: messages.length,
      acked: messages.filter(({ outcome, qos }) => outcome === "acked" && qos > 0).length,
      delivered,
      stops: stops.length,
      simulatedMs: Math.round(this.#sim.now / 1_000),
    };
  }

  async #phases(): Promise<void> {
    this.#machine.start();
    await this.#until(() => this.#machine.isUp, 5_000, "the broker did not start");
    await this.#withFaults();
    await this.#inPeace();
    await this.#afterPowerCut();
    const [broken] = this.#sim.violations;
    if (broken !== undefined) throw new Violation("host contract", broken);
  }

  /** Phase A: everything may fail; nothing may be wrong. */
  async #withFaults(): Promise<void> {
    let over = false;
    const { operations } = this.#plan;
    const next = (index: number): void => {
      const operation = operations[index];
      if (operation === undefined) {
        over = true;
        return;
      }
      this.#sim.schedule(operation.after / 1_000, () => {
        this.#perform(operation);
        next(index + 1);
      });
    };
    next(0);
    await this.#until(() => over, 3_600_000, "the operations did not end");
    await this.#pump(() => false, 50);
  }

  /** Phase B: no faults; everything that was acked arrives, nothing stays under way. */
  async #inPeace(): Promise<void> {
    this.#machine.heal();
    await this.#until(() => this.#machine.isUp, LIVENESS_MS, "the broker did not come up again");
    await this.#settleDebts();
    await new Auditor(this.#world, 1).audit((done) => this.#until(done, LIVENESS_MS, "retained messages are missing"));
  }

  /** Phase C: all acks are durable by now, so a power cut changes nothing. */
  async #afterPowerCut(): Promise<void> {
    await this.#pump(() => false, 400);
    const { length } = this.#ledger.messages;
    this.#sim.crash();
    await this.#until(() => this.#machine.isUp, LIVENESS_MS, "the broker did not come up after the last power cut");
    await this.#settleDebts();
    await new Auditor(this.#world, 2).audit((done) => this.#until(done, LIVENESS_MS, "retained messages are missing"));
    await this.#pump(() => false, 200);
    if (this.#ledger.messages.length > length) throw new Error("a message was published after the operations ended");
  }

  async #settleDebts(): Promise<void> {
    for (const client of this.#clients) client.comeBack();
    let look = 0;
    const quiet = (): boolean => {
      if (!this.#machine.isUp || this.#clients.some((client) => !client.isUp || client.outgoing.size > 0)) return false;
      if (this.#sim.now < look) return false;
      look = this.#sim.now + 50_000;
      return debts(this.#ledger).length === 0;
    };
    if (await this.#pump(quiet, LIVENESS_MS)) return;
    const [debt] = debts(this.#ledger);
    if (debt !== undefined) {
      const { message } = debt;
      throw new Violation(
        "acked message lost",
        `m${message.index} on ${message.topic}, QoS ${message.qos}, owed to ${debt.to}`,
      );
    }
    const down = this.#clients.filter((client) => !client.isUp).map(({ plan }) => plan.index);
    const waiting = this.#clients.filter(({ outgoing }) => outgoing.size > 0).map(({ plan }) => plan.index);
    throw new Violation(
      "liveness",
      `clients not connected: [${down.join()}]; with unanswered publishes: [${waiting.join()}]`,
    );
  }

  async #until(condition: () => boolean, limitMs: number, otherwise: string): Promise<void> {
    if (!(await this.#pump(condition, limitMs))) throw new Violation("liveness", otherwise);
  }

  /** Runs events until `condition` holds; false when the time is over first. */
  async #pump(condition: () => boolean, limitMs: number): Promise<boolean> {
    const met = await this.#sim.runUntil(() => {
      const { violation } = this.#machine;
      if (violation !== undefined) throw violation;
      return condition();
    }, limitMs);
    return met;
  }

  #perform(operation: Operation): void {
    const machine = this.#machine;
    this.#ledger.note(() => `operation ${JSON.stringify(operation)}`);
    if ("client" in operation) return perform(this.#clients[operation.client] as SimulatedClient, operation, this.#sim);
    switch (operation.kind) {
      case "crash":
        return machine.isUp ? this.#sim.crash() : undefined;
      case "kill":
        return machine.isUp ? this.#sim.kill() : undefined;
      case "restart":
        return machine.restart();
      case "stopAt":
        return machine.plantStop(operation.nth, operation.how, operation.when);
      case "diskError":
        return machine.plantDiskError({
          operation: operation.operation,
          nth: operation.nth,
          effect: { kind: "error", code: operation.code, persisted: operation.persisted },
        });
      case "slowSync":
        return machine.plantSlowSync(operation.milliseconds);
      case "diskFull":
        return machine.fillDisk(operation.milliseconds, operation.spare);
      case "jump":
        if (operation.milliseconds === 0) return;
        this.#ledger.jumps.push(this.#sim.now);
        this.#sim.jumpWallClock(operation.milliseconds);
    }
  }
}

type ClientOperation = Extract<Operation, { client: number }>;

function perform(client: SimulatedClient, operation: ClientOperation, sim: SimulatedHost): void {
  switch (operation.kind) {
    case "connect":
      return client.connect(operation.wish);
    case "disconnect":
      return client.disconnect();
    case "cut":
      return client.cut();
    case "vanish":
      return client.vanish();
    case "publish":
      return client.publish(operation);
    case "subscribe":
      return client.subscribe(operation.filter, operation.qos, operation.noLocal);
    case "unsubscribe":
      return client.unsubscribe(operation.filter);
    case "withhold":
      client.withholdUntil = sim.now + operation.milliseconds * 1_000;
      return;
    case "stall": {
      const pipe = client.link?.pipe;
      pipe?.setReading(false);
      if (pipe !== undefined) sim.schedule(operation.milliseconds, () => pipe.setReading(true));
    }
  }
}

function asViolation(error: unknown): Violation {
  if (error instanceof Violation) return error;
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  return new Violation("exception", text);
}
