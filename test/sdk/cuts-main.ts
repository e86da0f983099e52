/** The long run: `npx tsx --tsconfig tsconfig.check.json test/sdk/cuts-main.ts [seconds] [seed]`, ten minutes by default. */
import { runCuts } from "./cuts.ts";

const [seconds = "600", seed = String(Date.now() % 1_000_000)] = process.argv.slice(2);
console.log(`seed ${seed}, ${seconds} s`);
const report = await runCuts({ seconds: Number(seconds), seed: Number(seed), pauseMs: 200 });
console.log(report);
if (report.problems.length > 0 || report.longestPauseMs > 6_000) process.exitCode = 1;
