import { Worker } from "node:worker_threads";
import { type FloodShape, layout } from "../scenarios.ts";
import { delay } from "./clock.ts";
import { Counters } from "./counters.ts";
import type { Target } from "./link.ts";
import type { Latency, WorkerInput, WorkerNews, WorkerOrder } from "./worker.ts";

export interface FloodOptions {
  readonly target: Target;
  readonly shape: FloodShape;
  readonly warmUpSeconds: number;
  readonly seconds: number;
  /** Called when the measured time begins and when it ends. */
  readonly onWindow: (edge: "begin" | "end") => void;
}

export interface FloodFigures {
  readonly publishedPerSecond: number;
  readonly receivedPerSecond: number;
  readonly acknowledgedPerSecond: number;
  /** Deliveries in the measured time. */
  readonly received: number;
  /** Over the whole run, warm-up included. */
  readonly expected: number;
  readonly lost: number;
  readonly repeated: number;
  readonly acknowledgement: Latency;
  /** Of the first message of each read, which waited longest. */
  readonly endToEnd: Latency;
}

type Report = Extract<WorkerNews, { news: "report" }>;

const drainSecondsMax = 10;
const quietSeconds = 1.5;

/** Publishers in one thread, subscribers in another, until the time is over and nothing more arrives. */
export async function runFlood(options: FloodOptions): Promise<FloodFigures> {
  const { target, shape, onWindow } = options;
  const counters = new Counters();
  const start = (role: WorkerInput["role"]): Promise<LoadThread> =>
    LoadThread.start({ role, target, shape, memory: counters.memory });
  const threads: LoadThread[] = [];
  try {
    threads.push(await start("subscribe"));
    threads.push(await start("publish"));
    const [subscribing, publishing] = threads as [LoadThread, LoadThread];
    publishing.order("start");
    await working(threads, options.warmUpSeconds);
    for (const thread of threads) thread.order("measure");
    const before = reading(counters);
    onWindow("begin");
    await working(threads, options.seconds);
    const after = reading(counters);
    onWindow("end");
    publishing.order("stop");
    const expected = await drained(counters, threads, layout(shape).deliveriesPerMessage);
    const deliveries = await subscribing.report();
    const publishes = await publishing.report();
    const perSecond = (name: keyof typeof before): number =>
      ((after[name] - before[name]) >>> 0) / ((after.at - before.at) / 1_000);
    return {
      publishedPerSecond: perSecond("sent"),
      receivedPerSecond: perSecond("received"),
      acknowledgedPerSecond: perSecond("acknowledged"),
      received: (after.received - before.received) >>> 0,
      expected,
      lost: Math.max(0, expected + deliveries.repeated - counters.read("received")),
      repeated: deliveries.repeated,
      acknowledgement: publishes.latency,
      endToEnd: deliveries.latency,
    };
  } finally {
    await Promise.all(threads.map((thread) => thread.end()));
  }
}

function reading(counters: Counters): { at: number; sent: number; received: number; acknowledged: number } {
  const at = performance.now();
  return {
    at,
    sent: counters.read("sent"),
    received: counters.read("received"),
    acknowledged: counters.read("acknowledged"),
  };
}

async function working(threads: readonly LoadThread[], seconds: number): Promise<void> {
  await Promise.race([delay(seconds * 1_000), ...threads.map((thread) => thread.failed)]);
}

/** Waits for what is under way; resolves with how many deliveries there should have been. */
async function drained(counters: Counters, threads: readonly LoadThread[], deliveries: number): Promise<number> {
  const until = performance.now() + drainSecondsMax * 1_000;
  let last = -1;
  let lastAt = performance.now();
  for (;;) {
    const received = counters.read("received");
    const expected = counters.read("sent") * deliveries;
    const now = performance.now();
    if (received !== last) lastAt = now;
    last = received;
    if (received >= expected || now > until || now - lastAt > quietSeconds * 1_000) return expected;
    await working(threads, 0.05);
  }
}

/** A thread does not inherit the loader that lets this process run TypeScript. */
const bootstrap = `
import("tsx/esm/api").then(({ register }) => {
  register();
  return import(${JSON.stringify(new URL("./worker.ts", import.meta.url).href)});
});
`;

class LoadThread {
  /** Rejects when a connection is lost. */
  readonly failed: Promise<never>;
  readonly #worker: Worker;
  #onReport: (report: Report) => void = () => undefined;
  #onReady: () => void = () => undefined;

  private constructor(input: WorkerInput) {
    this.#worker = new Worker(bootstrap, { eval: true, workerData: input });
    this.failed = new Promise((_, reject) => {
      this.#worker.on("error", reject);
      this.#worker.on("message", (news: WorkerNews) => {
        if (news.news === "failed") reject(new Error(`${input.role}: ${news.reason}`));
        else if (news.news === "ready") this.#onReady();
        else this.#onReport(news);
      });
    });
    // Awaited where it matters; a failure between two waits is found by the next.
    this.failed.catch(() => undefined);
  }

  /** Resolves when all connections stand. */
  static async start(input: WorkerInput): Promise<LoadThread> {
    const thread = new LoadThread(input);
    try {
      await Promise.race([new Promise<void>((resolve) => (thread.#onReady = resolve)), thread.failed]);
    } catch (error) {
      await thread.end();
      throw error;
    }
    return thread;
  }

  order(order: WorkerOrder): void {
    this.#worker.postMessage(order);
  }

  report(): Promise<Report> {
    this.order("report");
    return Promise.race([new Promise<Report>((resolve) => (this.#onReport = resolve)), this.failed]);
  }

  async end(): Promise<void> {
    await this.#worker.terminate();
  }
}
