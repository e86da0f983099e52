/** The publishing side in snapshots: what its records before that would rebuild. */
import { savedNumbers } from "../delivery/delayed-heap.ts";
import {
  type ErasureState,
  jsonBytes,
  RecordKind,
  type RetentionState,
  readJson,
  type TopicDeclared,
  type TopicDeleted,
} from "../model/record.ts";
import { addSigning, restoreSigning } from "./signing-keys.ts";
import type { State } from "./state.ts";

type Add = (kind: number, body: Buffer | (() => Buffer)) => void;

/** Of one record of a snapshot, about: it is cut into frames there. */
const partBytes = 32 * 1024;
/** In front of the texts of an id: u8 length of the principal, u8 0, u16 length of the id, f64 seq, f64 wall-clock time. */
const idHeadBytes = 20;
const domainsPerPart = 256;
const delayedBytes = savedNumbers * 8;

export function addPublishing(state: State, add: Add): void {
  addTopics(state, add);
  addErasure(state, add);
  add(
    RecordKind.retentionState,
    jsonBytes({ filter: "", marks: [], times: state.times.save() } satisfies RetentionState),
  );
  addMessageIds(state, add);
  addDelayed(state, add);
  addSigning(state, add);
}

/** False when the record is of another kind. */
export function restorePublishing(state: State, kind: number, bytes: Buffer, start: number, end: number): boolean {
  if (kind === RecordKind.messageIdState) restoreMessageIds(state, bytes, start, end);
  else if (kind === RecordKind.erasureState) restoreErasure(state, readJson<ErasureState>(bytes, start, end));
  else if (kind === RecordKind.delayedState) restoreDelayed(state, bytes, start, end);
  else if (kind === RecordKind.topicDeclared) state.topicSettings.set(readJson<TopicDeclared>(bytes, start, end));
  else if (kind === RecordKind.topicDeleted)
    state.topicSettings.remove(readJson<TopicDeleted>(bytes, start, end).filter);
  else if (kind === RecordKind.retentionState) {
    const { filter, marks, times } = readJson<RetentionState>(bytes, start, end);
    if (times === undefined) state.topicSettings.restoreMarks(filter, marks);
    else state.times.load(times);
  } else return restoreSigning(state, kind, bytes, start, end);
  return true;
}

function addTopics(state: State, add: Add): void {
  for (const { filter, settings, by, at, marks } of state.topicSettings.values()) {
    add(RecordKind.topicDeclared, jsonBytes({ filter, settings, by, at } satisfies TopicDeclared));
    if (marks.length > 0)
      add(RecordKind.retentionState, jsonBytes({ filter, marks: marks.save() } satisfies RetentionState));
  }
}

function addErasure(state: State, add: Add): void {
  const { erasure } = state;
  if (erasure.lastNumber === 0) return;
  const all = [...erasure.values()];
  const { lastNumber, destroying } = erasure;
  add(
    RecordKind.erasureState,
    jsonBytes({ domains: [], lastNumber, destroying: [...destroying] } satisfies ErasureState),
  );
  for (let from = 0; from < all.length; from += domainsPerPart) {
    const domains = all.slice(from, from + domainsPerPart);
    add(RecordKind.erasureState, jsonBytes({ domains } satisfies ErasureState));
  }
}

function restoreErasure({ erasure }: State, { domains, lastNumber = 0, destroying = [] }: ErasureState): void {
  erasure.lastNumber = Math.max(erasure.lastNumber, lastNumber);
  for (const number of destroying) erasure.destroying.add(number);
  for (const domain of domains) erasure.add({ ...domain });
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

/** f64 due time, number, place, bytes; in order of place. */
function addDelayed(state: State, add: Add): void {
  // Numbers in memory are little-endian, as everywhere in the journal (docs/journal-format.md).
  state.delayed.save(partBytes / delayedBytes, ({ buffer }) => add(RecordKind.delayedState, Buffer.from(buffer)));
}

function restoreDelayed(state: State, bytes: Buffer, start: number, end: number): void {
  for (let from = start; from + delayedBytes <= end; from += delayedBytes) {
    state.delayed.add({
      dueAt: bytes.readDoubleLE(from),
      seq: bytes.readDoubleLE(from + 8),
      at: bytes.readDoubleLE(from + 16),
      bytes: bytes.readDoubleLE(from + 24),
    });
  }
}
