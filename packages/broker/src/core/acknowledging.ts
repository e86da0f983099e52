/** What a client says about deliveries: PUBACK, PUBREC, PUBCOMP (MQTT 5.0 section 4.3). */

import { awaitingPuback, awaitingPubcomp, awaitingPubrec } from "../delivery/in-flight.ts";
import type { AckKeeper } from "./ack-keeper.ts";
import type { Outbox } from "./outbox.ts";
import type { Sending } from "./sending.ts";
import type { Session } from "./session.ts";
import type { SessionConsumers } from "./session-consumers.ts";

export interface AcknowledgingParts {
  readonly acks: AckKeeper;
  readonly outbox: Outbox;
  readonly sending: Sending;
  readonly consumers: SessionConsumers;
}

/** PUBACK, PUBREC, PUBCOMP (1, 2, 3). */
export interface Answer {
  readonly step: 1 | 2 | 3;
  readonly reason: number;
  /** Why not, of an error; may be empty. */
  readonly text: string;
}

const firstError = 0x80;

export class Acknowledging {
  readonly #acks: AckKeeper;
  readonly #outbox: Outbox;
  readonly #sending: Sending;
  readonly #consumers: SessionConsumers;

  constructor(parts: AcknowledgingParts) {
    this.#acks = parts.acks;
    this.#outbox = parts.outbox;
    this.#sending = parts.sending;
    this.#consumers = parts.consumers;
  }

  /** False when nothing of that id is at that step. */
  take(session: Session, packetId: number, answer: Answer): boolean {
    const { step, reason } = answer;
    const state = session.inFlight.stateOf(packetId);
    if (step === 1 && state === awaitingPuback) {
      if (session.inFlight.sourceOf(packetId) < 0) {
        this.#consumers.acknowledged(session, packetId, reason, answer.text);
        return true;
      }
      // An error is final too: the standard has no second try after a negative PUBACK [MQTT-4.8.2-6].
      this.#acks.acknowledged(session, packetId);
      session.inFlight.release(packetId);
      return true;
    }
    if (step === 2) return this.#received(session, packetId, reason, state);
    if (step === 3 && state === awaitingPubcomp) {
      this.#sending.free(session, packetId);
      return true;
    }
    return false;
  }

  #received(session: Session, packetId: number, reason: number, state: number): boolean {
    if (state !== awaitingPubrec && state !== awaitingPubcomp) return false;
    if (state === awaitingPubrec) {
      this.#acks.acknowledged(session, packetId);
      if (reason >= firstError) {
        this.#sending.free(session, packetId);
        return true;
      }
      session.inFlight.setState(packetId, awaitingPubcomp);
      if (session.journaled) this.#acks.noteReceived(session, packetId);
    }
    const { link } = session;
    if (!session.durable) {
      link?.release(packetId);
      return true;
    }
    // Said twice: the note may still be on its way to the disk, and PUBREL waits for it.
    this.#outbox.action(() => {
      if (link !== undefined && session.link === link) link.release(packetId);
    });
    return true;
  }
}
