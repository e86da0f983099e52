import { resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import type { VerifyOptions } from "../commands/verify.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { defaultData } from "../target/target.ts";
import { print, printJson } from "../terminal/print.ts";
import { ProgressBar } from "../terminal/progress-bar.ts";
import { formatBytes, formatCount } from "../units.ts";
import { loadBroker } from "./broker-library.ts";

export async function verify(io: Io, data: string | undefined, options: VerifyOptions): Promise<void> {
  const directory = resolve(io.cwd, data ?? (io.env["MESS_DATA"] || defaultData));
  const { verifyJournal } = await loadBroker();
  const bar = new ProgressBar(io.stderr, "verify");
  const result = await verifyJournal({
    data: directory,
    flags: { ...options },
    env: io.env,
    signal: io.watchSignals(),
    progress: (done, total) => bar.update(done, total),
  });
  bar.clear();
  if (options.json === true) await printJson(io, result);
  else await print(io, `${result.summary}\n`);
  if (!result.ok) throw new CliError(ExitCode.damaged, result.summary);
}
void formatBytes;
void formatCount;
