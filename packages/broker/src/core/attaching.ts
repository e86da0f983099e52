/** Connections come and go, sessions stay: attach, take over, detach, expire (MQTT 5.0 sections 3.1.2.4, 3.1.2.11.2, 4.1). */

import { awaitingPuback, awaitingPubcomp, reserved } from "../delivery/in-flight.ts";
import { isDerived } from "../model/derived-principal.ts";
import { type AttachRequest, Reason, type Refusal } from "../model/engine.ts";
import type { EndReason, Link } from "../model/link.ts";
import { jsonBytes, RecordKind, type SessionDetached, type WillRecord } from "../model/record.ts";
import type { AckKeeper } from "./ack-keeper.ts";
import type { Audit } from "./audit.ts";
import { CredentialDeadline, expiredText, hasExpired } from "./credential-deadline.ts";
import type { Delivering } from "./delivering.ts";
import type { Group } from "./group.ts";
import type { Outbox } from "./outbox.ts";
import type { Sending } from "./sending.ts";
import { fromGroup, type Session, sessionKey } from "./session.ts";
import type { SessionConsumers } from "./session-consumers.ts";
import { detachedRecord, openedRecord } from "./session-records.ts";
import type { State } from "./state.ts";
import type { Subscribing } from "./subscribing.ts";
import type { Wills } from "./wills.ts";

export interface AttachingParts {
  readonly state: State;
  readonly outbox: Outbox;
  readonly delivering: Delivering;
  readonly subscribing: Subscribing;
  readonly wills: Wills;
  readonly acks: AckKeeper;
  readonly sending: Sending;
  readonly audit: Audit;
  readonly consumers: SessionConsumers;
}

const never = 0xffff_ffff;

export class Attaching {
  readonly #parts: AttachingParts;
  readonly #state: State;

  constructor(parts: AttachingParts) {
    this.#parts = parts;
    this.#state = parts.state;
  }

  attach(link: Link, asked: AttachRequest): Session | Refusal {
    const state = this.#state;
    // Of a scoped token nothing may stay: its name is gone with it.
    const request = isDerived(asked.principal) ? { ...asked, expirySeconds: 0 } : asked;
    const refusal = this.#refusal(request);
    if (refusal !== undefined) return refusal;
    let session = state.session(request.principal, request.clientId);
    if (session?.link !== undefined) this.#takeOver(session);
    // The take-over may have ended the session; a session without time left ends with its connection.
    if (session?.ended === true) session = undefined;
    // Left over from a crash for its will alone: the client is back, so there is nothing to tell, and no state to resume.
    if (session?.durable === false) this.voidWill(session);
    if (session !== undefined && (request.cleanStart || !session.durable)) {
      this.end(session);
      session = undefined;
    }
    const present = session !== undefined;
    session ??= this.#create(request);
    this.#bind(session, link, request);
    if (session.journaled) this.#recordOpened(session);
    const attached = session;
    this.#parts.outbox.attachment(() => this.#announce(attached, link, present));
    return session;
  }

