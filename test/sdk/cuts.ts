/**
 * The SDK on a network that breaks all the time, against a real server. What must hold: every publish resolves, and is
 * stored once, in order; a live loop sees every message once; a queue handles every message at least once and loses none;
 * a stream sees every message once; nothing stalls.
 */
import { connect, type Mess } from "../../packages/client/src/index.ts";
import { withPolicy } from "../support/declared.ts";
import { Server } from "../support/server.ts";
import { UnreliableNetwork } from "./unreliable-network.ts";

export interface CutsOptions {
  readonly seconds: number;
  readonly seed: number;
  /** Milliseconds between two bursts of a publisher, at most. */
  readonly pauseMs?: number;
}

export interface CutsReport {
  readonly published: number;
  readonly cuts: number;
  readonly freezes: number;
  readonly outages: number;
  /** Messages that queue handlers saw more than once: their lease was lost with a connection. */
  readonly handledAgain: number;
  readonly requests: number;
  /** The longest time without any progress. */
  readonly longestPauseMs: number;
  readonly problems: readonly string[];
}

const policy = `
[topics."cuts/#"]
retention = "1h"

[subscriptions.work]
filters = ["cuts/+"]
ackWait = "10s"
`;
const publishers = 3;

export async function runCuts({ seconds, seed, pauseMs = 20 }: CutsOptions): Promise<CutsReport> {
  const server = await Server.start({ args: withPolicy(policy) });
  const random = generator(seed);
  const network = await UnreliableNetwork.open({ port: server.mqtt.port, random, everyMs: 300 });
  const clients: Mess[] = [];
  const open = async (): Promise<Mess> => {
    const mess = await connect(`mqtt://127.0.0.1:${network.port}`, {
      reconnect: { min: 10, max: 500 },
      waitForServer: true,
      keepAlive: "2s",
      connectTimeout: "2s",
    });
    clients.push(mess);
    return mess;
  };
  try {
    const run = new Run(await Promise.all(Array.from({ length: publishers + 3 }, open)));
    await run.ready();
    network.start();
    await run.publishFor(seconds * 1000, pauseMs, random);
    network.calm();
    const problems = await run.finish();
    const { cuts, freezes, outages } = network;
    return { ...run.figures(), cuts, freezes, outages, problems };
  } finally {
    network.calm();
    await Promise.all(clients.map((client) => client.close({ timeout: 500 })));
    network.close();
    await server.remove();
  }
}

class Run {
  readonly #publishers: readonly Mess[];
  readonly #live: Mess;
  readonly #queue: Mess;
  readonly #asking: Mess;
  readonly #stop = new AbortController();
  readonly #seen: string[] = [];
  readonly #streamed: string[] = [];
  readonly #handled = new Map<string, number>();
  readonly #problems: string[] = [];
  readonly #sent: string[][] = Array.from({ length: publishers }, () => []);
  #resolved = 0;
  #requests = 0;
  #longestPauseMs = 0;
  #progressAt = performance.now();
  #running: Promise<unknown>[] = [];

  constructor(clients: readonly Mess[]) {
    this.#publishers = clients.slice(0, publishers);
    const [live, queue, asking] = clients.slice(publishers);
    if (live === undefined || queue === undefined || asking === undefined) throw new Error("too few clients");
    this.#live = live;
    this.#queue = queue;
    this.#asking = asking;
  }

