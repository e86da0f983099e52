import type { MessError, MqttClient, MqttPublishOptions } from "@mess/client";
import type { Histogram } from "./histogram.ts";
import { Stamper, stampedPayload } from "./stamp.ts";

export interface PublisherPlan {
  readonly runId: number;
  readonly publisher: number;
  readonly topics: readonly string[];
  readonly size: number;
  readonly qos: 0 | 1 | 2;
  /** Unacknowledged messages in a closed loop. */
  readonly window: number;
  /** Messages a second of this publisher; undefined is the closed loop. */
  readonly rate: number | undefined;
  /** When to begin and to stop, milliseconds of the monotonic clock. */
  readonly startAt: number;
  readonly stopAt: number;
}

/** Messages sent in one go before acknowledgements and other publishers get their turn. */
const burstMax = 256;

/** One connection that publishes. In a closed loop latency counts from sending, on a clock from when it was due. */
export class BenchPublisher {
  readonly #client: MqttClient;
  readonly #plan: PublisherPlan;
  readonly #latency: Histogram;
  readonly #stamper: Stamper;
  readonly #options: MqttPublishOptions;
  sent = 0;
  acknowledged = 0;
  failed = 0;
  firstError: MessError | undefined;
  #open = 0;
  #stopped = false;
  #scheduled = false;
  #finish: () => void = () => undefined;

  constructor(client: MqttClient, plan: PublisherPlan, latency: Histogram) {
    this.#client = client;
    this.#plan = plan;
    this.#latency = latency;
    const { size, runId, publisher } = plan;
    this.#stamper = new Stamper(stampedPayload(size, { runId, publisher, sequence: 0, due: 0 }));
    this.#options = { qos: plan.qos, timeout: 600_000 };
  }

  /** Resolves when the time is over and every message is acknowledged (or has failed). */
  run(): Promise<void> {
    return new Promise((resolve) => {
      this.#finish = resolve;
      this.#pump();
    });
  }

  stop(): void {
    this.#stopped = true;
    this.#schedule();
  }

  #pump(): void {
    const now = performance.now();
    const { rate, startAt, stopAt, window } = this.#plan;
    const over = this.#stopped || now >= stopAt || this.firstError !== undefined;
    if (over) {
      this.#stopped = true;
      if (this.#open === 0) this.#finish();
      return;
    }
    if (rate === undefined) {
      for (let burst = 0; this.#open < window && burst < burstMax; burst += 1) this.#send(performance.now());
      // A full window goes on with the next acknowledgement.
      if (this.#open < window) this.#schedule();
      return;
    }
    const due = Math.floor(((now - startAt) * rate) / 1000) + 1;
    // However late we are, each message keeps the time it was due at: a stall shows as latency [coordinated omission].
    for (let burst = 0; this.sent < due && burst < burstMax; burst += 1)
      this.#send(startAt + (this.sent * 1000) / rate);
    if (this.sent < due) this.#schedule();
    else setTimeout(() => this.#pump(), Math.max(0, startAt + (this.sent * 1000) / rate - performance.now()));
  }

  #send(due: number): void {
    const { topics } = this.#plan;
    const payload = this.#stamper.next(this.sent, due);
    const topic = topics[this.sent % topics.length] ?? "";
    this.sent += 1;
    this.#open += 1;
    this.#client.publishThen(topic, payload, this.#options, (error) => this.#settled(error, due));
  }

  #settled(error: MessError | undefined, due: number): void {
    this.#open -= 1;
    if (error === undefined) {
      this.acknowledged += 1;
      this.#latency.record((performance.now() - due) * 1000);
    } else {
      this.failed += 1;
      this.firstError ??= error;
    }
    if (this.#plan.rate === undefined || this.#stopped || this.firstError !== undefined) this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#pump();
    });
  }
}
