/** What of a signed message only the core can say: whether it must be signed, and whether it was taken before. */

import { readAttribute } from "../model/attributes.ts";
import { ownerOf } from "../model/derived-principal.ts";
import { Reason } from "../model/engine.ts";
import type { MessageAttributes, MessageDraft, MessageView } from "../model/message.ts";
import { RecordKind } from "../model/record.ts";
import { parseSignedNonce, type SignatureFault, signatureFault } from "../model/signing.ts";
import { nonceRecord } from "./nonce-records.ts";
import type { NonceUse } from "./nonces.ts";
import type { Publisher } from "./publisher.ts";
import type { State } from "./state.ts";

/** Sessions that are not in the journal are numbered from here: after a restart the number is somebody else's. */
const transientBase = 0x8000_0000;

/** Reasons of MQTT for each problem. */
export const signatureReasons: Readonly<Record<SignatureFault["problem"], number>> = {
  "sig.bad": Reason.notAuthorized,
  "sig.required": Reason.notAuthorized,
  "sig.replay": Reason.notAuthorized,
  "sig.stale": Reason.notAuthorized,
  "sig.busy": Reason.quotaExceeded,
};

export class SignatureChecks {
  readonly #state: State;

  constructor(state: State) {
    this.#state = state;
  }

  /** The signature that the message bears, whose arithmetic was verified; undefined without one. */
  useOf(publisher: Publisher, wish: MessageAttributes): NonceUse | undefined {
    return wish.nonce === undefined ? undefined : useOf(wish.nonce, publisher.principal, publisher.number);
  }

  /** Why it is not taken; undefined when it is, or when it is the same packet once more. `coming`: what a batch brought before it. */
  fault(use: NonceUse, draft: MessageDraft, coming: ReadonlySet<string>): SignatureFault | undefined {
    const { nonces } = this.#state;
    if (this.isSamePacket(use, draft)) return undefined;
    if (nonces.has(use) || coming.has(nonceKey(use))) {
      return signatureFault("sig.replay", "a message with this signature was taken before; sign it anew");
    }
    const stale = this.stale(use.issuedAt);
    if (stale !== undefined) return stale;
    const full = nonces.whyFull(use.principal, coming.size);
    return full === "" ? undefined : signatureFault("sig.busy", full);
  }

  /** Why a signature of that time is not taken now. */
  stale(issuedAt: number): SignatureFault | undefined {
    const { nonces, limits } = this.#state;
    if (nonces.isTimely(issuedAt)) return undefined;
    const seconds = limits.signatureWindowMs / 1_000;
    const now = Math.floor(nonces.now() / 1_000);
    return signatureFault("sig.stale", `"iat" is more than ${seconds} s from the broker's time, ${now}`);
  }

  /** The client did not hear the answer and sends the packet again [MQTT-3.3.1-1]: it is answered again, and stored once. */
  isSamePacket(use: NonceUse, draft: MessageDraft): boolean {
    return draft.isRepeat && draft.qos === 1 && this.#state.nonces.isSamePacket(use);
  }

  /** The message is in the journal, and its number with it. */
  taken(use: NonceUse): void {
    this.#state.counters.signed++;
    this.#state.nonces.add(use);
  }

  /** The message is not stored again, since its id is known, but its signature is used up. */
  takenWithout(use: NonceUse): void {
    const { journal } = this.#state;
    const body = nonceRecord(use);
    const at = journal.reserve(RecordKind.nonceState, body.length);
    body.copy(journal.openBytes, at);
    this.#state.nonces.add(use);
    journal.commit();
  }
}

/** Of two in one batch. */
export function nonceKey({ keyId, nonce }: NonceUse): string {
  return `${keyId} ${nonce.toString("base64url")}`;
}

/** Recovery: what the message bears was taken then. */
export function restoreNonce(state: State, message: MessageView): void {
  const text = readAttribute(message, "nonce");
  if (text === undefined) return;
  const { publisherNumber, publishedAt } = message;
  const use = useOf(text, message.principal, publisherNumber);
  const packetId = publisherNumber >= transientBase ? 0 : use.packetId;
  state.nonces.restore({ ...use, packetId }, publishedAt);
}

function useOf(text: string, principal: string, session: number): NonceUse {
  return { ...parseSignedNonce(text), principal: ownerOf(principal), session };
}
