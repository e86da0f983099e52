/**
 * Writes the pages of `docs/` that are made from tables in the source. With `--check` writes nothing and exits 1 when a
 * page is not current. Run with `npx tsx tools/generate-docs.ts`.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { renderConfigPage } from "../packages/broker/src/config/describe.ts";
import { renderPolicyPage } from "../packages/broker/src/security/describe.ts";

const pages: ReadonlyMap<string, () => string> = new Map([
  ["docs/config.md", renderConfigPage],
  ["docs/policy.md", renderPolicyPage],
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

function read(file: URL): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return undefined;
  }
}
