/** Storage, as administrators see it: the keys at rest, and whether what is stored is whole. */
import type { AdministratorActs } from "./administrator-acts.ts";
import type { BrokerEngine } from "./engine.ts";
import type { MetricSample } from "./model/administration.ts";
import type { KekRotated, StorageAdministration, StorageParts, StorageStatus } from "./model/storage-administration.ts";

const LOOK_MS = 60_000;

export interface StorageAdministratorParts {
  readonly engine: BrokerEngine;
  readonly acts: AdministratorActs;
  readonly storage: StorageParts;
}

export class StorageAdministrator implements StorageAdministration {
  readonly #parts: StorageAdministratorParts;
  #isRotating = false;
  /** Monotonic time of the next look at the key's age. */
  #lookAt = 0;

  constructor(parts: StorageAdministratorParts) {
    this.#parts = parts;
  }

  /** Begins the background scrub. */
  start(): void {
    this.#parts.storage.scrubber.start(({ file, segment, offset, seq, reason }) => {
      this.#parts.engine.machine.audit.write("journal.corrupt", { file, segment, offset, seq, reason });
    });
  }

  status(): StorageStatus {
    const { dataKeys, kekKeeper, scrubber } = this.#parts.storage;
    return { dataKey: dataKeys.status(), kek: kekKeeper.source, scrub: scrubber.status() };
  }

  async rotateDataKey(by: string): Promise<number> {
    const act = "storage.data-key.rotate";
    const { acts, storage } = this.#parts;
    if (this.#isRotating) throw acts.refusal({ act, by }, "conflict", "the data key is being rotated; try again");
    this.#isRotating = true;
    try {
      const key = await this.#asked({ act, by }, () => storage.dataKeys.rotate());
      // The first record under the new key is the one that says so.
      await this.#audited(act, { by, key });
      return key;
    } finally {
      this.#isRotating = false;
    }
  }

  /** By age and by use; called with the engine's clockwork, looks once a minute. */
  upkeep(now: number): void {
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_MS;
    if (this.#isRotating || this.#parts.engine.journal.hasFailed || !this.#parts.storage.dataKeys.isDue()) return;
    // A refusal is audited, and the next look comes soon.
    this.rotateDataKey("mess").catch(() => undefined);
  }

  async rotateKek(by: string): Promise<KekRotated> {
    const act = "storage.kek.rotate";
    const { kekKeeper } = this.#parts.storage;
    const rotated = await this.#asked({ act, by }, () => kekKeeper.rotate());
    await this.#audited(act, { by, source: kekKeeper.source });
    return rotated;
  }

  async scrub(by: string): Promise<void> {
    this.#parts.storage.scrubber.passNow();
    await this.#audited("storage.scrub", { by });
  }

  /** For `/readyz?verbose`: `ok`, or the first place that is damaged. */
  health(): string {
    const [first] = this.#parts.storage.scrubber.status().corrupt;
    if (first === undefined) return "ok";
    return `damaged: ${first.file}, byte ${first.offset}, record ${first.seq}: ${first.reason}`;
  }

  metrics(): readonly MetricSample[] {
    const { dataKeys, scrubber } = this.#parts.storage;
    const { bytes, passes, corrupt } = scrubber.status();
    const { frames } = dataKeys.status();
    return [
      {
        name: "mess_journal_corrupt",
        help: "Segments that the scrub found damaged.",
        type: "gauge",
        value: corrupt.length,
      },
      { name: "mess_scrub_bytes_total", help: "Stored bytes checked by the scrub.", type: "counter", value: bytes },
      { name: "mess_scrub_passes_total", help: "Scrubs of everything stored.", type: "counter", value: passes },
      { name: "mess_data_key_frames", help: "Frames sealed by the data key in use.", type: "gauge", value: frames },
    ];
  }

  async #audited(event: string, detail: Readonly<Record<string, string | number>>): Promise<void> {
    const { engine, acts } = this.#parts;
    engine.machine.audit.act(event, detail);
    engine.journal.commit();
    await acts.durable();
  }

  async #asked<T>(asked: { act: string; by: string }, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof Error) || !("exitCode" in error) || !("code" in error)) throw error;
      const isBroken = error.code === "io" || error.code === "damaged";
      throw this.#parts.acts.refusal(asked, isBroken ? "unavailable" : "conflict", error.message);
    }
  }
}
