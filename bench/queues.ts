/** Many delayed messages and many declared subscriptions in one broker: memory, time to start, and what a publish costs. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { describeMachine, loadAverage } from "./machine.ts";
import { type RunningMess, startMess } from "./mess.ts";
import { memory } from "./process-figures.ts";
import { withScratch } from "./scratch.ts";
import { megabytes, thousands } from "./text.ts";

const usage = `Usage: tsx bench/queues.ts [options]

  --delayed N        delayed messages, each due in a day (default 1000000)
  --subscriptions N  declared subscriptions, each of a topic of its own (default 100000)
  --in DIR           parent of the data directory (default: the system's temporary directory)`;

const perBatch = 1_000;
const probes = 2_000;

interface Figures {
  readonly what: string;
  readonly resident: number;
  readonly startSeconds: number;
  /** Median of a publish over HTTP to one topic that one subscription reads, milliseconds. */
  readonly publishMs: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      delayed: { type: "string", default: "1000000" },
      subscriptions: { type: "string", default: "100000" },
      in: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return console.log(usage);
  const [delayed, subscriptions] = [Number(values.delayed), Number(values.subscriptions)];
  console.log(describeMachine());
  const rows = await withScratch(async (directory) => {
    const dataDir = join(directory, "data");
    const found: Figures[] = [];
    let server = await startMess({ dataDir });
    const step = async (what: string, run: (url: string) => Promise<void>): Promise<void> => {
      await run(httpOf(server));
      await server.process.stop();
      server = await startMess({ dataDir });
      found.push({
        what,
        resident: memory(server.process.pid).resident,
        startSeconds: server.startSeconds,
        publishMs: await probe(httpOf(server)),
      });
    };
    try {
      await step("1 subscription", (url) => declare(url, 0, 1));
      for (const part of [10, 1]) {
        const upTo = Math.ceil(subscriptions / part);
        await step(`${thousands(upTo)} subscriptions`, (url) =>
          declare(url, part === 10 ? 1 : subscriptions / 10, upTo),
        );
      }
      for (const part of [10, 1]) {
        const upTo = Math.ceil(delayed / part);
        const from = part === 10 ? 0 : Math.ceil(delayed / 10);
        await step(`and ${thousands(upTo)} delayed messages`, (url) => delay(url, upTo - from));
      }
    } finally {
      await server.process.kill();
    }
    return found;
  }, values.in);
  for (const { what, resident, startSeconds, publishMs } of rows) {
    console.log(
      `${what.padEnd(34)} ${megabytes(resident).padStart(8)}  ready in ${startSeconds.toFixed(2)} s  a publish ${publishMs.toFixed(2)} ms`,
    );
  }
  console.log(`load average at the end ${loadAverage()}`);
}

function httpOf(server: RunningMess): string {
  const port = /^mess ready \S+ http:\/\/[^:]+:(\d+)$/m.exec(server.process.output)?.[1];
  return `http://127.0.0.1:${port}`;
}

async function send(url: string, method: string, mediaType: string, body: string): Promise<void> {
  const response = await fetch(url, { method, headers: { "content-type": mediaType }, body });
  if (!response.ok) throw new Error(`${method} ${url}: ${response.status} ${await response.text()}`);
  await response.arrayBuffer();
}

/** One by one, as users do it; several at a time share a commit. */
async function declare(url: string, from: number, to: number): Promise<void> {
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < to) {
      const n = next++;
      await send(`${url}/v1/subscriptions/s${n}`, "PUT", "application/json", JSON.stringify({ filters: [`t/${n}/#`] }));
    }
  };
  await Promise.all(Array.from({ length: 64 }, worker));
}

async function delay(url: string, count: number): Promise<void> {
  for (let sent = 0; sent < count; sent += perBatch) {
    const lines = Array.from({ length: Math.min(perBatch, count - sent) }, (_, i) =>
      JSON.stringify({ topic: `later/${i % 100}`, payload: `message ${sent + i}`, delay: "PT24H" }),
    );
    await send(`${url}/v1/batch`, "POST", "application/x-ndjson", `${lines.join("\n")}\n`);
  }
}

async function probe(url: string): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < probes; i++) {
    const began = performance.now();
    await send(`${url}/v1/messages?topic=t/0/x`, "POST", "text/plain", "probe");
    times.push(performance.now() - began);
  }
  return times.sort((a, b) => a - b)[probes >> 1] ?? 0;
}

await main();
