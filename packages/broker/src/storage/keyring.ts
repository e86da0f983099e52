import type { KeyObject } from "node:crypto";
import type { Host } from "../host/host.ts";
import type { SecretBox } from "../model/journal.ts";
import { ErasureKeys } from "./erasure-keys.ts";
import { ERASURE_FILES, type ErasureFile } from "./file-names.ts";
import { type KeyringContent, parseKeyring, readKeyringFile, writeKeyringFile } from "./keyring-file.ts";
import { openSecret, sealSecret, secretBox, secretKey } from "./secret-box.ts";
import { type SegmentKey, segmentKey } from "./segment-key.ts";
import { StorageError } from "./storage-error.ts";

const KEY_BYTES = 32;
const JOURNAL_ID_BYTES = 16;
const BOX_KEY_ID = 0;
/** No data key has it: they count from 1. */
const DOMAINS_KEY_ID = -1;
const DATA_KEYS_MAX = 10_000;

/** The data keys of one journal, wrapped on disk by the key-encryption key. */
export interface Keyring {
  /** 16 bytes that all files of the journal carry. */
  readonly journalId: Buffer;
  /** Data key that new segments use. */
  readonly currentKeyId: number;
  /** When it was made, wall-clock milliseconds; 0 when nobody knows. */
  readonly currentKeyMadeAt: number;
  /** How many data keys the ring holds. */
  readonly keyCount: number;
  /** Keys of a segment; `undefined` when the data key is not in the ring. */
  segmentKey(keyId: number, salt: Uint8Array): SegmentKey | undefined;
  /** Keys of erasure domains. */
  readonly domains: ErasureKeys;
  readonly box: SecretBox;
  /** Makes a new data key for segments to come; the old ones stay for theirs, but for those that `isNeeded` gives up. */
  rotate(isNeeded?: (keyId: number) => boolean): Promise<void>;
  /** Wraps all keys by another key-encryption key (32 bytes); the data are not touched. */
  rewrap(kek: Uint8Array): Promise<void>;
}

export interface KeyringOptions {
  readonly host: Host;
  readonly directory: string;
  /** 32 bytes. */
  readonly kek: Uint8Array;
  /** Make a new ring when there is none: only for a directory that holds no journal. */
  readonly create: boolean;
}

/** Rejects with a `StorageError`: `configuration` for a wrong key, `damaged` for a damaged or missing ring. */
export async function openKeyring(options: KeyringOptions): Promise<Keyring> {
  const { host, directory, kek } = options;
  if (kek.length !== KEY_BYTES) {
    throw new StorageError("configuration", `The key-encryption key has ${kek.length} bytes; it must have 32.`);
  }
  const content = await readKeyringFile(host, directory);
  if (content !== undefined) {
    const ring = unwrapRing(options, content);
    await ring.openDomains();
    return ring;
  }
  if (!options.create) {
    throw new StorageError(
      "damaged",
      `The keyring of ${directory} is missing, and without it its journal cannot be read. Restore it from a backup.`,
      { file: `${directory}/keyring` },
    );
  }
  const ring = new WrappedKeyring(options, Buffer.from(host.random.bytes(JOURNAL_ID_BYTES)));
  ring.setBoxKey(host.random.bytes(KEY_BYTES));
  await ring.rotate();
  await ring.openDomains();
  return ring;
}

/**
 * The keyring whose file has these bytes; `directory` is only named in messages. Not to be changed: there is no file. It
 * knows no erasure domains.
 */
export function keyringFromBytes(options: Omit<KeyringOptions, "create">, bytes: Buffer): Omit<Keyring, "domains"> {
  return unwrapRing(options, parseKeyring(`${options.directory}/keyring`, bytes));
}

function unwrapRing(options: Omit<KeyringOptions, "create">, content: KeyringContent): WrappedKeyring {
  const ring = new WrappedKeyring(options, Buffer.from(content.journal, "base64"));
  const kek = secretKey(options.kek);
  const unwrap = (wrapped: string, id: number): Buffer => {
    const key = openSecret(kek, Buffer.from(wrapped, "base64"), wrapContext(ring.journalId, id));
    if (key !== undefined) return key;
    throw new StorageError(
      "configuration",
      `The key-encryption key does not open the journal in ${options.directory}. Nothing was changed. ` +
        "Give the key that belongs to it (--kek-file, --kek-fd or --kek-command), or its escrow copy.",
      { file: `${options.directory}/keyring`, key: id },
    );
  };
  ring.setBoxKey(unwrap(content.box, BOX_KEY_ID));
  if (content.domains !== undefined) {
    ring.setDomainsKey(unwrap(content.domains, DOMAINS_KEY_ID), content.domainsFile ?? ERASURE_FILES[0]);
  }
  for (const { id, wrapped, madeAt = 0 } of content.keys) ring.setDataKey(id, { key: unwrap(wrapped, id), madeAt });
  ring.currentKeyId = content.current;
  return ring;
}

/** Whether this key-encryption key is the one of the ring with these bytes. */
export function opensKeyring(path: string, bytes: Buffer, kek: Uint8Array): boolean {
  const { journal, box } = parseKeyring(path, bytes);
  const context = wrapContext(Buffer.from(journal, "base64"), BOX_KEY_ID);
  return openSecret(secretKey(kek), Buffer.from(box, "base64"), context) !== undefined;
}

/** Binds a wrapped key to its journal and its number, so that keys cannot be swapped in the file. */
function wrapContext(journalId: Buffer, id: number): Buffer {
  return Buffer.concat([Buffer.from("mess/wrap/v1\0"), journalId, Buffer.from(String(id))]);
}

