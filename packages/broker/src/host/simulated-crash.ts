import type { FileNode, SimulatedFiles } from "./simulated-files.ts";
import type { SeededRandom } from "./simulated-random.ts";

/** Which unsynced sectors reach the platter. */
type SectorChoice =
  | "none"
  | "all"
  /** The first so many in the order they were written. */
  | "prefix"
  /** Each by its own coin. */
  | "subset"
  /** All but one. */
  | "hole"
  | "seeded"
  | ((sector: number, sectors: number) => boolean);

export interface CrashOptions {
  readonly sectors?: SectorChoice;
  /** Bytes that the device writes at once: a sector lands whole or not at all; 1 also tears one sector at a random byte. */
  readonly granularity?: 1 | 512 | 4096 | "seeded";
  /** Which unsynced directory entries survive. */
  readonly entries?: "none" | "all" | "prefix" | "subset" | "seeded";
}

/** The versions a sector went through since it was last durable. */
interface DirtySector {
  readonly file: FileNode;
  readonly start: number;
  readonly order: number;
  readonly pieces: { position: number; bytes: Buffer }[];
}

function splitIntoSectors(files: readonly FileNode[], size: number): DirtySector[] {
  const sectors: DirtySector[] = [];
  for (const file of files) {
    const byStart = new Map<number, DirtySector>();
    for (const write of file.pending) {
      const end = write.position + write.bytes.length;
      for (let at = write.position; at < end; ) {
        const start = Math.floor(at / size) * size;
        const stop = Math.min(end, start + size);
        let sector = byStart.get(start);
        if (sector === undefined) {
          sector = { file, start, order: write.order, pieces: [] };
          byStart.set(start, sector);
          sectors.push(sector);
        }
        sector.pieces.push({ position: at, bytes: write.bytes.subarray(at - write.position, stop - write.position) });
        at = stop;
      }
    }
  }
  return sectors.sort((a, b) => a.order - b.order || a.start - b.start);
}

/** How many sectors of this size a power loss now could keep or lose. */
export function pendingSectors(files: SimulatedFiles, size: 512 | 4096): number {
  return splitIntoSectors(files.allFiles(undefined), size).length;
}

function chooser(choice: SectorChoice, count: number, random: SeededRandom): (index: number) => boolean {
  if (typeof choice === "function") return (index) => choice(index, count);
  const mode = choice === "seeded" ? random.pick(["none", "all", "prefix", "subset", "hole"] as const) : choice;
  const edge = random.below(count + 1);
  const probability = random.pick([0.1, 0.5, 0.9]);
  switch (mode) {
    case "none":
      return () => false;
    case "all":
      return () => true;
    case "prefix":
      return (index) => index < edge;
    case "hole":
      return (index) => index !== edge;
    case "subset":
      return () => random.chance(probability);
  }
}

/** Writes of several versions to one sector land as one of the versions: the sector holds all up to some write. */
function persistSector(sector: DirtySector, pieces: number): void {
  for (const piece of sector.pieces.slice(0, pieces)) sector.file.durable.write(piece.bytes, piece.position);
}

function tearSector(sector: DirtySector, random: SeededRandom): void {
  for (const piece of sector.pieces) {
    const kept = random.below(piece.bytes.length + 1);
    if (kept > 0) sector.file.durable.write(piece.bytes.subarray(0, kept), piece.position);
    if (kept < piece.bytes.length) return;
  }
}

function persistSomeSectors(files: SimulatedFiles, options: CrashOptions, random: SeededRandom): void {
  const granularity =
    options.granularity === undefined || options.granularity === "seeded"
      ? random.pick([1, 512, 4096] as const)
      : options.granularity;
  const choice = options.sectors ?? "seeded";
  const sectors = splitIntoSectors(files.allFiles(undefined), granularity === 1 ? 512 : granularity);
  const keeps = chooser(choice, sectors.length, random);
  const torn = granularity === 1 ? random.below(sectors.length) : -1;
  sectors.forEach((sector, index) => {
    const whole = typeof choice === "function" || choice === "all" || choice === "none";
    if (index === torn && !whole) tearSector(sector, random);
    else if (keeps(index)) {
      const older = !whole && sector.pieces.length > 1 && random.chance(0.3);
      persistSector(sector, older ? random.between(1, sector.pieces.length) : sector.pieces.length);
    }
  });
  // A size can reach the disk before the data does (delayed allocation): the file ends in zeros.
  for (const file of files.allFiles(undefined)) {
    if (choice !== "seeded" || file.cache.size <= file.durable.size || !random.chance(0.3)) continue;
    file.durable.write(Buffer.alloc(1), random.between(file.durable.size, file.cache.size - 1));
  }
}

function persistSomeEntries(files: SimulatedFiles, options: CrashOptions, random: SeededRandom): void {
  const choice = options.entries ?? "seeded";
  const mode = choice === "seeded" ? random.pick(["none", "all", "prefix", "subset"] as const) : choice;
  const edge = random.below(files.changes.length + 1);
  files.changes.forEach((change, index) => {
    const kept = mode === "all" || (mode === "prefix" && index < edge) || (mode === "subset" && random.chance(0.5));
    if (kept) change.apply();
  });
}

/** Power loss: keeps some of what was not synced, forgets the rest, and shows the platter as the new live state. */
export function losePower(files: SimulatedFiles, options: CrashOptions, random: SeededRandom): void {
  persistSomeSectors(files, options, random);
  persistSomeEntries(files, options, random);
  files.reload();
}
