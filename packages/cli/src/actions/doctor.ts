import { resolve } from "node:path";
import { CliError, usageError } from "../cli-error.ts";
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

/** By the id of what they find; `certificate` finds several. */
export const checks: readonly (readonly [id: string, check: Check])[] = [
  ["data.permissions", checkPermissions],
  ["data.files", checkFiles],
  ["data.kek", checkKek],
  ["data.admin-key", checkAdminKey],
  ["disk.space", checkDiskSpace],
  ["disk.writable", checkWritable],
  ["node.version", checkNode],
  ["process.open-files", checkOpenFiles],
  ["process.root", checkRoot],
  ["clock.synchronised", checkClock],
  ["options.weakening", checkWeakening],
  ["certificate", checkCertificates],
  ["server.mqtt", checkMqtt],
  ["server.ready", checkReady],
  ["keys.expiry", checkCredentials],
];

export async function doctor(io: Io, options: DoctorOptions): Promise<void> {
  const signal = io.watchSignals();
  const { patient, findings } = await examine(io, options, signal);
  let failed = 0;
  const report = async (finding: Finding): Promise<void> => {
    if (finding.status === "fail") failed += 1;
    await (options.json === true ? printJson(io, finding) : printFinding(io, finding));
  };
  const { only = [] } = options;
  const wanted = checks.filter(
    ([id]) => only.length === 0 || only.some((one) => one === id || one.startsWith(`${id}.`)),
  );
  const unknown = only.find((one) => !wanted.some(([id]) => one === id || one.startsWith(`${id}.`)));
  if (unknown !== undefined)
    throw usageError(`there is no check ${unknown}`, `the checks are ${checks.map(([id]) => id).join(", ")}`);
  for (const finding of findings) await report(finding);
  for (const [, check] of wanted) {
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
