/** Writes `docs/cli.md`: `npx tsx packages/cli/src/write-documentation.ts`. */
import { writeFileSync } from "node:fs";
import { documentation } from "./documentation.ts";
import { createProgram } from "./program.ts";

const unused = new AbortController();
const program = createProgram(
  {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    env: {},
    cwd: "/",
    exitCode: 0,
    watchSignals: () => unused.signal,
  },
  "0.0.0",
);
writeFileSync(new URL("../../../docs/cli.md", import.meta.url), documentation(program));
