import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { connectMqtt, type MqttClient, type MqttConnectOptions } from "@mess/client";
import { Histogram } from "../bench/histogram.ts";
import { BenchPublisher } from "../bench/publisher.ts";
import { type BenchResult, formatResult, latencyResult } from "../bench/result.ts";
import { stampBytes } from "../bench/stamp.ts";
import { BenchSubscriber } from "../bench/subscriber.ts";
import { CliError, usageError } from "../cli-error.ts";
import type { BenchOptions } from "../commands/bench.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { resolveTarget } from "../target/target.ts";
import { note, print, printJson } from "../terminal/print.ts";
import { ProgressBar } from "../terminal/progress-bar.ts";
import { connectOptions } from "./with-client.ts";

/** Connections opened at the same time: servers limit how many an address may open a second. */
const connectingMax = 16;

export async function bench(io: Io, options: BenchOptions): Promise<void> {
  if (options.size < stampBytes)
    throw usageError(`--size must be at least ${stampBytes}: a message carries its number and time`);
  if (options.subscribers * options.publishers > 1_000_000)
    throw usageError("--publishers times --subscribers is more than a million");
  const interrupted = io.watchSignals();
  const target = await resolveTarget(options, io);
  const open = (more: MqttConnectOptions): Promise<MqttClient> =>
    connectMqtt(target.url, {
      ...connectOptions(target),
      keepAlive: 0,
      waitingMax: 100_000,
      ...more,
      signal: interrupted,
    });
  const run = new Run(options, open, interrupted);
  try {
    await run.connect();
    const result = await run.measure(new ProgressBar(io.stderr, "bench"));
    await (options.json === true ? printJson(io, result) : print(io, formatResult(result)));
    if (run.firstError !== undefined) throw run.firstError;
  } catch (error) {
    interrupted.throwIfAborted();
    throw error;
  } finally {
    run.close();
  }
  if (interrupted.aborted) note(io, "stopped early");
  interrupted.throwIfAborted();
}

class Run {
  readonly #options: BenchOptions;
  readonly #open: (more: MqttConnectOptions) => Promise<MqttClient>;
  readonly #interrupted: AbortSignal;
  readonly #runId = randomBytes(4).readUInt32BE();
  readonly #acknowledgement = new Histogram();
  readonly #delivery = new Histogram();
  readonly #clients: MqttClient[] = [];
  readonly #subscribers: BenchSubscriber[] = [];
  readonly #publisherClients: MqttClient[] = [];
  #publishers: readonly BenchPublisher[] = [];

  constructor(
    options: BenchOptions,
    open: (more: MqttConnectOptions) => Promise<MqttClient>,
    interrupted: AbortSignal,
  ) {
    this.#options = options;
    this.#open = open;
    this.#interrupted = interrupted;
  }

  get firstError(): Error | undefined {
    return this.#publishers.find(({ firstError }) => firstError !== undefined)?.firstError;
  }

