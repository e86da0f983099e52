/** Storage, as administrators see it: the keys at rest. */
import type { AdministratorActs } from "./administrator-acts.ts";
import type { BrokerEngine } from "./engine.ts";
import type { KekRotated, KeysAtRest, StorageAdministration, StorageStatus } from "./model/storage-administration.ts";

const LOOK_MS = 60_000;

export interface StorageAdministratorParts {
  readonly engine: BrokerEngine;
  readonly acts: AdministratorActs;
  readonly keys: KeysAtRest;
}

export class StorageAdministrator implements StorageAdministration {
  readonly #parts: StorageAdministratorParts;
  #isRotating = false;
  /** Monotonic time of the next look at the key's age. */
  #lookAt = 0;

  constructor(parts: StorageAdministratorParts) {
    this.#parts = parts;
  }

  status(): StorageStatus {
    const { dataKeys, kekKeeper } = this.#parts.keys;
    return { dataKey: dataKeys.status(), kek: kekKeeper.source };
  }

  async rotateDataKey(by: string): Promise<number> {
    const act = "storage.data-key.rotate";
    const { engine, acts, keys } = this.#parts;
    if (this.#isRotating) throw acts.refusal({ act, by }, "conflict", "the data key is being rotated; try again");
    this.#isRotating = true;
    try {
      const key = await this.#asked({ act, by }, () => keys.dataKeys.rotate());
      // The first record under the new key is the one that says so.
      engine.machine.audit.write(act, { by, key });
      await acts.durable();
      return key;
    } finally {
      this.#isRotating = false;
    }
  }

  /** By age and by use; called with the engine's clockwork, looks once a minute. */
  upkeep(now: number): void {
    if (now < this.#lookAt) return;
    this.#lookAt = now + LOOK_MS;
    if (this.#isRotating || this.#parts.engine.journal.hasFailed || !this.#parts.keys.dataKeys.isDue()) return;
    // A refusal is audited, and the next look comes soon.
    this.rotateDataKey("mess").catch(() => undefined);
  }

  async rotateKek(by: string): Promise<KekRotated> {
    const act = "storage.kek.rotate";
    const { engine, acts, keys } = this.#parts;
    const { kekKeeper } = keys;
    const rotated = await this.#asked({ act, by }, () => kekKeeper.rotate());
    engine.machine.audit.write(act, { by, source: kekKeeper.source });
    await acts.durable();
    return rotated;
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
