/** A session as the journal says it: when it is taken up, when its connection ends, and in snapshots. */
import type { SessionDetached, SessionOpened } from "../model/record.ts";
import type { Session } from "./session.ts";

export function openedRecord(session: Session): SessionOpened {
  return {
    number: session.number,
    principal: session.principal,
    keyId: session.keyId,
    clientId: session.clientId,
    expirySeconds: session.expirySeconds,
    receiveMaximum: session.receiveMaximum,
    will: session.will,
  };
}

/** Of a session that is detached since `at`. */
export function detachedRecord(session: Session, at: number): SessionDetached {
  return {
    number: session.number,
    at,
    expirySeconds: session.expirySeconds,
    willAt: session.willAt,
    sentThrough: Math.max(session.sentBefore, session.sentThrough),
    maybeSent: session.maybeSent,
    maybeSentThrough: session.maybeSentThrough,
  };
}
