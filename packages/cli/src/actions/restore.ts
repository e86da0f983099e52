import { resolve } from "node:path";
import type { RestoreOptions } from "../commands/restore.ts";
import type { Io } from "../io.ts";
import { kekFlags } from "../kek-options.ts";
import { defaultData } from "../target/target.ts";
import { note, printJson } from "../terminal/print.ts";
import { ProgressBar } from "../terminal/progress-bar.ts";
import { formatCount } from "../units.ts";
import { loadBroker } from "./broker-library.ts";

export async function restore(io: Io, file: string, options: RestoreOptions): Promise<void> {
  const data = resolve(io.cwd, options.data ?? (io.env["MESS_DATA"] || defaultData));
  const { restoreOffline } = await loadBroker();
  const bar = new ProgressBar(io.stderr, "restore");
  const report = await restoreOffline({
    file: resolve(io.cwd, file),
    data,
    flags: kekFlags(options),
    env: io.env,
    onProgress: (done, total) => bar.update(done, total),
  }).finally(() => bar.clear());
  const { records, lastSeq, headHash, madeAt } = report;
  if (options.json === true) return printJson(io, { data, records, lastSeq, headHash, madeAt });
  const when = new Date(madeAt).toISOString().slice(0, 19).replace("T", " ");
  note(io, `restored to ${data} and verified: ${formatCount(records)} records as of ${when} UTC · head ${headHash}`);
  note(io, "keys that were valid then are valid again; mess key reset --offline makes a new admin key if none is left");
}