  async ready(): Promise<void> {
    const signal = this.#stop.signal;
    const live = this.#live.topic("cuts/{n}", { codec: "text" }).subscribe({}, { signal });
    const stream = this.#live.stream<string>("cuts/+", { codec: "text" }).read({ from: "earliest", signal });
    const responder = this.#queue.respond("svc/double", (value) => Number(value) * 2, { signal });
    await Promise.all([live.ready, stream.ready, responder.ready]);
    this.#live.on("state", ({ name, resumed }) => {
      if (name === "connected" && resumed === false) this.#problems.push("the live session was lost");
    });
    this.#running = [
      this.#read(live, this.#seen),
      this.#read(stream, this.#streamed),
      this.#work(signal),
      responder.stopped,
    ];
  }

  async publishFor(milliseconds: number, pauseMs: number, random: () => number): Promise<void> {
    const until = performance.now() + milliseconds;
    const pause = setInterval(() => this.#watch(), 100);
    const publishing = this.#publishers.map(async (mess, index) => {
      const topic = mess.topic(`cuts/${index}`, { codec: "text" });
      const all: Promise<void>[] = [];
      while (performance.now() < until) {
        const burst = 1 + Math.floor(random() * 20);
        for (let count = 0; count < burst; count += 1) all.push(this.#publish(topic, index));
        await wait(random() * pauseMs);
      }
      await Promise.all(all);
    });
    const asking = (async () => {
      while (performance.now() < until) {
        await this.#ask(Math.floor(random() * 1000));
        await wait(50);
      }
    })();
    await Promise.all([...publishing, asking]);
    clearInterval(pause);
  }

  async finish(): Promise<string[]> {
    const all = this.#sent.flat();
    await this.#until("the live loop", () => this.#seen.length >= all.length);
    await this.#until("the stream", () => this.#streamed.length >= all.length);
    await this.#until("the queue", () => this.#handled.size >= all.length);
    await wait(500);
    this.#stop.abort();
    await Promise.all(this.#running);
    this.#compare("the live loop", this.#seen);
    this.#compare("the stream", this.#streamed);
    for (const text of all) if (!this.#handled.has(text)) this.#problems.push(`the queue lost ${text}`);
    return this.#problems.slice(0, 20);
  }

  figures(): Omit<CutsReport, "cuts" | "freezes" | "outages" | "problems"> {
    const again = [...this.#handled.values()].filter((count) => count > 1).length;
    const [published, requests, longestPauseMs] = [this.#resolved, this.#requests, Math.round(this.#longestPauseMs)];
    return { published, handledAgain: again, requests, longestPauseMs };
  }

  async #publish(topic: { publish(text: string): Promise<unknown> }, index: number): Promise<void> {
    const sent = this.#sent[index] ?? [];
    const text = `${index}-${sent.length}`;
    sent.push(text);
    try {
      await topic.publish(text);
      this.#resolved += 1;
      this.#progress();
    } catch (error) {
      this.#problems.push(`${text} was not published: ${String(error)}`);
    }
  }

  async #ask(value: number): Promise<void> {
    try {
      const reply = await this.#asking.request<number>("svc/double", value, { timeout: "20s" });
      if (reply !== value * 2) this.#problems.push(`asked ${value}, was answered ${reply}`);
      this.#requests += 1;
      this.#progress();
    } catch (error) {
      // The responder keeps no session: a request can come while it is away.
      const { code } = error as { readonly code?: string };
      if (code !== "NO_RESPONDER" && code !== "TIMEOUT") this.#problems.push(`a request failed: ${String(error)}`);
    }
  }

  async #read(reader: AsyncIterable<{ readonly value: string }>, seen: string[]): Promise<void> {
    for await (const { value } of reader) {
      seen.push(value);
      this.#progress();
    }
  }

  #work(signal: AbortSignal): Promise<void> {
    const queue = this.#queue.queue<string>("work", { codec: "text", concurrency: 20, prefetch: 20 });
    return queue.process(
      ({ value, attempt }) => {
        this.#handled.set(value, (this.#handled.get(value) ?? 0) + 1);
        if (attempt > 1) this.#problems.push(`${value} was counted as attempt ${attempt}, and nothing failed`);
        this.#progress();
      },
      { signal },
    );
  }

  /** Each once, and those of one publisher in its order. */
  #compare(who: string, seen: readonly string[]): void {
    for (const [index, sent] of this.#sent.entries()) {
      const own = seen.filter((text) => text.startsWith(`${index}-`));
      const at = sent.findIndex((text, position) => own[position] !== text);
      if (at >= 0) this.#problems.push(`${who} saw ${own[at]} in place of ${sent[at]}`);
      else if (own.length !== sent.length)
        this.#problems.push(`${who} saw ${own.length} of ${sent.length}, ${own[sent.length]}`);
    }
  }

  #progress(): void {
    this.#watch();
    this.#progressAt = performance.now();
  }

  #watch(): void {
    this.#longestPauseMs = Math.max(this.#longestPauseMs, performance.now() - this.#progressAt);
  }

  async #until(who: string, condition: () => boolean): Promise<void> {
    const deadline = performance.now() + 30_000;
    while (!condition()) {
      if (performance.now() > deadline) {
        this.#problems.push(`${who} did not catch up`);
        return;
      }
      await wait(20);
    }
  }
}

function wait(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Numbers from 0 up to 1 that a seed repeats (mulberry32). */
function generator(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
