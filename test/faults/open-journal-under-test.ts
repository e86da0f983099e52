import type { Host } from "../../packages/broker/src/host/host.ts";
import { claimDirectory } from "../../packages/broker/src/storage/data-directory.ts";
import { openKeyring } from "../../packages/broker/src/storage/keyring.ts";
import { type OpenedDirectory, openJournal } from "../../packages/broker/src/storage/open-journal.ts";

export const dataDirectory = "/data";
const kek = Buffer.alloc(32, 7);
const limits = { segmentBytes: 32_768, frameBytesSoft: 16_384, frameCacheBytes: 16_384, diskBytesMax: 16 * 2 ** 20 };

/** The product's journal with small limits, so that a short test goes through many segments. */
export async function openJournalUnderTest(host: Host): Promise<OpenedDirectory> {
  const claimed = await claimDirectory({ host, directory: dataDirectory });
  try {
    const create = !claimed.hasJournal;
    const keyring = await openKeyring({ host, directory: dataDirectory, kek, create });
    return await openJournal({ host, directory: dataDirectory, keyring, limits, lock: claimed.lock });
  } catch (error) {
    await claimed.lock.release();
    throw error;
  }
}
