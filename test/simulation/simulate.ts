/**
 * `npm run simulate -- --seeds N --from SEED [--workers N] [--bug NAME] [--trace LINES] [--shrink RUNS]`
 *
 * Runs the real broker on simulated machines, one for each seed, with simulated clients and faults. Prints what broke
 * with its seed, commit, options and a short list of operations. Exit code 1 when anything did.
 */
import { type ChildProcess, execFileSync, fork } from "node:child_process";
import { availableParallelism } from "node:os";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { plan } from "./operations.ts";
import { plantedBugs } from "./planted-bugs.ts";
import { Run, type RunOptions } from "./run.ts";
import { shrink } from "./shrink.ts";
import { startBroker } from "./system-under-test.ts";

interface Outcome {
  readonly seed: number;
  readonly failure: string | undefined;
  readonly acked: number;
  readonly delivered: number;
  readonly stops: number;
}

/** A seed may take so long in real time before its process is taken for hung. */
const SEED_DEADLINE_MS = 120_000;
/** One seed in so many is run twice, and both runs must have the same history. */
const TWICE = 25;

const { values } = parseArgs({
  options: {
    seeds: { type: "string", default: "2000" },
    from: { type: "string", default: "1" },
    workers: { type: "string", default: String(availableParallelism()) },
    bug: { type: "string", default: "" },
    trace: { type: "string", default: "0" },
    shrink: { type: "string", default: "150" },
    failures: { type: "string", default: "5" },
    worker: { type: "boolean", default: false },
  },
});

const planted = plantedBugs[values.bug];
if (values.bug !== "" && planted === undefined) {
  console.error(`--bug ${values.bug} is not one of ${Object.keys(plantedBugs).join(", ")}`);
  process.exit(64);
}
const options: RunOptions = { start: startBroker, ...planted, trace: Number(values.trace) };

async function runSeed(seed: number): Promise<Outcome> {
  const planned = plan(seed);
  const result = await new Run(planned, options).result();
  const { acked, delivered, stops, violation } = result;
  let failure: string | undefined;
  if (violation !== undefined) {
    const { clients, segmentBytes } = planned;
    const lines = [
      `seed ${seed}: ${violation.message}`,
      `  on: ${planned.features.join(" ")}`,
      `  options: ${JSON.stringify({ segmentBytes, clients })}`,
    ];
    lines.push(...result.trace.slice(-Number(values.trace)));
    const runsMax = Number(values.shrink);
    const shrunk = runsMax > 0 ? await shrink(planned, violation.rule, { ...options, runsMax }) : undefined;
    if (shrunk !== undefined) {
      lines.push(
        `  ${shrunk.operations.length} of ${planned.operations.length} operations are enough (${shrunk.runs} runs):`,
      );
      lines.push(...shrunk.operations.map((operation) => `    ${JSON.stringify(operation)}`));
      lines.push(`  then: ${shrunk.result.violation?.message}`);
    }
    failure = lines.join("\n");
  } else if (seed % TWICE === 0) {
    const again = await new Run(planned, options).result();
    if (again.hash !== result.hash) failure = `seed ${seed}: two runs, two histories (${result.hash}, ${again.hash})`;
  }
  return { seed, failure, acked, delivered, stops };
}

function serve(): void {
  process.on("message", (seed: number) => {
    void runSeed(seed).then((outcome) => process.send?.(outcome));
  });
  process.on("disconnect", () => process.exit(0));
}

function commit(): string {
  const git = (...words: string[]): string => execFileSync("git", words, { encoding: "utf8" }).trim();
  try {
    return (
      git("rev-parse", "--short", "HEAD") + (git("status", "--porcelain", "packages") === "" ? "" : " with changes")
    );
  } catch {
    return "unknown";
  }
}

/** Hands out seeds to worker processes, one at a time each. */
class Pool {
  readonly totals = { seeds: 0, acked: 0, delivered: 0, stops: 0, failed: 0 };
  #next: number = Number(values.from);
  readonly #end: number = Number(values.from) + Number(values.seeds);
  readonly #failuresMax: number = Number(values.failures);
  #shown: number = Date.now();

  async run(): Promise<void> {
    await Promise.all(Array.from({ length: Math.max(1, Number(values.workers)) }, () => this.#worker()));
  }

  async #worker(): Promise<void> {
    let child: ChildProcess | undefined;
    while (this.#next < this.#end && this.totals.failed < this.#failuresMax) {
      const seed = this.#next++;
      child ??= fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), "--worker"]);
      const outcome = await this.#ask(child, seed);
      if (outcome === undefined) {
        child.kill("SIGKILL");
        child = undefined;
      }
      this.#count(
        outcome ?? { seed, failure: `seed ${seed}: the run hangs or died`, acked: 0, delivered: 0, stops: 0 },
      );
    }
    child?.disconnect();
  }

  #ask(child: ChildProcess, seed: number): Promise<Outcome | undefined> {
    return new Promise((resolve) => {
      const finish = (outcome?: Outcome): void => {
        clearTimeout(deadline);
        child.removeAllListeners();
        resolve(outcome);
      };
      const deadline = setTimeout(finish, SEED_DEADLINE_MS + Number(values.shrink) * 1_000);
      child.once("message", (outcome: Outcome) => finish(outcome));
      child.once("exit", () => finish());
      child.send(seed);
    });
  }

  #count(outcome: Outcome): void {
    const { totals } = this;
    totals.seeds++;
    totals.acked += outcome.acked;
    totals.delivered += outcome.delivered;
    totals.stops += outcome.stops;
    if (outcome.failure !== undefined) {
      totals.failed++;
      console.error(outcome.failure);
    }
    if (Date.now() - this.#shown < 10_000) return;
    this.#shown = Date.now();
    console.error(`... ${totals.seeds} seeds, ${totals.failed} failed`);
  }
}

async function main(): Promise<void> {
  const started = Date.now();
  const pool = new Pool();
  await pool.run();
  const { failed, seeds, acked, delivered, stops } = pool.totals;
  const seconds = ((Date.now() - started) / 1_000).toFixed(1);
  console.log(
    `${failed === 0 ? "clean" : `${failed} FAILED`}: ${seeds} seeds from ${values.from} in ${seconds} s at commit ${commit()}: ` +
      `${acked} publishes acked, ${delivered} deliveries, ${stops} stops of the machine`,
  );
  process.exitCode = failed === 0 ? 0 : 1;
}

if (values.worker) serve();
else await main();
