import type { Host } from "../host/host.ts";
import type { JournalFrame } from "../model/journal.ts";
import { LOST_KIND, RecordKind } from "../model/record.ts";
import { makeOrCheckDirectory } from "./data-directory.ts";
import { datasync, readAt, step, writeAt } from "./disk-io.ts";
import { CHECKPOINT_FILE, CHECKPOINT_KEY_FILE, classifyFile, HEAD_FILE, RESTORE_MARK } from "./file-names.ts";
import type { DiskJournal } from "./journal.ts";
import type { StorageLimits } from "./journal-parts.ts";
import { openKeyring } from "./keyring.ts";
import { openJournal } from "./open-journal.ts";
import { OWN_KIND_MIN } from "./record-area.ts";
import { DomainSurvey } from "./repair-domains.ts";
import { planRepair, type RepairPlan } from "./repair-plan.ts";
import { type SalvageOptions, salvageFrames } from "./salvage.ts";

export interface RepairOptions extends SalvageOptions {
  /** A directory that is not there yet; it becomes the journal that can be opened again. */
  readonly target: string;
  /** 32 bytes. */
  readonly kek: Uint8Array;
  readonly limits: StorageLimits;
  /** The record that says what was lost, last in the journal: its body, as an audit record has it. */
  readonly auditRecord: (plan: RepairPlan) => Buffer;
}

/** Records that stand for what is not there, in one frame. */
const fillersPerFrame = 65_536;
const PIECE = 1_024 * 1_024;
/** Of the old directory what belongs to its journal alone, or to a running server. */
const notCopied: ReadonlySet<string> = new Set([
  HEAD_FILE,
  CHECKPOINT_FILE,
  // Without it the journal goes on as another log: none ever has two roots for one size.
  CHECKPOINT_KEY_FILE,
  "lock.sock",
  "server.json",
  RESTORE_MARK,
]);

/**
 * Makes a journal in `target` of everything that can be read in a damaged one, under the same numbers: what is lost is
 * there as records that say so. The damaged one is only read. Until all is written `target` bears the mark of an
 * unfinished restore. Rejects with a `StorageError`.
 */
export async function repairInto(options: RepairOptions): Promise<RepairPlan> {
  const { host, target, kek, limits } = options;
  const { plan, found } = await planRepair(options);
  await makeOrCheckDirectory(host, target);
  await copyFile(host, undefined, `${target}/${RESTORE_MARK}`);
  await copyOthers(options);
  const keyring = await openKeyring({ host, directory: target, kek, create: false });
  // A checkpoint of it is for the broker to make.
  const opened = await openJournal({
    host,
    directory: target,
    keyring,
    limits,
    startAfter: Math.max(0, plan.firstSeq - 1),
  });
  const journal = opened.journal as DiskJournal;
  const copying = new Copying(journal, plan, (domain) => keyring.domains.get(domain) !== "none");
  await copying.run(salvageFrames(options, found), options.auditRecord(plan));
  await step("removing", target, () => host.disk.remove(`${target}/${RESTORE_MARK}`));
  await step("syncing", target, () => host.disk.syncDirectory(target));
  return plan;
}

class Copying {
  readonly #journal: DiskJournal;
  readonly #plan: RepairPlan;
  readonly #hasKey: (domain: number) => boolean;
  readonly #domains: DomainSurvey = new DomainSurvey();
  #next: number;
  #failure: string | undefined;
  #durable: (() => void) | undefined;

  constructor(journal: DiskJournal, plan: RepairPlan, hasKey: (domain: number) => boolean) {
    this.#journal = journal;
    this.#hasKey = hasKey;
    this.#plan = plan;
    this.#next = journal.lastSeq + 1;
  }

