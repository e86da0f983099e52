/** One thread of a flood: all its publishers, or all its subscribers. Told what to do by `flood.ts`. */
import { createHistogram, type RecordableHistogram } from "node:perf_hooks";
import { parentPort, workerData } from "node:worker_threads";
import { type FloodShape, layout, payloadBytes } from "../scenarios.ts";
import { Counters } from "./counters.ts";
import { Link, type Target } from "./link.ts";
import { publishTemplate } from "./packets.ts";
import { Publisher } from "./publisher.ts";
import { Room } from "./room.ts";
import { Subscriber } from "./subscriber.ts";

export interface WorkerInput {
  readonly role: "publish" | "subscribe";
  readonly target: Target;
  readonly shape: FloodShape;
  readonly memory: SharedArrayBuffer;
}

/** To the worker. `measure` forgets the latencies so far; `stop` ends the sending; `report` ends the thread. */
export type WorkerOrder = "start" | "measure" | "stop" | "report";

/** Microseconds. */
export interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** From the worker. */
export type WorkerNews =
  | { readonly news: "ready" }
  | { readonly news: "failed"; readonly reason: string }
  | { readonly news: "report"; readonly latency: Latency; readonly gaps: number; readonly repeated: number };

const { role, target, shape, memory } = workerData as WorkerInput;
const counters = new Counters(memory);
const latency = createHistogram();
const { topicsOf, filtersOf, deliveriesPerMessage } = layout(shape);

function tell(news: WorkerNews): void {
  parentPort?.postMessage(news);
}

function watch(link: Link): Link {
  link.onLost = (error): void => tell({ news: "failed", reason: error.message });
  return link;
}

async function openPublishers(): Promise<Publisher[]> {
  const { messages } = new Room(counters, { lag: shape.lag, deliveriesPerMessage, mayLose: shape.qos === 0 });
  const publishers: Publisher[] = [];
  for (const [index, topics] of topicsOf.entries()) {
    const link = await Link.open({ target, clientId: `bench-p${index}`, cleanSession: true, keepAlive: 60 });
    const plan = {
      index,
      templates: topics.map((topic) => publishTemplate(topic, shape.qos, payloadBytes)),
      qos: shape.qos,
      window: shape.window,
      room: messages,
      onProgress: (sent: number, acknowledged: number): void => {
        if (sent > 0) counters.add("sent", sent);
        if (acknowledged > 0) counters.add("acknowledged", acknowledged);
      },
    };
    publishers.push(new Publisher(watch(link), plan, shape.qos === 1 ? latency : undefined));
  }
  return publishers;
}

async function openSubscribers(): Promise<Subscriber[]> {
  const subscribers: Subscriber[] = [];
  const plan = {
    publishers: shape.publishers,
    qos: shape.qos,
    checkOrder: shape.topics !== "wild",
    onProgress: (received: number): void => counters.add("received", received),
  };
  for (const [index, filters] of filtersOf.entries()) {
    const cleanSession = !shape.persistent;
    const link = await Link.open({ target, clientId: `bench-s${index}`, cleanSession, keepAlive: 60 });
    await watch(link).subscribe(filters, shape.qos);
    subscribers.push(new Subscriber(link, plan, latency));
  }
  return subscribers;
}

/** Gives every publisher its turn, sleeping a millisecond when none may send. */
function drive(publishers: readonly Publisher[], isStopped: () => boolean): void {
  let first = 0;
  const turn = (): void => {
    if (isStopped()) return;
    let hasSent = false;
    for (let index = 0; index < publishers.length; index += 1) {
      if (publishers[(first + index) % publishers.length]?.pump() === true) hasSent = true;
    }
    first += 1;
    if (hasSent) setImmediate(turn);
    else setTimeout(turn, 1);
  };
  turn();
}

function summary(histogram: RecordableHistogram): Latency {
  if (histogram.count === 0) return { p50: 0, p99: 0, max: 0 };
  return { p50: histogram.percentile(50), p99: histogram.percentile(99), max: histogram.max };
}

async function run(): Promise<void> {
  const publishers = role === "publish" ? await openPublishers() : [];
  const subscribers = role === "subscribe" ? await openSubscribers() : [];
  let isStopped = false;
  const sum = (field: "gaps" | "repeated"): number =>
    subscribers.reduce((total, subscriber) => total + subscriber[field], 0);
  const obey: Readonly<Record<WorkerOrder, () => void>> = {
    start: () => drive(publishers, () => isStopped),
    measure: () => latency.reset(),
    stop: () => {
      isStopped = true;
      for (const publisher of publishers) publisher.stop();
    },
    report: () => tell({ news: "report", latency: summary(latency), gaps: sum("gaps"), repeated: sum("repeated") }),
  };
  parentPort?.on("message", (order: WorkerOrder) => obey[order]());
  tell({ news: "ready" });
}

run().catch((error: unknown) =>
  tell({ news: "failed", reason: error instanceof Error ? error.message : String(error) }),
);
