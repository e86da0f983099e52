/** What somebody with all keys can read in the directory of a stopped server. */
import { nodeHost } from "../../packages/broker/src/host/node-host.ts";
import { loadKek } from "../../packages/broker/src/storage/kek.ts";
import { openKeyring } from "../../packages/broker/src/storage/keyring.ts";
import { openJournal } from "../../packages/broker/src/storage/open-journal.ts";

const limits = { segmentBytes: 64 * 2 ** 20, frameBytesSoft: 2 ** 21, frameCacheBytes: 2 ** 20, diskBytesMax: 2 ** 40 };

/** Every frame that is kept, decrypted. */
export async function journalText(directory: string): Promise<string> {
  const host = nodeHost();
  const { kek } = await loadKek({ directory });
  const keyring = await openKeyring({ host, directory, kek, create: false });
  const opened = await openJournal({ host, directory, keyring, limits });
  const texts: string[] = [];
  await opened.replay(0, (frame) => texts.push(frame.bytes.toString("latin1")));
  await opened.journal.close();
  return texts.join("\n");
}