  async connect(): Promise<void> {
    const { subscribers, publishers } = this.#options;
    await inGroups(subscribers, () => this.#connectSubscriber());
    await inGroups(publishers, async () => {
      const client = await this.#open({});
      this.#clients.push(client);
      this.#publisherClients.push(client);
    });
  }

  async #connectSubscriber(): Promise<void> {
    const subscriber = new BenchSubscriber(this.#runId, this.#options.publishers, this.#delivery);
    const client = await this.#open({ receiveMaximum: 65_535, onMessageView: (view) => subscriber.message(view) });
    this.#clients.push(client);
    this.#subscribers.push(subscriber);
    const filter = `${this.#topicBase()}/+`;
    const [code = 0x80] = await client.subscribe([{ filter, qos: qosOf(this.#options) }]);
    if (code < 0x80) return;
    throw new CliError(
      ExitCode.notPermitted,
      `the server refused the subscription to ${filter} (0x${code.toString(16)})`,
    );
  }

  async measure(bar: ProgressBar): Promise<BenchResult> {
    const { duration, publishers, rate } = this.#options;
    const topics = Array.from({ length: this.#options.topics }, (_, index) => `${this.#topicBase()}/${index}`);
    const startAt = performance.now();
    this.#publishers = this.#publisherClients.map((client, publisher) => {
      const { size, window } = this.#options;
      const plan = {
        runId: this.#runId,
        publisher,
        topics,
        size,
        qos: qosOf(this.#options),
        window,
        startAt,
        stopAt: startAt + duration,
      };
      // Publishers on a clock are staggered by their share of an interval, not sent off together.
      const own = rate === undefined ? undefined : rate / publishers;
      const offset = own === undefined ? 0 : (publisher * 1000) / (own * publishers);
      return new BenchPublisher(client, { ...plan, rate: own, startAt: startAt + offset }, this.#acknowledgement);
    });
    const stop = (): void => this.#publishers.forEach((publisher) => publisher.stop());
    this.#interrupted.addEventListener("abort", stop, { once: true });
    const drawing = setInterval(() => bar.update(performance.now() - startAt, duration), 100);
    await Promise.all(this.#publishers.map((publisher) => publisher.run()));
    const publishedMs = performance.now() - startAt;
    await this.#drained();
    clearInterval(drawing);
    bar.clear();
    return this.#result(publishedMs, performance.now() - startAt);
  }

  /** Waits until every delivery has come, none came for a second, or the time for it is over. */
  async #drained(): Promise<void> {
    const until = performance.now() + this.#options.drain;
    let last = -1;
    let quietSince = performance.now();
    while (performance.now() < until && !this.#interrupted.aborted) {
      const unique = this.#unique();
      if (unique >= this.#expected()) return;
      if (unique !== last) quietSince = performance.now();
      // QoS 0 may lose: then silence is the end. At QoS 1 and 2 only the deadline is.
      else if (this.#options.qos === 0 && performance.now() - quietSince > 1000) return;
      last = unique;
      await sleep(10);
    }
  }

  #unique(): number {
    return this.#subscribers.reduce((sum, subscriber) => sum + subscriber.unique, 0);
  }

  #expected(): number {
    return this.#sum((publisher) => publisher.acknowledged) * this.#subscribers.length;
  }

  #sum(of: (publisher: BenchPublisher) => number): number {
    return this.#publishers.reduce((sum, publisher) => sum + of(publisher), 0);
  }

  #result(publishedMs: number, totalMs: number): BenchResult {
    const { publishers, subscribers, topics, size, qos, window, rate } = this.#options;
    const acknowledged = this.#sum((publisher) => publisher.acknowledged);
    const received = this.#subscribers.reduce((sum, subscriber) => sum + subscriber.received, 0);
    return {
      publishers,
      subscribers,
      topics,
      size,
      qos,
      window: rate === undefined ? window : undefined,
      rate,
      seconds: totalMs / 1000,
      sent: this.#sum((publisher) => publisher.sent),
      acknowledged,
      failed: this.#sum((publisher) => publisher.failed),
      expected: this.#expected(),
      received,
      lost: Math.max(0, this.#expected() - this.#unique()),
      duplicated: this.#subscribers.reduce((sum, subscriber) => sum + subscriber.duplicates, 0),
      outOfOrder: this.#subscribers.reduce((sum, subscriber) => sum + subscriber.outOfOrder, 0),
      publishedPerSecond: Math.round((acknowledged * 1000) / publishedMs),
      receivedPerSecond: Math.round((received * 1000) / totalMs),
      acknowledgement: latencyResult(this.#acknowledgement),
      delivery: latencyResult(this.#delivery),
    };
  }

  close(): void {
    for (const client of this.#clients) void client.disconnect({ timeout: 100 });
  }

  #topicBase(): string {
    return `${this.#options.prefix}/${this.#runId.toString(16)}`;
  }
}

function qosOf({ qos }: BenchOptions): 0 | 1 | 2 {
  return qos === 0 ? 0 : qos === 1 ? 1 : 2;
}

async function inGroups(count: number, work: () => Promise<void>): Promise<void> {
  for (let done = 0; done < count; done += connectingMax) {
    await Promise.all(Array.from({ length: Math.min(connectingMax, count - done) }, work));
  }
}
