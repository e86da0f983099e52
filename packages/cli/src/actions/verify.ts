import { stat } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { BadPosition, VerifyReport } from "@mess/broker";
import { CliError, configurationError } from "../cli-error.ts";
import type { VerifyOptions } from "../commands/verify.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { type KekFlags, kekFlags } from "../kek-options.ts";
import { defaultData } from "../target/target.ts";
import { print, printJson } from "../terminal/print.ts";
import { ProgressBar } from "../terminal/progress-bar.ts";
import { formatCount } from "../units.ts";
import { loadBroker } from "./broker-library.ts";

export async function verify(io: Io, data: string | undefined, options: VerifyOptions): Promise<void> {
  const directory = resolve(io.cwd, data ?? (io.env["MESS_DATA"] || defaultData));
  await mustHoldJournal(directory);
  const report = await check(io, directory, options);
  if (options.json === true) await printJson(io, report);
  else if (report.problem === undefined) await print(io, goodText(report));
  if (report.problem !== undefined) throw new CliError(ExitCode.damaged, badText(report.problem), damagedHint);
}

async function check(io: Io, directory: string, options: VerifyOptions): Promise<VerifyReport> {
  const { StorageError, loadKek, nodeHost, verifyJournal } = await loadBroker();
  const bar = new ProgressBar(io.stderr, "verify");
  const onProgress = (done: number, total: number): void => bar.update(done, total);
  try {
    const source = { directory, ...kekSource(io, options) };
    const kek = options.withoutKey === true ? undefined : (await loadKek(source)).kek;
    const checkpointFile = options.checkpoint === undefined ? undefined : resolve(io.cwd, options.checkpoint);
    const checkpoint = checkpointFile !== undefined && { checkpointFile };
    return await verifyJournal({ host: nodeHost(), directory, kek, onProgress, ...checkpoint }).finally(() =>
      bar.clear(),
    );
  } catch (error) {
    // It could not be checked: in use, without its key, unreadable. `problem` is for what was found wrong in it.
    if (options.json === true && error instanceof StorageError) {
      await printJson(io, { ok: false, error: { code: error.code, reason: error.message, detail: error.detail } });
    }
    throw error;
  }
}

const damagedHint = "change nothing: copy the directory, and restore a backup or ask for help with the copy";

/** Before the key is loaded: without a journal a missing key would be made anew, and a check must change nothing. */
async function mustHoldJournal(directory: string): Promise<void> {
  const keyring = await stat(join(directory, "keyring")).catch((error: unknown) => {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code !== "ENOENT" && code !== "ENOTDIR") throw error;
    return undefined;
  });
  if (keyring === undefined)
    throw configurationError(`${directory} holds no journal`, "name the data directory of a server");
}

/** The flags, or else what `mess serve` would take from the environment. */
function kekSource({ env }: Io, options: VerifyOptions): KekFlags {
  const flags = kekFlags(options);
  if (Object.keys(flags).length > 0) return flags;
  const { MESS_KEK_FILE: file, MESS_KEK_FD: descriptor, MESS_KEK_COMMAND: command } = env;
  return {
    ...(file !== undefined && file !== "" && { kekFile: file }),
    ...(descriptor !== undefined && /^\d+$/u.test(descriptor) && { kekFd: Number(descriptor) }),
    ...(command !== undefined && command !== "" && { kekCommand: command }),
  };
}

function goodText(report: VerifyReport): string {
  const torn = report.emptyBytes.filter(({ what }) => what === "torn").length;
  const range = report.records === 0 ? "" : ` (${formatCount(report.firstSeq)} to ${formatCount(report.lastSeq)})`;
  const parts = [
    report.keyless ? "chain ok, text not opened" : "chain ok",
    `${formatCount(report.segments)} ${report.segments === 1 ? "segment" : "segments"}`,
    `${formatCount(report.frames)} frames`,
    `${formatCount(report.records)} records${range}`,
    ...(report.erased > 0 ? [`${formatCount(report.erased)} erased`] : []),
    ...report.checkpoints.map(checkpointText),
    ...(report.trims.length > 0 ? [`${formatCount(report.trims.length)} dropped segments accounted for`] : []),
    ...report.unexplained.map(({ first, last }) => {
      const which = first === last ? `segment ${first} is` : `segments ${first} to ${last} are`;
      return `${which} gone, and only the key shows whether rightly so`;
    }),
    ...(torn > 0 ? [`${torn} torn ${torn === 1 ? "tail" : "tails"} after the last acknowledged frame`] : []),
    `head ${report.headHash}`,
  ];
  return `${parts.join(" · ")}\n`;
}

function checkpointText({ file, size, signed, result }: VerifyReport["checkpoints"][number]): string {
  const what = `checkpoint of ${formatCount(size)} frames (${file})`;
  if (result === "unknown") return `${what} not compared: its frames were dropped`;
  return `${what} continued${signed ? "" : ", signature not checked"}`;
}

function badText({ file, offset, seq, reason }: BadPosition): string {
  const where = `${file}${offset > 0 ? `, byte ${offset}` : ""}${seq > 0 ? `, record ${seq}` : ""}`;
  return `the journal is damaged: ${where}: ${reason}`;
}
