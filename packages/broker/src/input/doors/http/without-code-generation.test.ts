import { execFile } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { expect, it } from "vitest";

it("serves in a process that may not make code from strings (LESSONS 38)", async () => {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve("tsx")).href;
  const script = fileURLToPath(new URL("./without-code-generation.test-data.ts", import.meta.url));
  const flags = ["--disallow-code-generation-from-strings", "--import", loader, script];
  const { stdout, stderr } = await promisify(execFile)(process.execPath, flags, { timeout: 25_000 });
  expect(JSON.parse(stdout)).toEqual({ statuses: [200, 201, 422, 200, 200], refused: true, failures: [] });
  expect(stderr).toContain("made a certificate authority");
});