  async run(frames: AsyncIterable<JournalFrame>, auditRecord: Buffer): Promise<void> {
    const journal = this.#journal;
    journal.start({
      beforeSeal: () => undefined,
      committed: () => this.#durable?.(),
      failed: (reason) => {
        this.#failure = reason;
        this.#durable?.();
      },
    });
    try {
      for await (const frame of frames) {
        await this.#fillTo(frame.firstSeq - 1);
        this.#copy(frame);
        this.#domains.take(frame);
        await this.#commit();
        const { snapshotSeq } = this.#plan;
        if (snapshotSeq > 0 && snapshotSeq <= journal.durableSeq) journal.snapshotTaken(snapshotSeq);
      }
      await this.#fillTo(this.#plan.lastSeq);
      const last = [...this.#domains.records(this.#hasKey), { kind: RecordKind.audited, body: auditRecord }];
      for (const { kind, body } of last) {
        const at = journal.reserve(kind, body.length);
        body.copy(journal.openBytes, at);
      }
      await this.#commit();
    } finally {
      await journal.close();
    }
  }

  /** Records of the journal's own mean the segments that it had; they keep their numbers, and say nothing any more. */
  #copy(frame: JournalFrame): void {
    const journal = this.#journal;
    const { kinds, starts, ends, confined = [] } = frame;
    let nth = 0;
    for (let i = 0; i < frame.count; i++) {
      const kind = kinds[i]!;
      if (kind >= OWN_KIND_MIN) {
        journal.reserveOwn(LOST_KIND, 0);
        continue;
      }
      const start = starts[i]!;
      const at = journal.reserve(kind, ends[i]! - start);
      frame.bytes.copy(journal.openBytes, at, start, ends[i]);
      while (nth < confined.length && confined[nth]!.index < i) nth++;
      const part = confined[nth];
      // What is erased is zeros by now, and has no key that could seal it.
      if (part?.index === i && frame.erased?.[i] !== 1) journal.confine(part.domain, at + part.from - start);
    }
    this.#next = frame.firstSeq + frame.count;
  }

  async #fillTo(last: number): Promise<void> {
    while (this.#next <= last) {
      const count = Math.min(fillersPerFrame, last - this.#next + 1);
      for (let i = 0; i < count; i++) this.#journal.reserveOwn(LOST_KIND, 0);
      this.#next += count;
      await this.#commit();
    }
  }

  async #commit(): Promise<void> {
    const journal = this.#journal;
    while (journal.durableSeq < journal.lastSeq && this.#failure === undefined) {
      const durable = new Promise<void>((resolve) => {
        this.#durable = resolve;
      });
      journal.commit();
      await durable;
    }
    if (this.#failure !== undefined) throw new Error(this.#failure);
  }
}

async function copyOthers({ host, directory, target }: RepairOptions): Promise<void> {
  const names = await step("listing", directory, () => host.disk.list(directory));
  for (const name of names) {
    const path = `${directory}/${name}`;
    const isJournal = classifyFile(name).kind !== "other" || notCopied.has(name) || name.endsWith(".new");
    const stat = isJournal ? undefined : await step("looking at", path, () => host.disk.stat(path));
    if (stat?.kind === "file") await copyFile(host, path, `${target}/${name}`);
  }
}

/** Without a source an empty file. */
async function copyFile(host: Host, from: string | undefined, to: string): Promise<void> {
  await step("making", to, async () => {
    const file = await host.disk.open(to, "create");
    try {
      if (from !== undefined) await copyBytes(host, from, (bytes, at) => writeAt(file, bytes, at));
      await datasync(file);
    } finally {
      await file.close();
    }
  });
}

async function copyBytes(host: Host, from: string, write: (bytes: Buffer, at: number) => Promise<void>): Promise<void> {
  const file = await host.disk.open(from, "read");
  const piece = Buffer.alloc(PIECE);
  try {
    for (let at = 0; ; at += PIECE) {
      const length = await readAt(file, piece, at);
      if (length > 0) await write(piece.subarray(0, length), at);
      if (length < PIECE) return;
    }
  } finally {
    await file.close();
  }
}
