/** Memory of an idle broker, alone and with many connections that do nothing. */
import { join } from "node:path";
import { parseArgs } from "node:util";
import { delay } from "./load/clock.ts";
import { openIdle } from "./load/idle.ts";
import { describeMachine, loadAverage } from "./machine.ts";
import { startMess } from "./mess.ts";
import { memory } from "./process-figures.ts";
import { withScratch } from "./scratch.ts";
import { megabytes, thousands, verdict } from "./text.ts";

const usage = `Usage: tsx bench/idle.ts [options]

  --connections N   (default 10000; needs that many file descriptors in this process and in the server)
  --settle SECONDS  from the ready line, and from the last connection, to the reading (default 20: V8 gives young
                    memory back after some idle seconds)`;

const goals = { baseBytes: 80_000_000, bytesPerConnection: 12_000 };

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      connections: { type: "string", default: "10000" },
      settle: { type: "string", default: "20" },
      help: { type: "boolean", short: "h" },
    },
  });
  if (values.help === true) return console.log(usage);
  console.log(describeMachine());
  await withScratch((directory) => measure(directory, Number(values.connections), Number(values.settle)));
}

async function measure(directory: string, connections: number, settleSeconds: number): Promise<void> {
  const mess = await startMess({ dataDir: join(directory, "data") });
  try {
    await delay(settleSeconds * 1_000);
    const base = memory(mess.process.pid).resident;
    console.log(
      `\nidle, alone      ${megabytes(base)} resident, ${verdict(base < goals.baseBytes, `goal < ${megabytes(goals.baseBytes)}`)}`,
    );
    const idle = await openIdle(mess.target, connections);
    await delay(settleSeconds * 1_000);
    const { resident, peak } = memory(mess.process.pid);
    const each = (resident - base) / idle.count;
    const goal = `goal < ${goals.bytesPerConnection / 1_000} KB`;
    console.log(`with ${thousands(idle.count)}      ${megabytes(resident)} resident, ${megabytes(peak)} at most`);
    console.log(`per connection   ${(each / 1_000).toFixed(1)} KB, ${verdict(each < goals.bytesPerConnection, goal)}`);
    console.log(`connecting       ${thousands(idle.connectsPerSecond)}/s  (load average ${loadAverage()})`);
    idle.close();
  } finally {
    await mess.process.kill();
  }
}

await main();
