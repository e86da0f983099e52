/**
 * One subscription, read in every way there is at the same time, while consumers and the broker are killed: each message
 * is processed, each key in order, and no attempt is counted that was none.
 */
import { connect, type Mess } from "@mess/client";
import mqtt from "mqtt";
import type { Server } from "../support/server.ts";
import { sleep } from "../support/suite.ts";

export const mixedPolicy = `
[subscriptions.work]
filters = ["jobs/#"]
ordering = "key"
ackWait = "3s"
maxDeliveries = 1000
`;

export interface MixedReport {
  processed: number;
  deliveries: number;
  brokerKills: number;
  consumerKills: number;
  readonly byKind: Map<string, number>;
  readonly missing: string[];
  readonly disordered: string[];
  readonly wrongAttempts: string[];
}

interface Job {
  readonly key: number;
  readonly n: number;
}

const keys = 8;
const kinds = ["mqtt-3.1.1", "mqtt-5-explicit", "http-pull", "sse", "sdk"] as const;

/** A consumer that works until it is killed; `kill` takes its connection away in the middle of things. */
interface Running {
  kill(): void;
  readonly ended: Promise<void>;
}

class Ledger {
  readonly report: MixedReport = {
    processed: 0,
    deliveries: 0,
    brokerKills: 0,
    consumerKills: 0,
    byKind: new Map(),
    missing: [],
    disordered: [],
    wrongAttempts: [],
  };
  readonly #next: number[] = new Array(keys).fill(0);
  /** Leases of a message that may have run out: taken by a request that was cut, so that nobody could give them back. */
  readonly #abandoned: Map<string, number> = new Map();

