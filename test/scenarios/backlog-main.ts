/** `npm run backlog -- [--messages N]`: prints one line of JSON. */
import { parseArgs } from "node:util";
import { backlog } from "./backlog.ts";

const { values } = parseArgs({ options: { messages: { type: "string", default: "1000000" } } });
const report = await backlog(Number(values.messages));
process.stdout.write(`${JSON.stringify(report)}\n`);
process.exitCode = report.disorder === undefined ? 0 : 1;
