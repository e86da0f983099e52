import type { Disk, DiskFile, Host } from "../../packages/broker/src/host/host.ts";
import type { SimulatedHost } from "../../packages/broker/src/host/simulated-host.ts";
import { type FrameHeader, readFrameHeader } from "../../packages/broker/src/storage/frame-format.ts";
import { SEGMENT_HEADER_BYTES } from "../../packages/broker/src/storage/segment-header.ts";
import type { RunOptions } from "./run.ts";
import { dataDirectory } from "./system-under-test.ts";

/**
 * Mistakes that the simulator has to find, or it proves nothing. They sit between the broker and its host, not in the
 * product: a suite that lets them through is broken, whatever else it shows.
 */
export const plantedBugs: Readonly<Record<string, Pick<RunOptions, "wrap" | "beforeStart">>> = {
  "ack-before-fsync": { wrap: (host) => withoutSync(host) },
  "tail-cut-too-far": { beforeStart: cutLastFrame },
};

/** A commit that does not wait for its sync: reported at once, and nothing is durable. Other files are synced as ever. */
function withoutSync(host: Host): Host {
  const wrapFile = (file: DiskFile): DiskFile => {
    let isFrame = false;
    return {
      writeAt: (bytes, position, done) => {
        isFrame = position >= SEGMENT_HEADER_BYTES && readFrameHeader(Buffer.from(bytes), 0) !== undefined;
        file.writeAt(bytes, position, done);
      },
      readAt: (into, position, done) => file.readAt(into, position, done),
      datasync: (done) => (isFrame ? host.timers.soon(() => done(undefined, undefined)) : file.datasync(done)),
      close: () => file.close(),
    };
  };
  const { disk } = host;
  const wrapped: Disk = {
    open: async (path, how) => wrapFile(await disk.open(path, how)),
    stat: (path) => disk.stat(path),
    list: (path) => disk.list(path),
    makeDirectory: (path) => disk.makeDirectory(path),
    rename: (from, to) => disk.rename(from, to),
    remove: (path) => disk.remove(path),
    syncDirectory: (path) => disk.syncDirectory(path),
    freeBytes: (path) => disk.freeBytes(path),
    lock: (path) => disk.lock(path),
  };
  return { ...host, disk: wrapped };
}

/** Recovery that takes the last whole frame for a torn one: it is zeroed before each start, and HEAD is forgotten. */
function cutLastFrame(sim: SimulatedHost): void {
  const { disk } = sim;
  const segments = disk.paths().filter((path) => path.startsWith(`${dataDirectory}/segment-`));
  for (const path of segments.reverse()) {
    const bytes = disk.read(path);
    let last: FrameHeader | undefined;
    for (let at = SEGMENT_HEADER_BYTES; at < bytes.length; ) {
      const header = readFrameHeader(bytes, at);
      if (header === undefined) break;
      last = header;
      at += header.frameBytes;
    }
    if (last === undefined) continue;
    disk.overwrite(path, last.offset, Buffer.alloc(last.frameBytes));
    const head = `${dataDirectory}/HEAD`;
    if (disk.paths().includes(head)) disk.delete(head);
    return;
  }
}
