import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Runs `work` with a new directory below `parent` that is removed afterwards, whatever happens. */
export async function withScratch<Result>(
  work: (directory: string) => Promise<Result>,
  parent: string = tmpdir(),
): Promise<Result> {
  const directory = mkdtempSync(join(parent, "mess-bench-"));
  const remove = (): void => rmSync(directory, { recursive: true, force: true });
  process.once("exit", remove);
  try {
    return await work(directory);
  } finally {
    remove();
    process.off("exit", remove);
  }
}
