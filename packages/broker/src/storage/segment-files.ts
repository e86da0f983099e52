import type { Host } from "../host/host.ts";
import { checkFile } from "./data-directory.ts";
import { readAt, step } from "./disk-io.ts";
import { classifyFile, segmentName } from "./file-names.ts";
import { decodeSegmentHeader, SEGMENT_HEADER_BYTES, type SegmentHeader } from "./segment-header.ts";
import { StorageError } from "./storage-error.ts";

/** Reads and checks the header of every segment in the directory, oldest first. Refuses what is not ours (F16, C3). */
export async function readSegmentHeaders(host: Host, directory: string, journalId: Buffer): Promise<SegmentHeader[]> {
  const names = await step("listing", directory, () => host.disk.list(directory));
  const ids: number[] = [];
  for (const name of names) {
    const kind = classifyFile(name);
    if (kind.kind === "segment") ids.push(kind.id);
    if (kind.kind !== "foreign") continue;
    const path = `${directory}/${name}`;
    throw new StorageError("damaged", `${path} is named like a file of the journal and is none. Move it away.`, {
      file: path,
    });
  }
  const headers: SegmentHeader[] = [];
  for (const id of ids.sort((a, b) => a - b)) headers.push(await readHeader(host, directory, id, journalId));
  return headers;
}

async function readHeader(host: Host, directory: string, id: number, journalId: Buffer): Promise<SegmentHeader> {
  const path = `${directory}/${segmentName(id)}`;
  const stat = await checkFile(host, path);
  const refuse = (problem: string, code: "damaged" | "configuration" = "damaged"): never => {
    const mend = code === "damaged" ? "Restore it from a backup." : "Use the version of mess that wrote it.";
    throw new StorageError(code, `Segment ${id} (${path}): ${problem}. ${mend}`, {
      file: path,
      segment: id,
      offset: 0,
    });
  };
  if (stat.size < SEGMENT_HEADER_BYTES) refuse(`the file has ${stat.size} bytes, less than its header`);
  const bytes = Buffer.alloc(SEGMENT_HEADER_BYTES);
  await step("reading", path, async () => {
    const file = await host.disk.open(path, "read");
    try {
      await readAt(file, bytes, 0);
    } finally {
      await file.close();
    }
  });
  const decoded = decodeSegmentHeader(bytes);
  if (!decoded.ok) return refuse(decoded.problem, decoded.newer ? "configuration" : "damaged");
  const { header } = decoded;
  if (header.id !== id) refuse(`its header says it is segment ${header.id}`);
  if (header.journalId.compare(journalId) !== 0) refuse("it belongs to another journal");
  // A segment is written and synced in full before it gets its name: it can never be shorter by a crash.
  if (header.bytes !== stat.size) refuse(`the file has ${stat.size} bytes, and its header says ${header.bytes}`);
  return header;
}
