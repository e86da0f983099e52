/** An event stream of plain topics: a session of its own that lives as long as the response. */

import type { ServerResponse } from "node:http";
import { Reason, type SessionHandle } from "../../../model/engine.ts";
import type { DeliveryForm, EndReason, Link, LiveRun, LiveSource } from "../../../model/link.ts";
import { type MessageView, noExpiry } from "../../../model/message.ts";
import type { Position } from "../../../model/settings.ts";
import type { Caller } from "./authentication.ts";
import { EventStream } from "./event-stream.ts";
import { viewJson } from "./message-json.ts";
import type { Services } from "./route.ts";

/** Deliveries under way to the response at a time. */
const RECEIVE_MAXIMUM = 256;

export interface TopicStreamRequest {
  readonly caller: Caller;
  readonly filter: string;
  readonly from: Position | undefined;
  /** Begin with the last value of each topic. */
  readonly retained: boolean;
}

export interface StreamRefusal {
  readonly reason: number;
  readonly text: string;
}

export class TopicStream implements Link {
  readonly #services: Services;
  readonly #request: TopicStreamRequest;
  readonly #opened: (refusal: StreamRefusal | undefined) => void;
  #session: SessionHandle | undefined;
  #events: EventStream | undefined;
  /** Told by the engine that it is attached, and not closed. */
  #isAttached = false;
  #isOver = false;
  #acknowledging: number[] = [];

  /** `opened` is called once: with a refusal, or when the subscription is durable and `write` may be called. */
  private constructor(
    services: Services,
    request: TopicStreamRequest,
    opened: (refusal: StreamRefusal | undefined) => void,
  ) {
    this.#services = services;
    this.#request = request;
    this.#opened = opened;
  }

  /** Resolves when the engine has taken the subscription, or with why it has not. */
  static open(services: Services, request: TopicStreamRequest): Promise<TopicStream | StreamRefusal> {
    return new Promise((resolve) => {
      const stream: TopicStream = new TopicStream(services, request, (refusal) => resolve(refusal ?? stream));
      stream.#attach();
    });
  }

  /** Messages go out on this response from now on. */
  write(outgoing: ServerResponse): void {
    this.#events = new EventStream({
      outgoing,
      deadlines: this.#services.deadlines,
      bytesMax: this.#services.limits.outboundBytesMax,
      drained: () => this.#settle(),
      closed: () => this.close(),
    });
    if (this.#isOver) this.#events.end("session-ended", "the stream ended before it began");
    else this.#settle();
  }

  /** The client is gone. */
  close(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    if (this.#session !== undefined) this.#services.engine.detach(this.#session, this, true, 0);
  }

  // ── Link ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get ready(): boolean {
    return this.#isAttached && !this.#isOver && (this.#events?.hasRoom ?? false);
  }

  attached(): void {
    this.#isAttached = true;
    const session = this.#session;
    if (session === undefined || this.#isOver) return;
    const { filter, from, retained } = this.#request;
    const request = {
      filter,
      qos: 1,
      noLocal: false,
      // The flag then says one thing: this is the last value, not news.
      retainAsPublished: false,
      retainHandling: retained ? 0 : 2,
      identifier: 0,
      ...(from !== undefined && { from }),
    } as const;
    this.#services.engine.subscribe(session, [request], ([code = Reason.unspecified], [text = ""]) => {
      if (code < Reason.unspecified) return this.#opened(undefined);
      this.close();
      this.#opened({ reason: code, text });
    });
  }

  deliver(message: MessageView, form: DeliveryForm): boolean {
    const { offset, retain, secondsLeft, packetId } = form;
    this.#send(message, { offset, retain, secondsLeft });
    if (form.qos > 0) this.#acknowledge(packetId);
    return true;
  }

  /** QoS 0: not stored, so without an offset, and dropped where the client is too slow. */
  forward(run: LiveRun, source: LiveSource): void {
    source.eachMessage(run, (message) => {
      if (this.ready) this.#send(message, { offset: 0, retain: false, secondsLeft: noExpiry });
    });
  }

  end(reason: EndReason, text: string): void {
    const wasOver = this.#isOver;
    this.#isOver = true;
    if (this.#events !== undefined) this.#events.end(reason, text);
    else if (!wasOver) this.#opened({ reason: reasonOf(reason), text });
  }

  confirm(): void {
    // A stream publishes nothing.
  }

  completed(): void {
    // A stream publishes nothing.
  }

  release(): void {
    // QoS 1 is the most it asks for.
  }

  #attach(): void {
    const { engine, newId } = this.#services;
    const result = engine.attach(this, {
      ...this.#request.caller,
      clientId: `http-${newId()}`,
      cleanStart: true,
      expirySeconds: 0,
      receiveMaximum: RECEIVE_MAXIMUM,
      will: undefined,
    });
    if ("reason" in result) {
      this.#isOver = true;
      this.#opened(result);
      return;
    }
    this.#session = result;
    if (this.#isAttached) this.attached();
  }

  /** Only what is stored has an id that a client can come back with; a last value is older than what went before it. */
  #send(message: MessageView, form: { offset: number; retain: boolean; secondsLeft: number }): void {
    const hasId = form.offset > 0 && !form.retain;
    this.#events?.send({ ...(hasId && { id: String(form.offset) }), data: viewJson(message, form) });
  }

  /** When it is on its way: the session ends with the response, so this is only how many are under way. */
  #acknowledge(packetId: number): void {
    if (this.#acknowledging.length === 0) this.#events?.afterWrite(() => this.#acknowledgeAll());
    this.#acknowledging.push(packetId);
  }

  #acknowledgeAll(): void {
    const session = this.#session;
    const packetIds = this.#acknowledging;
    this.#acknowledging = [];
    if (session === undefined || this.#isOver) return;
    for (const packetId of packetIds) this.#services.engine.acknowledge(session, packetId, 1, Reason.success);
    this.#settle();
  }

  #settle(): void {
    if (this.#session !== undefined && !this.#isOver) this.#services.engine.settle(this.#session);
  }
}

function reasonOf(reason: EndReason): number {
  if (reason === "not-authorized") return Reason.notAuthorized;
  return reason === "quota" ? Reason.quotaExceeded : Reason.serverUnavailable;
}
