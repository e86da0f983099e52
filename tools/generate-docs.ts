/**
 * Writes the pages of `docs/` that are made from tables in the source. With `--check` writes nothing and exits 1 when a
 * page is not current. Run with `npx tsx tools/generate-docs.ts`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { renderConfigPage } from "../packages/broker/src/config/describe.ts";
import { renderPolicyPage } from "../packages/broker/src/security/describe.ts";
import { documentation } from "../packages/cli/src/documentation.ts";
import { createProgram } from "../packages/cli/src/program.ts";
import { renderSdkReference } from "./sdk-reference.ts";
import { renderThreatModel } from "./threat-model.ts";

const pages: ReadonlyMap<string, () => string> = new Map([
  ["docs/cli.md", renderCommandPage],
  ["docs/config.md", renderConfigPage],
  ["docs/policy.md", renderPolicyPage],
  ["docs/sdk-reference.md", renderSdkReference],
  ["docs/threat-model.md", renderThreatModel],
]);

const check = process.argv.includes("--check");
for (const [path, render] of pages) {
  const file = new URL(`../${path}`, import.meta.url);
  const wanted = render();
  if (read(file) === wanted) continue;
  if (check) {
    console.error(`${path} is not current: run npx tsx tools/generate-docs.ts`);
    process.exitCode = 1;
  } else {
    writeFileSync(file, wanted);
    console.log(`wrote ${path}`);
  }
}

/** The commands are only described here, never run, so their world can be bare. */
function renderCommandPage(): string {
  const { stdin, stdout, stderr } = process;
  const watchSignals = (): AbortSignal => new AbortController().signal;
  return documentation(createProgram({ stdin, stdout, stderr, env: {}, cwd: "/", exitCode: 0, watchSignals }, "0.0.0"));
}

function read(file: URL): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
