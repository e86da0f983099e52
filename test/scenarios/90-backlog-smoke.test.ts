/** A small edition of `bench/backlog.ts`: what it proves, without its times. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { runBacklog } from "../../bench/backlog-run.ts";

const count = 20_000;
/** Far above what a small backlog needs, far below what holding it as objects would cost at full size. */
const peakBytesMax = 300_000_000;

let directory = "";
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "mess-test-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe("messages for a session that is away", () => {
  test.each(["SIGTERM", "SIGKILL"] as const)(
    "all come, once and in order, after %s and a new start",
    async (end) => {
      const figures = await runBacklog({ directory, end, count, publishers: 10, window: 50, payloadBytes: 100 });
      expect(figures).toMatchObject({ sessionPresent: true, received: count, lost: 0, repeated: 0 });
      expect(figures.peakQueueing).toBeLessThan(peakBytesMax);
    },
    120_000,
  );
});
