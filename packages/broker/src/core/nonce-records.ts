/**
 * Records of numbers used once, in snapshots and where a message that bears one is not stored.
 *
 *   0 f64 wall-clock milliseconds before which nothing is taken any more
 *   8 f64 time of the signatures, seconds since 1970
 *  16 u16 number of keys, then each: u8 length of its id, u8 length of its principal, id, principal
 *     then each number: 16 bytes, u32 session, u16 packet id, u16 which key
 */
import { nonceBytes } from "../model/signing.ts";
import type { NonceOwner } from "./nonce-page.ts";
import type { Nonces, NonceUse, SavedNonces } from "./nonces.ts";

const headBytes = 18;
const entryBytes = nonceBytes + 8;
const entriesPerPart = 1_024;

/** `body` may be a function: what is in a page stays the same. */
export function addNonces(nonces: Nonces, add: (body: Buffer | (() => Buffer)) => void): void {
  const { floor, pages } = nonces.save();
  for (const saved of pages) {
    for (let from = 0; from < saved.count; from += entriesPerPart) {
      const to = Math.min(saved.count, from + entriesPerPart);
      add(() => partOf(saved, { floor, from, to }));
    }
  }
  if (floor > 0) add(head(floor, 0, []));
}

/** Of one that was taken and whose message is not in the journal. */
export function nonceRecord(use: NonceUse): Buffer {
  const owner = { keyId: use.keyId, principal: use.principal, hash: 0 };
  const entry = Buffer.alloc(entryBytes);
  use.nonce.copy(entry);
  writeOrigin(entry, 0, { session: use.session, packetId: use.packetId, place: 0 });
  return Buffer.concat([head(0, use.issuedAt, [owner]), entry]);
}

export function restoreNonces(nonces: Nonces, bytes: Buffer, start: number, end: number): void {
  const floor = bytes.readDoubleLE(start);
  const issuedAt = bytes.readDoubleLE(start + 8);
  const owners: { keyId: string; principal: string }[] = [];
  let at = start + headBytes;
  for (let left = bytes.readUInt16LE(start + 16); left > 0; left--) {
    const idEnd = at + 2 + (bytes[at] as number);
    const end = idEnd + (bytes[at + 1] as number);
    owners.push({ keyId: bytes.toString("latin1", at + 2, idEnd), principal: bytes.toString("utf8", idEnd, end) });
    at = end;
  }
  for (; at + entryBytes <= end; at += entryBytes) {
    const owner = owners[bytes.readUInt16LE(at + nonceBytes + 6)];
    if (owner === undefined) continue;
    const nonce = bytes.subarray(at, at + nonceBytes);
    const session = bytes.readUInt32LE(at + nonceBytes);
    nonces.restore({ ...owner, nonce, issuedAt, session, packetId: bytes.readUInt16LE(at + nonceBytes + 4) }, floor);
  }
  nonces.restoreFloor(floor);
}

function partOf(
  { page, issuedAt }: SavedNonces,
  { floor, from, to }: { readonly floor: number; readonly from: number; readonly to: number },
): Buffer {
  const places = new Map<NonceOwner, number>();
  const entries = Buffer.alloc((to - from) * entryBytes);
  for (let index = from; index < to; index++) {
    const at = (index - from) * entryBytes;
    const owner = page.ownerOf(index);
    const place = places.get(owner) ?? places.size;
    places.set(owner, place);
    page.copyNonce(index, entries, at);
    writeOrigin(entries, at, { session: page.sessionOf(index), packetId: page.packetIdOf(index), place });
  }
  return Buffer.concat([head(floor, issuedAt, [...places.keys()]), entries]);
}

function writeOrigin(out: Buffer, at: number, origin: { session: number; packetId: number; place: number }): void {
  out.writeUInt32LE(origin.session, at + nonceBytes);
  out.writeUInt16LE(origin.packetId, at + nonceBytes + 4);
  out.writeUInt16LE(origin.place, at + nonceBytes + 6);
}

function head(floor: number, issuedAt: number, owners: readonly NonceOwner[]): Buffer {
  const fixed = Buffer.alloc(headBytes);
  fixed.writeDoubleLE(floor, 0);
  fixed.writeDoubleLE(issuedAt, 8);
  fixed.writeUInt16LE(owners.length, 16);
  const named = owners.map(({ keyId, principal }) => {
    const texts = Buffer.from(keyId + principal, "utf8");
    return Buffer.concat([Uint8Array.of(keyId.length, texts.length - keyId.length), texts]);
  });
  return Buffer.concat([fixed, ...named]);
}