  /** A message is in a consumer's hands. */
  taken(kind: string, payload: string, attempt: number | undefined): void {
    const { key, n } = JSON.parse(payload) as Job;
    this.report.deliveries++;
    this.report.byKind.set(kind, (this.report.byKind.get(kind) ?? 0) + 1);
    const next = this.#next[key] ?? 0;
    if (n > next) this.report.disordered.push(`${kind}: ${key}/${n} before ${key}/${next}`);
    const allowed = 1 + (this.#abandoned.get(payload) ?? 0);
    if (attempt !== undefined && attempt > allowed)
      this.report.wrongAttempts.push(`${kind}: ${payload} came as attempt ${attempt}, ${allowed} at most`);
  }

  /** It was worked on; the acknowledgement goes out now. */
  done(payload: string): void {
    const { key, n } = JSON.parse(payload) as Job;
    if (n !== this.#next[key]) return;
    this.#next[key] = n + 1;
    this.report.processed++;
  }

  abandoned(payload: string): void {
    this.#abandoned.set(payload, (this.#abandoned.get(payload) ?? 0) + 1);
  }

  /** A request was cut whose answer nobody saw: any message may have been in it. */
  abandonedUnseen(total: number): void {
    for (let key = 0; key < keys; key++)
      for (let n = this.#next[key] ?? 0; n < total; n++) this.abandoned(JSON.stringify({ key, n }));
  }

  missing(perKey: number): string[] {
    return this.#next.flatMap((next, key) => (next === perKey ? [] : [`key ${key}: ${next} of ${perKey}`]));
  }
}

export interface MixedOptions {
  readonly perKey: number;
  readonly brokerKills: number;
  /** Milliseconds between two kills of consumers. */
  readonly killEvery: number;
  readonly seed: number;
  /** Milliseconds for all of it. */
  readonly deadline: number;
}

export async function mixedConsumers(server: Server, options: MixedOptions): Promise<MixedReport> {
  const ledger = new Ledger();
  const random = randomOf(options.seed);
  const publisher = await connect(`mqtt://127.0.0.1:${server.mqtt.port}`, { reconnect: { min: 20, max: 200 } });
  const running = new Map<string, Running>();
  const until = performance.now() + options.deadline;
  let stopping = false;
  const start = (kind: (typeof kinds)[number]): void => {
    if (stopping) return;
    const consumer = consumers[kind](server, ledger, options.perKey);
    running.set(kind, consumer);
    void consumer.ended.then(() => sleep(100)).then(() => running.get(kind) === consumer && start(kind));
  };
  for (const kind of kinds) start(kind);
  const published = publishAll(publisher, options.perKey);
  const brokerKillsAt = Array.from(
    { length: options.brokerKills },
    (_, i) => ((i + 1) * options.perKey * keys) / (options.brokerKills + 1),
  );
  while (performance.now() < until && ledger.report.processed < options.perKey * keys) {
    await sleep(options.killEvery);
    if (ledger.report.processed >= (brokerKillsAt[0] ?? Number.POSITIVE_INFINITY)) {
      brokerKillsAt.shift();
      ledger.report.brokerKills++;
      await server.kill();
      await server.start();
      continue;
    }
    const kind = kinds[Math.floor(random() * kinds.length)] as (typeof kinds)[number];
    ledger.report.consumerKills++;
    running.get(kind)?.kill();
  }
  stopping = true;
  await published;
  for (const consumer of running.values()) consumer.kill();
  await publisher.close();
  ledger.report.missing.push(...ledger.missing(options.perKey));
  return ledger.report;
}

/** With ids, so that what is sent again after a kill of the broker is stored once; each key in its order. */
async function publishAll(publisher: Mess, perKey: number): Promise<void> {
  const jobs = publisher.topic("jobs/{key}");
  for (let n = 0; n < perKey; n++) {
    const round = Array.from({ length: keys }, (_, key) =>
      jobs.publish({ key: String(key) }, { key, n }, { key: `k${key}`, id: `job-${key}-${n}` }),
    );
    await Promise.all(round);
  }
}

type Start = (server: Server, ledger: Ledger, perKey: number) => Running;

const consumers: Readonly<Record<(typeof kinds)[number], Start>> = {
  "mqtt-3.1.1": (server, ledger) => mqttConsumer(server, ledger, 4),
  "mqtt-5-explicit": (server, ledger) => mqttConsumer(server, ledger, 5),
  "http-pull": pullConsumer,
  sse: eventConsumer,
  sdk: sdkConsumer,
};

function mqttConsumer(server: Server, ledger: Ledger, version: 4 | 5): Running {
  const kind = version === 4 ? "mqtt-3.1.1" : "mqtt-5-explicit";
  const client = mqtt.connect({
    host: "127.0.0.1",
    port: server.mqtt.port,
    protocolVersion: version,
    reconnectPeriod: 0,
    connectTimeout: 2_000,
    ...(version === 5 && { properties: { receiveMaximum: 4 } }),
  });
  // PUBACK leaves when the work is done.
  client.handleMessage = (packet, acknowledge) => {
    void work(packet.payload.toString()).then(() => acknowledge());
  };
  const work = async (payload: string): Promise<void> => {
    if (version === 5) return;
    ledger.taken(kind, payload, undefined);
    await sleep(1);
    ledger.done(payload);
  };
  client.on("message", (_topic, body, packet) => {
    if (version === 4) return;
    const payload = body.toString();
    const { responseTopic = "", correlationData, userProperties } = packet.properties ?? {};
    ledger.taken(kind, payload, Number(userProperties?.["mess-attempt"]));
    void sleep(1).then(() => {
      ledger.done(payload);
      client.publish(responseTopic, "ack", { qos: 1, ...(correlationData && { properties: { correlationData } }) });
    });
  });
  const properties =
    version === 5 ? { properties: { userProperties: { "mess-ack": "explicit", "mess-credit": "4" } } } : {};
  client.on("connect", () => client.subscribe("$mess/queue/work/#", { qos: 1, ...properties }));
  client.on("error", () => undefined);
  const ended = new Promise<void>((resolve) => client.on("close", () => resolve()));
  return { kill: () => client.stream.destroy(), ended };
}

function pullConsumer(server: Server, ledger: Ledger, perKey: number): Running {
  const cut = new AbortController();
  const post = async (path: string, body: unknown): Promise<unknown> => {
    const response = await fetch(`${server.httpUrl}/v1/subscriptions/work/${path}`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: cut.signal,
    });
    if (!response.ok) throw new Error(`${path}: ${response.status}`);
    return await response.json();
  };
  const run = async (): Promise<void> => {
    while (!cut.signal.aborted) {
      const { messages } = (await post("pull", { max: 4, waitMs: 500 }).catch((error: unknown) => {
        ledger.abandonedUnseen(perKey);
        throw error;
      })) as { messages: { token: string; payload: string; attempt: number }[] };
      for (const { payload, attempt } of messages) ledger.taken("http-pull", payload, attempt);
      // The lease outlives the request: what is not acknowledged now comes again as a failed attempt.
      for (const { payload } of messages) ledger.abandoned(payload);
      await sleep(1);
      if (messages.length === 0) continue;
      for (const { payload } of messages) ledger.done(payload);
      await post("ack", { tokens: messages.map(({ token }) => token) });
    }
  };
  return { kill: () => cut.abort(), ended: run().catch(() => undefined) };
}

function eventConsumer(server: Server, ledger: Ledger): Running {
  const cut = new AbortController();
  const run = async (): Promise<void> => {
    const response = await fetch(`${server.httpUrl}/v1/subscriptions/work/events`, { signal: cut.signal });
    if (!response.ok || response.body === null) throw new Error(String(response.status));
    let text = "";
    for await (const piece of response.body.pipeThrough(new TextDecoderStream())) {
      text += piece;
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        const event = text.slice(0, end);
        text = text.slice(end + 2);
        const data = event.split("\n").filter((line) => line.startsWith("data:"));
        if (data.length === 0) continue;
        const { token, payload, attempt } = JSON.parse(data.map((line) => line.slice(5)).join("\n"));
        ledger.taken("sse", payload, attempt);
        await sleep(1);
        ledger.done(payload);
        const acked = await fetch(`${server.httpUrl}/v1/subscriptions/work/ack`, {
          method: "POST",
          headers: { "content-type": "application/json" },
          body: JSON.stringify({ tokens: [token] }),
          signal: cut.signal,
        });
        await acked.arrayBuffer();
      }
    }
  };
  return { kill: () => cut.abort(), ended: run().catch(() => undefined) };
}

function sdkConsumer(server: Server, ledger: Ledger): Running {
  const cut = new AbortController();
  const run = async (): Promise<void> => {
    await using mess = await connect(`mqtt://127.0.0.1:${server.mqtt.port}`, { signal: AbortSignal.timeout(2_000) });
    await mess.queue("work").process(
      async (message) => {
        const payload = typeof message.value === "string" ? message.value : JSON.stringify(message.value);
        ledger.taken("sdk", payload, message.attempt);
        await sleep(1);
        ledger.done(payload);
      },
      { concurrency: 4, signal: cut.signal },
    );
  };
  return { kill: () => cut.abort(), ended: run().catch(() => undefined) };
}

function randomOf(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
