import type { KekRotated, KekSource } from "../model/storage-administration.ts";
import { defaultKekPath, type KekOptions, kekSourceOf, loadKek } from "./kek.ts";
import { rotateKekFile } from "./kek-rotation.ts";
import type { Keyring } from "./keyring.ts";
import { StorageError } from "./storage-error.ts";

export interface KekKeeperParts {
  /** Where the key came from at start. */
  readonly options: KekOptions;
  readonly keyring: Keyring;
  readonly kek: Buffer;
}

/** The key-encryption key of a ring that is in use. */
export class KekKeeper {
  readonly #parts: KekKeeperParts;
  #kek: Buffer;
  #isRotating = false;

  constructor(parts: KekKeeperParts) {
    this.#parts = parts;
    this.#kek = parts.kek;
  }

  get source(): KekSource {
    return kekSourceOf(this.#parts.options);
  }

  /**
   * Wraps the keyring by another key from the same source: a new one in the place of the key file, or what the key
   * command gives now. Rejects with a `StorageError`, `in-use` where this cannot be while the journal is open.
   */
  async rotate(): Promise<KekRotated> {
    if (this.#isRotating) throw new StorageError("in-use", "The key-encryption key is being rotated; try again.");
    this.#isRotating = true;
    try {
      return await this.#rotate();
    } finally {
      this.#isRotating = false;
    }
  }

  async #rotate(): Promise<KekRotated> {
    const { options, keyring } = this.#parts;
    if (this.source === "file") {
      const path = options.kekFile ?? defaultKekPath(options.directory);
      const { kept } = await rotateKekFile(path, (kek) => this.#rewrap(kek));
      return { source: path, kept };
    }
    if (this.source !== "command") {
      const message =
        this.source === "descriptor"
          ? "The key-encryption key came from a file descriptor, which gives it once. Stop the server, and run: mess kek rotate --offline"
          : "The key-encryption key is in this program's memory only: there is nothing to put another one into.";
      throw new StorageError("in-use", message);
    }
    const { kek, source } = await loadKek(options);
    if (kek.equals(this.#kek)) {
      const message = "The key command still gives the same key. Have it give the new one, and run this again.";
      throw new StorageError("in-use", message);
    }
    await keyring.rewrap(kek);
    this.#kek = kek;
    return { source };
  }

  async #rewrap(kek: Buffer): Promise<void> {
    await this.#parts.keyring.rewrap(kek);
    this.#kek = kek;
  }
}
