/** The publishing side in snapshots: what its records before that would rebuild. */
import { RecordKind } from "../model/record.ts";
import type { State } from "./state.ts";

type Add = (kind: number, body: Buffer) => void;

/** Of one record of a snapshot, about: it is cut into frames there. */
const partBytes = 32 * 1024;
/** In front of the texts of an id: u8 length of the principal, u8 0, u16 length of the id, f64 seq, f64 wall-clock time. */
const idHeadBytes = 20;

export function addPublishing(state: State, add: Add): void {
  addMessageIds(state, add);
}

/** False when the record is of another kind. */
export function restorePublishing(state: State, kind: number, bytes: Buffer, start: number, end: number): boolean {
  if (kind !== RecordKind.messageIdState) return false;
  restoreMessageIds(state, bytes, start, end);
  return true;
}

function addMessageIds(state: State, add: Add): void {
  let body = Buffer.alloc(partBytes);
  let to = 0;
  state.messageIds.forEach((principal, id, seq, publishedAt) => {
    const principalBytes = Buffer.byteLength(principal);
    const idBytes = Buffer.byteLength(id);
    if (to + idHeadBytes + principalBytes + idBytes > body.length) {
      add(RecordKind.messageIdState, body.subarray(0, to));
      body = Buffer.alloc(Math.max(partBytes, idHeadBytes + principalBytes + idBytes));
      to = 0;
    }
    body[to] = principalBytes;
    body.writeUInt16LE(idBytes, to + 2);
    body.writeDoubleLE(seq, to + 4);
    body.writeDoubleLE(publishedAt, to + 12);
    to += idHeadBytes;
    to += body.write(principal, to, "utf8");
    to += body.write(id, to, "utf8");
  });
  if (to > 0) add(RecordKind.messageIdState, body.subarray(0, to));
}

function restoreMessageIds(state: State, bytes: Buffer, start: number, end: number): void {
  let at = start;
  while (at + idHeadBytes <= end) {
    const principalEnd = at + idHeadBytes + (bytes[at] as number);
    const idEnd = principalEnd + bytes.readUInt16LE(at + 2);
    const principal = bytes.toString("utf8", at + idHeadBytes, principalEnd);
    const id = bytes.toString("utf8", principalEnd, idEnd);
    state.messageIds.restore(principal, id, bytes.readDoubleLE(at + 4), bytes.readDoubleLE(at + 12));
    at = idEnd;
  }
}