interface DataKey {
  readonly key: Buffer;
  readonly madeAt: number;
}

class WrappedKeyring implements Keyring {
  readonly journalId: Buffer;
  currentKeyId = 0;
  readonly #host: Host;
  readonly #directory: string;
  #keys: Map<number, DataKey> = new Map();
  /** Writes of the file, one after the other: each holds everything. */
  #writing: Promise<void> = Promise.resolve();
  #kek: KeyObject;
  #boxKey: Buffer = Buffer.alloc(0);
  /** Undefined until there is an erasure domain. */
  #domainsKey: Buffer | undefined;
  #domainsFile: ErasureFile = ERASURE_FILES[0];
  #domains: ErasureKeys | undefined;
  #box: SecretBox | undefined;

  constructor(options: Omit<KeyringOptions, "create">, journalId: Buffer) {
    this.#host = options.host;
    this.#directory = options.directory;
    this.#kek = secretKey(options.kek);
    this.journalId = journalId;
  }

  setBoxKey(key: Uint8Array): void {
    this.#boxKey = Buffer.from(key);
    this.#box = secretBox(secretKey(key), this.#host.random);
  }

  setDomainsKey(key: Uint8Array, file: ErasureFile): void {
    this.#domainsKey = Buffer.from(key);
    this.#domainsFile = file;
  }

  async openDomains(): Promise<void> {
    const { journalId } = this;
    const fresh = Buffer.from(this.#host.random.bytes(KEY_BYTES));
    this.#domains = await ErasureKeys.open({
      host: this.#host,
      directory: this.#directory,
      journalId,
      wrap: secretKey(this.#domainsKey ?? fresh),
      file: this.#domainsFile,
      keepWrap: () => this.#keepDomainsKey(fresh),
    });
  }

  async #keepDomainsKey(key: Buffer): Promise<void> {
    // Not behind a change of keys, which may wait for the file of the domains.
    if (this.#domainsKey !== undefined) return;
    await this.#serially(async () => {
      await this.#write({ domains: { key, file: this.#domainsFile } });
      this.#domainsKey = key;
    });
  }

  get domains(): ErasureKeys {
    return this.#domains!;
  }

  setDataKey(id: number, key: DataKey): void {
    this.#keys.set(id, key);
  }

  get currentKeyMadeAt(): number {
    return this.#keys.get(this.currentKeyId)?.madeAt ?? 0;
  }

  get keyCount(): number {
    return this.#keys.size;
  }

  get box(): SecretBox {
    return this.#box!;
  }

  segmentKey(keyId: number, salt: Uint8Array): SegmentKey | undefined {
    const data = this.#keys.get(keyId);
    return data && segmentKey(data.key, salt, (domain) => this.domains.get(domain));
  }

  rotate(isNeeded: (keyId: number) => boolean = () => true): Promise<void> {
    return this.#serially(async () => {
      const kept = new Map([...this.#keys].filter(([id]) => id === this.currentKeyId || isNeeded(id)));
      if (kept.size >= DATA_KEYS_MAX) {
        const message = `The keyring holds ${DATA_KEYS_MAX} data keys, and no more are allowed.`;
        throw new StorageError("configuration", message);
      }
      const id = this.currentKeyId + 1;
      const key = Buffer.from(this.#host.random.bytes(KEY_BYTES));
      kept.set(id, { key, madeAt: this.#host.clock.now() });
      await this.#write({ current: id, keys: kept });
      // Only a key that is on disk may seal anything.
      this.#keys = kept;
      this.currentKeyId = id;
    });
  }

  rewrap(kek: Uint8Array): Promise<void> {
    if (kek.length !== KEY_BYTES) throw new RangeError(`a key-encryption key has 32 bytes, not ${kek.length}`);
    const key = secretKey(kek);
    return this.#serially(async () => {
      if (this.#domainsKey === undefined) await this.#write({ kek: key });
      else await this.#rewrapDomains(key);
      this.#kek = key;
    });
  }

  /** The key that wraps those of domains changes too: else copies of a destroyed one could be opened with the new ring. */
  async #rewrapDomains(kek: KeyObject): Promise<void> {
    const key = Buffer.from(this.#host.random.bytes(KEY_BYTES));
    await this.domains.move(secretKey(key), async (file) => {
      await this.#write({ kek, domains: { key, file } });
      this.#domainsKey = key;
      this.#domainsFile = file;
    });
  }

  #serially(work: () => Promise<void>): Promise<void> {
    const done = this.#writing.then(work);
    this.#writing = done.catch(() => undefined);
    return done;
  }

  /** The file as it is, but for what is named. */
  async #write(changed: {
    readonly kek?: KeyObject;
    readonly current?: number;
    readonly keys?: ReadonlyMap<number, DataKey>;
    readonly domains?: { readonly key: Buffer; readonly file: ErasureFile };
  }): Promise<void> {
    const { kek = this.#kek, current = this.currentKeyId, keys = this.#keys } = changed;
    const { key: domainsKey, file } = changed.domains ?? { key: this.#domainsKey, file: this.#domainsFile };
    const wrap = (key: Buffer, id: number): string =>
      sealSecret(kek, key, wrapContext(this.journalId, id), this.#host.random).toString("base64");
    await writeKeyringFile(this.#host, this.#directory, {
      journal: this.journalId.toString("base64"),
      current,
      box: wrap(this.#boxKey, BOX_KEY_ID),
      ...(domainsKey !== undefined && { domains: wrap(domainsKey, DOMAINS_KEY_ID), domainsFile: file }),
      keys: [...keys].map(([id, { key, madeAt }]) => ({ id, wrapped: wrap(key, id), madeAt })),
    });
  }
}
