/** Reads many records wherever they lie: in order of place, each frame once. */
import type { Journal, JournalFrame } from "../model/journal.ts";
import { holds } from "./frame-reading.ts";

export interface RecordReader {
  /** The frame is undefined when the record is not to be had any more. */
  record(at: number, frame: JournalFrame | undefined): void;
  done(): void;
}

/** `places` ascend. Those that are in memory are visited before this returns. */
export function readRecords(journal: Journal, places: readonly number[], reader: RecordReader, from = 0): void {
  let next = from;
  let frame: JournalFrame | undefined;
  while (next < places.length) {
    const at = places[next] as number;
    if (frame === undefined || !holds(frame, at)) frame = journal.cached(at);
    if (frame === undefined) {
      const behind = next;
      journal.fetch(at, (fetched) => {
        readRecords(journal, places, reader, visitFrame(places, reader, behind, fetched));
      });
      return;
    }
    reader.record(at, frame);
    next++;
  }
  reader.done();
}

/** All records of the fetched frame; the first one alone when there is none. */
function visitFrame(
  places: readonly number[],
  reader: RecordReader,
  from: number,
  frame: JournalFrame | undefined,
): number {
  let next = from;
  do {
    reader.record(places[next] as number, frame);
    next++;
  } while (frame !== undefined && next < places.length && holds(frame, places[next] as number));
  return next;
}
