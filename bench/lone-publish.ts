/**
 * The price of durability for one message at a time: the acknowledgement of a lone QoS 1 publish beside a bare write
 * and fdatasync of Node on the same disk, in turns.
 */
import { fdatasync, fsyncSync, mkdirSync, openSync, write, writeSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { delay } from "./load/clock.ts";
import { Link, type Target } from "./load/link.ts";
import { publishTemplate } from "./load/packets.ts";
import { Publisher } from "./load/publisher.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import { startMess } from "./mess.ts";
import { withScratch } from "./scratch.ts";
import { milliseconds, verdict } from "./text.ts";

const usage = `Usage: tsx bench/lone-publish.ts [options]

  --rounds N  (default 20)
  --each N    publishes, and bare writes, a round (default 100)
  --in DIR    parent of the data directory: names the disk (default: the system's temporary directory)`;

const payloadBytes = 64;
/** What the journal writes for one small message: a frame is a multiple of a sector. */
const recordBytes = 512;
const fileBytes = 16 * 1024 * 1024;
const goalRatio = 2;
const settleMs = 2_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      rounds: { type: "string", default: "20" },
      each: { type: "string", default: "100" },
      in: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return console.log(usage);
  console.log(describeMachine());
  await withScratch((directory) => compare(directory, Number(values.rounds), Number(values.each)), values.in);
}

async function compare(directory: string, rounds: number, each: number): Promise<void> {
  const mess = await startMess({ dataDir: join(directory, "data") });
  try {
    // A new server fills its next segment with zeros for a moment.
    await delay(settleMs);
    const lone = await LonePublisher.open(mess.target);
    const bare = new BareWriter(directory);
    await lone.run(each);
    await bare.run(each);
    lone.times.length = 0;
    bare.times.length = 0;
    for (let round = 0; round < rounds; round += 1) {
      await lone.run(each);
      await bare.run(each);
      // Neither may pay for what the other left behind.
      await delay(5);
    }
    report(lone.times, bare.times);
  } finally {
    await mess.process.kill();
  }
}

function report(lone: number[], bare: number[]): void {
  const at = (times: number[], share: number): number =>
    times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0;
  for (const times of [lone, bare]) times.sort((one, other) => one - other);
  const line = (name: string, times: number[]): string =>
    `${name}  p50 ${milliseconds(at(times, 0.5))}  p99 ${milliseconds(at(times, 0.99))}  most ${milliseconds(at(times, 1))}`;
  const ratio = at(lone, 0.5) / at(bare, 0.5);
  const tail = at(lone, 0.99) / at(bare, 0.99);
  console.log(`\n${lone.length} of each  (load average ${loadAverage()})`);
  console.log(line("acknowledgement of a lone publish", lone));
  console.log(line("bare write + fdatasync           ", bare));
  console.log(
    `ratio p50 ${ratio.toFixed(2)}, ${verdict(ratio <= goalRatio, `goal <= ${goalRatio}`)}; p99 ${tail.toFixed(2)}`,
  );
}

/** Publishes one message, waits for its acknowledgement, publishes the next. Nobody is subscribed. */
class LonePublisher {
  /** Microseconds. */
  readonly times: number[] = [];
  readonly #publisher: Publisher;
  #room = 0;
  #began = 0;
  #onAcknowledged: () => void = () => undefined;

  private constructor(link: Link) {
    this.#publisher = new Publisher(link, {
      index: 0,
      templates: [publishTemplate("bench/lone", 1, payloadBytes)],
      qos: 1,
      window: 1,
      room: () => this.#room,
      onProgress: (sent, acknowledged) => {
        this.#room -= sent;
        if (sent > 0) this.#began = performance.now();
        if (acknowledged === 0) return;
        this.times.push((performance.now() - this.#began) * 1_000);
        this.#onAcknowledged();
      },
    });
  }

  static async open(target: Target): Promise<LonePublisher> {
    return new LonePublisher(await Link.open({ target, clientId: "bench-lone", cleanSession: true, keepAlive: 60 }));
  }

  run(count: number): Promise<void> {
    return new Promise((resolve) => {
      let open = count;
      this.#onAcknowledged = (): void => {
        open -= 1;
        if (open === 0) resolve();
      };
      this.#room = count;
      this.#publisher.pump();
    });
  }
}

/** Appends to a file that was filled with zeros beforehand, as the journal's segments are. */
class BareWriter {
  readonly times: number[] = [];
  readonly #file: number;
  readonly #record: Buffer = Buffer.alloc(recordBytes, "record ");
  #at = 0;

  constructor(directory: string) {
    mkdirSync(directory, { recursive: true });
    this.#file = openSync(join(directory, "bare"), "w");
    writeSync(this.#file, Buffer.alloc(fileBytes));
    fsyncSync(this.#file);
  }

  run(count: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const next = (open: number): void => {
        if (open === 0) {
          resolve();
          return;
        }
        const began = performance.now();
        this.#append((error) => {
          this.times.push((performance.now() - began) * 1_000);
          if (error === null) next(open - 1);
          else reject(error);
        });
      };
      next(count);
    });
  }

  #append(done: (error: NodeJS.ErrnoException | null) => void): void {
    const at = this.#at;
    this.#at = (at + recordBytes) % fileBytes;
    write(this.#file, this.#record, 0, recordBytes, at, (error) => {
      if (error === null) fdatasync(this.#file, done);
      else done(error);
    });
  }
}

await main();
