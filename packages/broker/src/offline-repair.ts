/** Makes a damaged data directory one that opens again, with what is left, and keeps the damaged one. */
import { existsSync } from "node:fs";
import { nodeHost } from "./host/node-host.ts";
import { kekOptionsOf } from "./kek-options-of.ts";
import { jsonBytes } from "./model/record.ts";
import { formatRfc3339 } from "./model/rfc3339.ts";
import { type OfflineOptions, offlineConfig } from "./offline.ts";
import { StartError } from "./start-error.ts";
import { checkDirectory, lockDirectory } from "./storage/data-directory.ts";
import { step } from "./storage/disk-io.ts";
import { loadKek } from "./storage/kek.ts";
import { type Keyring, openKeyring } from "./storage/keyring.ts";
import { readLogKey } from "./storage/log-key.ts";
import { repairInto } from "./storage/repair.ts";
import { planRepair, type RepairPlan, type SeqRange } from "./storage/repair-plan.ts";
import { formatNote, signNote } from "./storage/signed-note.ts";
import { replaceSmallFile } from "./storage/small-file.ts";
import { verifyJournal } from "./storage/verify.ts";

export interface RepairOfflineOptions extends OfflineOptions {
  /** Only tell what would be done. */
  readonly dryRun?: boolean;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface RepairOutcome extends RepairPlan {
  /** What was wrong first; absent where nothing is. */
  readonly problem?: string;
  /** The damaged directory, as it was; absent where nothing was done. */
  readonly kept?: string;
  /** A signed statement of what was lost; absent where nothing was done. */
  readonly note?: string;
}

/** Ranges that the statement lists; more are told as a sum. */
const rangesMax = 256;

/** Rejects with a `StorageError` (75 while a server runs) or `StartError`. */
export async function repairOffline(options: RepairOfflineOptions): Promise<RepairOutcome> {
  const config = offlineConfig(options);
  const host = nodeHost();
  const directory = config.data;
  const target = `${directory}.repairing`;
  await checkDirectory(host, directory);
  if (!existsSync(`${directory}/keyring`))
    throw new StartError(78, `${directory} holds no keyring: without it nothing can be read`);
  if (existsSync(target)) {
    throw new StartError(78, `${target} is there: an earlier repair did not finish. Remove it, and repair again`);
  }
  const { kek } = await loadKek(kekOptionsOf(config));
  const report = await verifyJournal({ host, directory, kek });
  const problem = report.problem?.reason;
  const lock = await lockDirectory(host, directory);
  try {
    const keyring = await openKeyring({ host, directory, kek, create: false });
    const { onProgress } = options;
    const source = { host, directory, keyring, ...(onProgress !== undefined && { onProgress }) };
    const { plan } = await planRepair(source);
    if (problem === undefined || options.dryRun === true) return { ...plan, ...(problem !== undefined && { problem }) };
    if (plan.records === 0) throw new StartError(65, `nothing in ${directory} can be read; restore it from a backup`);
    const at = host.clock.now();
    const note = await statement({ directory, keyring, plan, at });
    const auditRecord = (): Buffer => {
      const detail = { lost: plan.lost.slice(0, rangesMax).map(textOf).join(","), records: sumOf(plan.lost), note };
      return jsonBytes({ at, event: "journal.repaired", detail });
    };
    await repairInto({ ...source, target, kek, limits: config.limits, auditRecord });
    const after = await verifyJournal({ host, directory: target, kek });
    if (after.problem !== undefined)
      throw new StartError(70, `the repaired copy ${target} does not verify: ${after.problem.reason}`);
    const stamp = formatRfc3339(at).replace(/[-:]|\.\d+/g, "");
    const kept = `${directory}.damaged-${stamp}`;
    const notePath = `${directory}.repaired-${stamp}.note`;
    await replaceSmallFile(host, notePath, Buffer.from(note, "utf8"));
    await lock.release();
    await step("renaming", directory, async () => {
      await host.disk.rename(directory, kept);
      await host.disk.rename(target, directory);
      await host.disk.syncDirectory(directory.replace(/\/[^/]*$/, "") || "/");
    });
    return { ...plan, problem, kept, note: notePath };
  } finally {
    await lock.release();
  }
}

/** Signed by the key of the log that ends here, if it had one: whoever verified its checkpoints can verify this. */
async function statement(what: {
  readonly directory: string;
  readonly keyring: Keyring;
  readonly plan: RepairPlan;
  readonly at: number;
}): Promise<string> {
  const { directory, keyring, plan, at } = what;
  const key = await readLogKey({ host: nodeHost(), directory, keyring }).catch(() => undefined);
  const listed = plan.lost.slice(0, rangesMax);
  const text = `${[
    `mess/repair ${keyring.journalId.toString("hex")}`,
    `at ${formatRfc3339(at)}`,
    `log ${key?.verifier.name ?? "without a key"}`,
    `kept ${plan.firstSeq}-${plan.lastSeq}`,
    `lost ${sumOf(plan.lost)} records in ${plan.lost.length} ranges`,
    ...listed.map(textOf),
  ].join("\n")}\n`;
  return key === undefined ? text : formatNote(signNote(text, key.verifier, key.privateKey));
}

function textOf({ first, last }: SeqRange): string {
  return `${first}-${last}`;
}

function sumOf(ranges: readonly SeqRange[]): number {
  return ranges.reduce((sum, { first, last }) => sum + last - first + 1, 0);
}
