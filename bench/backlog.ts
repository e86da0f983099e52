/** Many messages for a session that is away: memory while they gather, time to start again, and that all come. */
import { parseArgs } from "node:util";
import { runBacklog } from "./backlog-run.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import { withScratch } from "./scratch.ts";
import { megabytes, thousands, verdict } from "./text.ts";

const usage = `Usage: tsx bench/backlog.ts [options]

  --count N     messages to queue (default 1000000; a multiple of 10)
  --size BYTES  of a payload (default 64)
  --end HOW     SIGTERM, SIGKILL or both: how the server ends before it starts again (default both)
  --in DIR      parent of the data directory (default: the system's temporary directory)`;

const publishers = 10;
const window = 50;
const goals = { peakBytes: 300_000_000, startSeconds: 3 };

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      count: { type: "string", default: "1000000" },
      size: { type: "string", default: "64" },
      end: { type: "string", default: "both" },
      in: { type: "string" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return console.log(usage);
  const count = Number(values.count);
  const payloadBytes = Number(values.size);
  const ends = (["SIGTERM", "SIGKILL"] as const).filter((end) => values.end === "both" || values.end === end);
  console.log(describeMachine());
  for (const end of ends) {
    const figures = await withScratch(
      (directory) => runBacklog({ directory, end, count, publishers, window, payloadBytes }),
      values.in,
    );
    const { peakQueueing, restartSeconds, received, lost, repeated } = figures;
    const isComplete = lost === 0 && figures.sessionPresent;
    console.log(`
${thousands(count)} QoS 1 messages of ${payloadBytes} B, then ${end}  (load average ${loadAverage()})
  queueing     ${thousands(count / figures.queueSeconds)}/s
  memory       ${megabytes(figures.residentAtStart)} at start, ${megabytes(peakQueueing)} at most while queueing, ${verdict(peakQueueing < goals.peakBytes, `goal < ${megabytes(goals.peakBytes)}`)}
  end          ${end === "SIGTERM" ? `${figures.stopSeconds.toFixed(2)} s` : "at once"}
  start again  ${restartSeconds.toFixed(2)} s to the ready line, ${verdict(restartSeconds < goals.startSeconds, `goal < ${goals.startSeconds} s`)}; ${megabytes(figures.residentAfterRestart)} then
  draining     ${thousands(count / figures.seconds)}/s, ${megabytes(figures.peakDraining)} at most
  delivered    ${thousands(received)}, lost ${lost}, repeated or out of order ${repeated}, session ${figures.sessionPresent ? "kept" : "LOST"}, ${verdict(isComplete && repeated === 0, "goal: all, once, in order")}`);
    if (!isComplete) process.exitCode = 1;
  }
}

await main();