  detach(session: Session, link: Link, clean: boolean, expirySeconds: number | undefined): void {
    if (session.link !== link) return;
    session.link = undefined;
    session.credentialDeadline?.cancel();
    session.credentialDeadline = undefined;
    this.#parts.consumers.detached(session);
    session.resend = [];
    session.resendNext = 0;
    this.#state.connected--;
    // A session that was to end with its connection gets no time from its goodbye [MQTT-3.14.2-2].
    if (expirySeconds !== undefined && session.durable)
      session.expirySeconds = Math.min(expirySeconds, this.#state.limits.sessionExpirySecondsMax);
    this.#giveBack(session);
    if (clean) this.#parts.wills.forget(session);
    if (session.expirySeconds === 0) {
      this.end(session);
      return;
    }
    const delaySeconds = session.will?.delaySeconds ?? 0;
    const willMs = Math.min(delaySeconds, session.expirySeconds) * 1000;
    session.detachedAt = this.#state.clock.now();
    session.willAt = session.will === undefined ? undefined : session.detachedAt + willMs;
    this.#recordDetached(session);
    this.#parts.wills.schedule(session, willMs);
    this.expireAfter(session, session.expirySeconds * 1000);
  }

  /** Ends the session for good; its will, if it still has one, is sent first [MQTT-3.1.2-8]. */
  end(session: Session): void {
    if (session.ended) return;
    this.#parts.wills.send(session);
    this.#settleGroups(session);
    if (session.journaled) {
      const body = jsonBytes({ number: session.number });
      const at = this.#state.journal.reserve(RecordKind.sessionEnded, body.length);
      body.copy(this.#state.journal.openBytes, at);
      this.#state.journal.commitWithin(50);
    }
    this.remove(session);
  }

  /** Cuts a connection for a reason of the broker's; its will counts as for any other loss, unless it was made void. */
  kick(session: Session, reason: EndReason, text: string): void {
    const { link } = session;
    if (link === undefined) return;
    this.detach(session, link, false, undefined);
    link.end(reason, text);
  }

  /** Sessions and shared subscriptions that more waits for than may: ended, so that nobody who stays away fills the disk (DESIGN section 6). */
  endOverfull(): void {
    const { limits, sessionsByNumber } = this.#state;
    for (const session of [...sessionsByNumber.values()]) {
      if (session.backlog.count <= limits.backlogMessagesMax) continue;
      this.#state.counters.sessionsEndedByQuota++;
      this.#parts.audit.write("limit.hit", { limit: "backlogMessagesMax", principal: session.principal });
      this.kick(session, "quota", `more than ${limits.backlogMessagesMax} messages wait for this session; it is ended`);
      this.end(session);
    }
    this.#endOverfullGroups();
  }

  #endOverfullGroups(): void {
    const { limits, groups, counters } = this.#state;
    for (const group of [...groups.values()]) {
      if (group.backlog.count <= limits.backlogMessagesMax) continue;
      counters.sessionsEndedByQuota++;
      this.#parts.audit.write("limit.hit", { limit: "backlogMessagesMax", group: group.key });
      const text = `more than ${limits.backlogMessagesMax} messages wait for ${group.key}; the subscription is ended`;
      for (const member of [...group.members.keys()]) {
        this.#parts.subscribing.unsubscribe(member, group.key);
        this.kick(member, "quota", text);
      }
    }
  }

  /** The will must not go out: recovery too. */
  voidWill(session: Session): void {
    this.#parts.wills.forget(session);
    session.willAt = undefined;
  }

  /** Takes the session out of the state: recovery too. */
  remove(session: Session): void {
    const state = this.#state;
    session.ended = true;
    this.#parts.wills.forget(session);
    if (session.expiryDeadline !== undefined) state.deadlines.cancel(session.expiryDeadline);
    this.#parts.subscribing.removeAll(session);
    for (const message of session.held.values()) state.heldBytes -= message.length;
    session.held.clear();
    session.backlog.clear();
    state.sessionsByNumber.delete(session.number);
    if (state.session(session.principal, session.clientId) === session) {
      state.sessions.delete(sessionKey(session.principal, session.clientId));
    }
    if (session.durable) this.#countDurable(session.principal, -1);
    session.durable = false;
  }

  setDurable(session: Session, durable: boolean): void {
    if (session.durable === durable) return;
    session.durable = durable;
    this.#countDurable(session.principal, durable ? 1 : -1);
    for (const group of session.groups) group.durableMembers += durable ? 1 : -1;
  }

  expireAfter(session: Session, milliseconds: number): void {
    if (session.expiryDeadline !== undefined) this.#state.deadlines.cancel(session.expiryDeadline);
    session.expiryDeadline = undefined;
    if (session.expirySeconds === never) return;
    session.expiryDeadline = this.#state.deadlines.set(this.#state.clock.monotonic() + milliseconds, () => {
      session.expiryDeadline = undefined;
      this.end(session);
    });
  }

  /**
   * After recovery. `detached` is undefined for a session that was connected when the records end: it is detached now,
   * what it may have received is marked for DUP, and its will waits for it to come back.
   */
  revive(session: Session, detached: SessionDetached | undefined, now: number, graceMs: number): void {
    if (session.ended) return;
    if (detached === undefined) {
      session.maybeSent = Math.min(session.receiveMaximum, this.#state.limits.inFlightMax);
      session.maybeSentThrough = this.#state.lastMessageSeq;
      session.detachedAt = now;
      session.willAt =
        session.will === undefined ? undefined : now + Math.max(graceMs, session.will.delaySeconds * 1000);
      this.#recordDetached(session);
    } else {
      session.sentBefore = detached.sentThrough ?? 0;
      session.maybeSent = detached.maybeSent ?? 0;
      session.maybeSentThrough = detached.maybeSentThrough ?? 0;
      session.detachedAt = detached.at;
      session.willAt = session.will === undefined ? undefined : detached.willAt;
    }
    const since = Math.max(0, now - (session.detachedAt ?? now));
    this.#parts.wills.schedule(session, Math.max(0, (session.willAt ?? now) - now));
    const leftMs = Math.max(0, session.expirySeconds * 1000 - since);
    // A session without time of its own lives until its will is out.
    if (session.expirySeconds === 0 && session.will !== undefined)
      this.expireAfter(session, Math.max(0, (session.willAt ?? now) - now) + 1);
    else if (leftMs === 0) this.end(session);
    else this.expireAfter(session, leftMs);
  }

  #refusal(request: AttachRequest): Refusal | undefined {
    const state = this.#state;
    if (state.journal.hasFailed)
      return { reason: Reason.serverUnavailable, text: "storage has failed; the broker must be restarted" };
    if (hasExpired(state, request.expiresAt)) return { reason: Reason.notAuthorized, text: expiredText };
    if (request.will !== undefined && !this.#parts.wills.allowed(request.principal, request.will)) {
      state.counters.deniedWill++;
      this.#parts.audit.denied("will", request.principal, request.will.topic);
      return { reason: Reason.notAuthorized, text: "not allowed to publish to the will topic" };
    }
    const unsigned = request.will && this.#parts.wills.unsigned(request.will.topic);
    if (unsigned !== undefined) {
      this.#parts.audit.signature(unsigned.problem, request.principal, request.will?.topic ?? "");
      return { reason: Reason.notAuthorized, text: unsigned.text };
    }
    const isNew = state.session(request.principal, request.clientId)?.durable !== true;
    const mine = state.durableSessionsOf.get(request.principal) ?? 0;
    const isLimited = isNew && request.expirySeconds > 0 && !state.everythingAllowed;
    if (isLimited && mine >= state.limits.sessionsPerPrincipalMax) {
      this.#parts.audit.write("limit.hit", { limit: "sessionsPerPrincipalMax", principal: request.principal });
      return {
        reason: Reason.quotaExceeded,
        text: `a principal may have ${state.limits.sessionsPerPrincipalMax} sessions`,
      };
    }
    return undefined;
  }

  #create(request: AttachRequest): Session {
    const state = this.#state;
    const journaled = request.expirySeconds > 0 || request.will !== undefined;
    const number = journaled ? state.nextDurableNumber() : state.nextTransientNumber();
    if (journaled) state.lastSessionNumber = number;
    const session = state.newSession(request.principal, request.clientId, number);
    session.journaled = journaled;
    return session;
  }

  #bind(session: Session, link: Link, request: AttachRequest): void {
    const state = this.#state;
    this.#parts.wills.forget(session);
    if (session.expiryDeadline !== undefined) state.deadlines.cancel(session.expiryDeadline);
    session.expiryDeadline = undefined;
    session.expirySeconds = Math.min(request.expirySeconds, state.limits.sessionExpirySecondsMax);
    if (session.journaled) this.setDurable(session, session.expirySeconds > 0);
    session.receiveMaximum = request.receiveMaximum;
    session.keyId = request.keyId;
    session.will = request.will === undefined ? undefined : willRecord(request.will);
    session.link = link;
    // Expiry is not revocation: what was said with the credential stands, the will goes out.
    if (request.expiresAt !== undefined) {
      const end = (): void => this.kick(session, "not-authorized", expiredText);
      session.credentialDeadline = new CredentialDeadline(state, request.expiresAt, end);
    }
    session.detachedAt = undefined;
    session.willAt = undefined;
    state.connected++;
  }

  #recordOpened(session: Session): void {
    const body = jsonBytes(openedRecord(session));
    const at = this.#state.journal.reserve(RecordKind.sessionOpened, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commit();
  }

  #recordDetached(session: Session): void {
    if (!session.journaled) return;
    const body = jsonBytes(detachedRecord(session, session.detachedAt ?? this.#state.clock.now()));
    const at = this.#state.journal.reserve(RecordKind.sessionDetached, body.length);
    body.copy(this.#state.journal.openBytes, at);
    this.#state.journal.commitWithin(50);
  }

  #announce(session: Session, link: Link, present: boolean): void {
    if (session.link !== link) return;
    link.attached(present);
    this.#parts.consumers.attached(session);
    if (session.link !== link) return;
    this.#parts.delivering.resume(session);
  }

  /** Only the same principal comes here: sessions are named by principal and client id (THREATS A2). */
  #takeOver(session: Session): void {
    this.#state.counters.takeovers++;
    this.kick(session, "taken-over", "the session was taken over by a newer connection [MQTT-3.1.4-3]");
  }

  /** What was under way for groups goes to other members, but for QoS 2 that began: that is this session's to finish [MQTT-4.8.2-4]. */
  #giveBack(session: Session): void {
    const { acks, delivering, outbox, sending } = this.#parts;
    const groups = new Set<Group>();
    session.inFlight.inOrder((packetId) => {
      const source = session.inFlight.sourceOf(packetId);
      if (source < fromGroup) return;
      const step = session.inFlight.stateOf(packetId);
      const hasBegun = step !== awaitingPuback && step !== reserved;
      if (hasBegun && session.durable) return;
      // It may have left the group meanwhile, which then has others or is no more.
      const group = this.#state.groupsByNumber.get(source - fromGroup);
      if (hasBegun) acks.acknowledged(session, packetId);
      else if (group !== undefined) {
        group.giveBack(session.inFlight.seqOf(packetId));
        groups.add(group);
      }
      sending.free(session, packetId);
    });
    for (const group of groups) outbox.action(() => delivering.group(group));
  }

  /** QoS 2 deliveries that began here are nobody else's: with the session they end too [MQTT-4.8.2-5]. */
  #settleGroups(session: Session): void {
    session.inFlight.inOrder((packetId) => {
      const isGroups = session.inFlight.sourceOf(packetId) >= fromGroup;
      if (isGroups && session.inFlight.stateOf(packetId) !== awaitingPubcomp)
        this.#parts.acks.acknowledged(session, packetId);
    });
  }

  #countDurable(principal: string, by: number): void {
    const count = (this.#state.durableSessionsOf.get(principal) ?? 0) + by;
    if (count > 0) this.#state.durableSessionsOf.set(principal, count);
    else this.#state.durableSessionsOf.delete(principal);
  }
}

function willRecord(will: NonNullable<AttachRequest["will"]>): WillRecord {
  return {
    topic: will.topic,
    payload: Buffer.from(will.payload).toString("base64"),
    qos: will.qos,
    retain: will.retain,
    headers: Buffer.from(will.headers).toString("base64"),
    expirySeconds: will.expirySeconds,
    delaySeconds: will.delaySeconds,
    ...(will.attributes !== undefined &&
      will.attributes.length > 0 && { attributes: Buffer.from(will.attributes).toString("base64") }),
  };
}
