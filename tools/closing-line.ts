/**
 * Prints the last line of a test run, `N passed, N failed`, and exits 0 only when something ran and nothing failed.
 * Arguments: vitest's JSON report, the number of failed checks, vitest's exit status.
 */
import { readFileSync } from "node:fs";

export interface RunOutcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
}

/** A run that died, found no test, or failed outside any test counts as one failure: silence is not success. */
export function outcome(report: string | undefined, checksFailed: number, exitStatus: number): RunOutcome {
  const read = report === undefined ? undefined : (JSON.parse(report) as VitestReport);
  const passed = read?.numPassedTests ?? 0;
  let failed = (read?.numFailedTests ?? 0) + checksFailed;
  const brokenElsewhere = exitStatus !== 0 && (read?.numFailedTests ?? 0) === 0;
  if (brokenElsewhere || (passed === 0 && failed === 0)) failed++;
  return { passed, failed, skipped: read?.numPendingTests ?? 0 };
}

function readReport(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

if (process.argv[1]?.endsWith("closing-line.ts")) {
  const [path = "", checks = "0", status = "0"] = process.argv.slice(2);
  const run = outcome(readReport(path), Number(checks), Number(status));
  if (run.skipped > 0)
    console.log(
      `${run.skipped} skipped: their lines above say why (a tool this machine lacks, or a set-up that failed)`,
    );
  console.log(`${run.passed} passed, ${run.failed} failed`);
  process.exitCode = run.failed === 0 ? 0 : 1;
}
