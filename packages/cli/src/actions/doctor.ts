import { resolve } from "node:path";
import { CliError } from "../cli-error.ts";
import type { DoctorOptions } from "../commands/doctor.ts";
import { describeError } from "../describe-error.ts";
import { checkCredentials } from "../doctor/credential-checks.ts";
import {
  checkAdminKey,
  checkDiskSpace,
  checkFiles,
  checkKek,
  checkPermissions,
  checkWritable,
} from "../doctor/data-checks.ts";
import type { Check, Finding, Patient } from "../doctor/finding.ts";
import { checkClock, checkNode, checkOpenFiles, checkRoot, checkWeakening } from "../doctor/machine-checks.ts";
import { checkCertificates, checkMqtt, checkReady } from "../doctor/server-checks.ts";
import { ExitCode } from "../exit-code.ts";
import type { Io } from "../io.ts";
import { readDataDirectory } from "../target/data-directory.ts";
import { defaultData, resolveTarget, type Target } from "../target/target.ts";
import { painter } from "../terminal/colour.ts";
import { print, printJson } from "../terminal/print.ts";
import { printable } from "../terminal/table.ts";

const checks: readonly Check[] = [
  checkPermissions,
  checkFiles,
  checkKek,
  checkAdminKey,
  checkDiskSpace,
  checkWritable,
  checkNode,
  checkOpenFiles,
  checkRoot,
  checkClock,
  checkWeakening,
  checkCertificates,
  checkMqtt,
  checkReady,
  checkCredentials,
];

export async function doctor(io: Io, options: DoctorOptions): Promise<void> {
  const signal = io.watchSignals();
  const { patient, findings } = await examine(io, options, signal);
  let failed = 0;
  const report = async (finding: Finding): Promise<void> => {
    if (finding.status === "fail") failed += 1;
    await (options.json === true ? printJson(io, finding) : printFinding(io, finding));
  };
  for (const finding of findings) await report(finding);
  for (const check of checks) {
    signal.throwIfAborted();
    for (const finding of await check(patient)) await report(finding);
  }
  if (failed > 0) throw new CliError(ExitCode.configuration, `${failed} ${failed === 1 ? "check" : "checks"} failed`);
}

/** A directory or a context that cannot be read is itself a finding, and must not hide the others. */
async function examine(
  io: Io,
  options: DoctorOptions,
  signal: AbortSignal,
): Promise<{ patient: Patient; findings: Finding[] }> {
  const directory = resolve(io.cwd, options.data ?? (io.env["MESS_DATA"] || defaultData));
  const findings: Finding[] = [];
  const attempt = async <T>(id: string, work: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      const { message, hint } = describeError(error);
      findings.push({ id, status: "fail", text: message, ...(hint !== undefined && { fix: hint }) });
      return undefined;
    }
  };
  const local = await attempt("data.readable", () => readDataDirectory(directory));
  const known = local !== undefined || options.url !== undefined;
  const target: Target | undefined = await (known
    ? attempt("target.readable", () => resolveTarget(options, io))
    : resolveTarget(options, io).catch(() => undefined));
  return { patient: { env: io.env, directory, local, target, now: Date.now(), signal }, findings };
}

async function printFinding(io: Io, { id, status, text, fix }: Finding): Promise<void> {
  const paint = painter({ env: io.env, isTTY: io.stdout.isTTY });
  const colour = status === "ok" ? "green" : status === "warn" ? "yellow" : "red";
  const more = fix === undefined ? "" : `; ${printable(fix)}`;
  await print(io, `${paint(colour, status.padEnd(4))}  ${id.padEnd(20)}  ${printable(text)}${more}\n`);
}
