/** Messages where they lie in frames of the journal. */
import type { JournalFrame } from "../model/journal.ts";
import type { MessageView } from "../model/message.ts";
import { messageOffset } from "../model/record.ts";

export function holds(frame: JournalFrame, seq: number): boolean {
  return seq >= frame.firstSeq && seq < frame.firstSeq + frame.count;
}

/** Reads the message of the record at `index`, which holds one. */
export function readMessage(view: MessageView, frame: JournalFrame, index: number): MessageView {
  const start = (frame.starts[index] as number) + messageOffset(frame.kinds[index] as number);
  view.read(frame.bytes, start, frame.ends[index] as number);
  view.isBlank = frame.erased?.[index] === 1;
  return view;
}

/** The message of record `seq`; `undefined` when that holds none. */
export function messageAt(view: MessageView, frame: JournalFrame, seq: number): MessageView | undefined {
  const index = seq - frame.firstSeq;
  if (messageOffset(frame.kinds[index] ?? 0) < 0) return undefined;
  return readMessage(view, frame, index);
}
