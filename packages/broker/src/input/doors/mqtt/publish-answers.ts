/** What the client published and what it has heard of it: PUBACK and PUBREC, with reasons, receipts, and in order. */
import { PacketType, ReasonCode } from "@mess/wire";
import type { SessionHandle, TopicHandle } from "../../../model/engine.ts";
import type { MessageDraft } from "../../../model/message.ts";
import type { SettleResult } from "../../../model/queue.ts";
import { AnswerOrder } from "./answer-order.ts";
import type { MqttDoorContext } from "./door-context.ts";
import type { Outgoing } from "./outgoing.ts";
import { refusalText } from "./send.ts";

/** The connection, as far as answers go. */
export interface Answered {
  readonly context: Pick<MqttDoorContext, "engine">;
  readonly out: Outgoing;
  /** False once it closes: nothing is said any more. */
  readonly isOpen: boolean;
  readonly handle: SessionHandle;
  fail(code: number, text: string): void;
}

export class PublishAnswers {
  readonly #client: Answered;
  /** QoS 1 publishes that were not answered yet, and QoS 2 ids from PUBLISH to PUBREL. */
  unconfirmed = 0;
  readonly unreleased: Set<number> = new Set();
  /** Most connections settle no leases. */
  #order: AnswerOrder | undefined;
  /** Why publishes are refused, until the refusal has its turn. */
  #texts: Map<number, string> | undefined;
  /** Packet id of the publish that the engine is being asked about; it may answer before it returns. */
  #asking = 0;

  constructor(client: Answered) {
    this.#client = client;
  }

  count(qos: 1 | 2, packetId: number): void {
    if (qos === 2) {
      this.unreleased.add(packetId);
      return;
    }
    this.unconfirmed++;
    this.#order?.publish();
  }

  /** As `Engine.publish`; of QoS 1 and 2 the client will hear why not. */
  publish(session: SessionHandle, topic: TopicHandle, draft: MessageDraft, packetId: number): number {
    if (packetId > 0) this.count(draft.qos as 1 | 2, packetId);
    this.#asking = packetId;
    const { engine } = this.#client.context;
    const reason = engine.publish(session, topic, draft, packetId);
    if (reason >= 0x80 && this.#asking !== 0) this.explain(packetId, engine.explainRefusal());
    this.#asking = 0;
    return reason;
  }

  /** A publish that cannot be taken: a code where the packet has one, else the end; never an ack for nothing. */
  refuse({ qos, packetId }: { qos: 0 | 1 | 2; packetId: number }, code: number, text: string): void {
    const { out, context, handle } = this.#client;
    if (out.version !== 5 || qos === 0) return this.#client.fail(code, text);
    this.explain(packetId, text);
    this.count(qos, packetId);
    context.engine.refuse(handle, packetId, qos, code);
  }

  /** The refusal of this publish will be said in its turn; this is why. */
  explain(packetId: number, text: string): void {
    if (text === "") return;
    this.#texts ??= new Map();
    this.#texts.set(packetId, text);
  }

  /** A settlement of QoS 1 came. */
  settles(packetId: number): void {
    this.#order ??= new AnswerOrder();
    this.#order.settlement(packetId, this.unconfirmed);
    this.unconfirmed++;
  }

  settled(packetId: number, reason: number, text: string): void {
    this.unconfirmed--;
    this.#order?.settled(packetId, () => this.#say(packetId, 1, reason, text, 0));
  }

  /** As `Link.confirm`. */
  confirm(packetId: number, qos: 1 | 2, reason: number, receipt: number): void {
    if (qos === 1) this.unconfirmed--;
    else if (reason >= 0x80) this.unreleased.delete(packetId);
    const text = reason < 0x80 ? "" : this.#explanation(packetId, reason);
    const order = this.#order;
    if (qos === 2 || order === undefined || order.isIdle) this.#say(packetId, qos, reason, text, receipt);
    else order.confirmed(() => this.#say(packetId, qos, reason, text, receipt));
  }

  #say(packetId: number, qos: 1 | 2, reason: number, text: string, receipt: number): void {
    const { out, isOpen } = this.#client;
    if (!isOpen) return;
    const type = qos === 1 ? PacketType.PUBACK : PacketType.PUBREC;
    if (reason < 0x80) {
      if (out.wantsMeta && receipt !== 0) out.receipt(type, packetId, reason, receipt);
      else if (text === "") out.ack(type, packetId, reason);
      else out.explainedAck(type, packetId, reason, text);
    }
    // 3.1.1 has no refusal: an ack would be a lie, so the connection ends [MQTT-3.3.5-2 of 3.1.1].
    else if (out.version !== 5) this.#client.fail(reason, text);
    else out.explainedAck(type, packetId, reason, text);
  }

  /** Why the publish is refused, said once. */
  #explanation(packetId: number, reason: number): string {
    if (this.#asking === packetId) {
      this.explain(packetId, this.#client.context.engine.explainRefusal());
      this.#asking = 0;
    }
    const text = this.#texts?.get(packetId);
    this.#texts?.delete(packetId);
    return text ?? refusalText(reason);
  }
}

/** What a PUBACK says about a settlement. */
export const settlementAnswers: Readonly<Record<SettleResult, { readonly reason: number; readonly text: string }>> = {
  done: { reason: ReasonCode.Success, text: "" },
  dead: { reason: ReasonCode.Success, text: "that was the last attempt: the message is a dead letter now" },
  gone: {
    reason: ReasonCode.ImplementationSpecificError,
    text: "the lease is gone: it expired, was settled, or never was",
  },
  forbidden: { reason: ReasonCode.NotAuthorized, text: "the lease was given to somebody else" },
  failed: {
    reason: ReasonCode.ImplementationSpecificError,
    text: "storage has failed: nothing is acknowledged any more",
  },
};
