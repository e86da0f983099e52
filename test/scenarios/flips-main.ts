/**
 * `npm run flips -- [--samples N] [--seed S]` damages the data directory of a real server; `npm run flips -- --all` flips
 * each of the 524,288 bits of a journal of 64 KiB. Prints one line of JSON; exit code 1 when a damage went unseen.
 */
import { parseArgs } from "node:util";
import { bitsOfJournal, flipEveryBit } from "../faults/every-bit.ts";
import { sweep } from "./flips.ts";
import { killedServer } from "./flips-journal.ts";

const { values } = parseArgs({
  options: {
    all: { type: "boolean", default: false },
    samples: { type: "string", default: "20000" },
    seed: { type: "string", default: "1" },
  },
});

function tell(every: number): (done: number) => void {
  return (done) => {
    if (done % every === 0) process.stderr.write(`${done}\n`);
  };
}

function print(report: { readonly wrong: readonly string[] }): void {
  const valid = report.wrong.length === 0;
  process.stdout.write(`${JSON.stringify({ valid, ...report, wrong: report.wrong.slice(0, 20) })}\n`);
  process.exitCode = valid ? 0 : 1;
}

async function sampleServer(): Promise<void> {
  const server = await killedServer();
  try {
    const { samples, seed } = values;
    print(
      await sweep({ dataDir: server.dataDir, samples: Number(samples), seed: Number(seed), onProgress: tell(500) }),
    );
  } finally {
    await server.remove();
  }
}

if (values.all) print(await flipEveryBit({ bits: Array(bitsOfJournal).keys(), onProgress: tell(16_384) }));
else await sampleServer();
