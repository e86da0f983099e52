/** `npm run flips -- [--samples N] [--seed S]`: prints one line of JSON; exit code 1 when a damage went unseen. */
import { parseArgs } from "node:util";
import { sweep } from "./flips.ts";
import { killedServer } from "./flips-journal.ts";

const { values } = parseArgs({
  options: { samples: { type: "string", default: "20000" }, seed: { type: "string", default: "1" } },
});
const server = await killedServer();
try {
  const report = await sweep({
    dataDir: server.dataDir,
    samples: Number(values.samples),
    seed: Number(values.seed),
    onProgress: (done) => {
      if (done % 500 === 0) process.stderr.write(`${done}\n`);
    },
  });
  process.stdout.write(
    `${JSON.stringify({ valid: report.wrong.length === 0, ...report, wrong: report.wrong.slice(0, 20) })}\n`,
  );
  process.exitCode = report.wrong.length === 0 ? 0 : 1;
} finally {
  await server.remove();
}
