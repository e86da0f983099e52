/** A client as the core sees it: a link that writes down what it is told, and the verbs a door would use for it. */
import type { Engine, SessionHandle, SubscribeRequest, TopicHandle, WillDraft } from "../model/engine.ts";
import type { DeliveryForm, EndReason, Link, LiveRun, LiveSource } from "../model/link.ts";
import {
  type MessageAttributes,
  MessageDraft,
  MessageView,
  noExpiry,
  readAttributes,
  writeAttributes,
} from "../model/message.ts";

export interface Delivered {
  readonly topic: string;
  readonly payload: string;
  readonly qos: 0 | 1 | 2;
  readonly packetId: number;
  readonly dup: boolean;
  readonly retain: boolean;
  readonly identifiers: readonly number[];
  readonly secondsLeft: number;
  /** From a declared subscription. */
  readonly lease?: { readonly attempt: number; readonly token: string; readonly plainTopic: boolean };
  readonly attributes?: MessageAttributes;
}

/** What a link was told, in order: `attached true`, `confirm 1 0x00`, `deliver a/b hello`. */
export class FakeLink implements Link {
  readonly name: string;
  readonly told: string[] = [];
  readonly delivered: Delivered[] = [];
  readonly released: number[] = [];
  isAttached = false;
  hasRoom = true;
  ended: EndReason | undefined;
  /** Payloads longer than this are refused by `deliver`. */
  largest: number = Number.POSITIVE_INFINITY;
  onDelivered: ((delivered: Delivered) => void) | undefined;
  onLease: ((message: MessageView, form: DeliveryForm) => void) | undefined;
  onReleased: ((packetId: number) => void) | undefined;
  /** Called before each note: checks of what must hold at that moment. */
  watch:
    | ((
        what: "attached" | "confirm" | "completed" | "deliver" | "release" | "forward",
        detail: Delivered | number,
      ) => void)
    | undefined;

  constructor(name: string) {
    this.name = name;
  }

  get ready(): boolean {
    return this.isAttached && this.hasRoom && this.ended === undefined;
  }

  get payloads(): string[] {
    return this.delivered.map(({ payload }) => payload);
  }

  attached(sessionPresent: boolean): void {
    this.watch?.("attached", 0);
    this.isAttached = true;
    this.told.push(`attached ${sessionPresent}`);
  }

  /** By packet id. */
  readonly receipts: Map<number, number> = new Map();

  confirm(packetId: number, qos: 1 | 2, reason: number, receipt: number): void {
    this.receipts.set(packetId, receipt);
    if (reason < 0x80) this.watch?.("confirm", packetId);
    this.told.push(`confirm ${packetId} qos ${qos} ${reason}`);
  }

  completed(packetId: number, reason: number): void {
    if (reason < 0x80) this.watch?.("completed", packetId);
    this.told.push(`completed ${packetId} ${reason}`);
  }

  deliver(message: MessageView, form: DeliveryForm): boolean {
    const delivered = seen(message, form);
    if (delivered.payload.length > this.largest) return false;
    this.watch?.("deliver", delivered);
    this.delivered.push(delivered);
    if (form.lease !== undefined) this.onLease?.(message, form);
    this.onDelivered?.(delivered);
    this.told.push(`deliver ${delivered.topic} ${delivered.payload}`);
    return true;
  }

  release(packetId: number): void {
    this.watch?.("release", packetId);
    this.released.push(packetId);
    this.onReleased?.(packetId);
    this.told.push(`release ${packetId}`);
  }

  forward(run: LiveRun, source: LiveSource, identifiers: readonly number[]): void {
    if (!this.isAttached || this.ended !== undefined) return;
    source.eachMessage(run, (message) => {
      const topic = message.topic;
      const payload = message.bytes.toString("utf8", message.payloadStart, message.payloadEnd);
      const delivered: Delivered = {
        topic,
        payload,
        qos: 0,
        packetId: 0,
        dup: false,
        retain: false,
        identifiers,
        secondsLeft: noExpiry,
      };
      this.watch?.("forward", delivered);
      this.delivered.push(delivered);
      this.told.push(`forward ${topic} ${payload}`);
    });
  }

  end(reason: EndReason, _text: string): void {
    this.ended = reason;
    this.told.push(`end ${reason}`);
  }
}

function seen(message: MessageView, form: DeliveryForm): Delivered {
  return {
    topic: message.topic,
    payload: message.bytes.toString("utf8", message.payloadStart, message.payloadEnd),
    qos: form.qos,
    packetId: form.packetId,
    dup: form.dup,
    retain: form.retain,
    identifiers: [...form.subscriptionIdentifiers],
    secondsLeft: form.secondsLeft,
    ...(form.lease !== undefined && {
      lease: { attempt: form.lease.attempt, token: form.lease.token, plainTopic: form.plainTopic },
    }),
    ...(message.hasAttributes && { attributes: readAttributes(message) }),
  };
}

export interface ConnectWish {
  readonly principal?: string;
  readonly keyId?: string;
  readonly expiresAt?: number;
  readonly clean?: boolean;
  readonly expiry?: number;
  readonly receiveMaximum?: number;
  readonly will?: Partial<WillDraft> & { readonly topic: string };
}

export interface PublishWish {
  readonly qos?: 0 | 1 | 2;
  readonly retain?: boolean;
  readonly expiry?: number;
  readonly packetId?: number;
  readonly attributes?: MessageAttributes;
  /** Lines `name=value`. */
  readonly headers?: string;
  /** DUP. */
  readonly isRepeat?: boolean;
}

/** One connection of a client. Its verbs return what the engine returned. */
export class FakeClient implements LiveSource {
  readonly link: FakeLink;
  readonly wireForm = 5;
  readonly clientId: string;
  readonly #engine: Engine;
  readonly receiveMaximum: number;
  session: SessionHandle | undefined;
  refusal = 0;
  subscribed: number[] = [];
  texts: string[] = [];
  #packetId = 0;

  constructor(engine: Engine, clientId: string, wish: ConnectWish) {
    this.#engine = engine;
    this.clientId = clientId;
    this.receiveMaximum = wish.receiveMaximum ?? 65_535;
    this.link = new FakeLink(clientId);
    const { will } = wish;
    const result = engine.attach(this.link, {
      principal: wish.principal ?? "dev",
      keyId: wish.keyId ?? "",
      ...(wish.expiresAt !== undefined && { expiresAt: wish.expiresAt }),
      clientId,
      cleanStart: wish.clean ?? false,
      expirySeconds: wish.expiry ?? 0,
      receiveMaximum: this.receiveMaximum,
      will:
        will === undefined
          ? undefined
          : {
              payload: Buffer.from(`will of ${clientId}`),
              qos: 1,
              retain: false,
              headers: Buffer.alloc(0),
              expirySeconds: noExpiry,
              delaySeconds: 0,
              ...will,
            },
    });
    if ("reason" in result) this.refusal = result.reason;
    else this.session = result;
  }

  /** True while the engine has not ended this connection and the client has not left. */
  get isOn(): boolean {
    return this.session !== undefined && this.link.ended === undefined;
  }

  get handle(): SessionHandle {
    if (this.session === undefined) throw new Error(`${this.clientId} was refused: ${this.refusal}`);
    return this.session;
  }

  topic(name: string): TopicHandle {
    const bytes = Buffer.from(name, "utf8");
    const topic = this.#engine.topic(bytes, 0, bytes.length);
    if (topic === undefined) throw new Error(`not a topic: ${name}`);
    return topic;
  }

  publish(topic: string, payload: string, wish: PublishWish = {}): number {
    const draft = new MessageDraft();
    draft.qos = wish.qos ?? 1;
    draft.retain = wish.retain ?? false;
    draft.expirySeconds = wish.expiry ?? noExpiry;
    draft.topicBytes = Buffer.from(topic, "utf8");
    draft.topicEnd = draft.topicBytes.length;
    draft.payloadBytes = Buffer.from(payload, "utf8");
    draft.payloadEnd = draft.payloadBytes.length;
    if (wish.attributes !== undefined) draft.attributes = writeAttributes(wish.attributes);
    draft.isRepeat = wish.isRepeat ?? false;
    draft.headerBytes = Buffer.from(wish.headers ?? "", "utf8");
    draft.headerEnd = draft.headerBytes.length;
    const packetId = draft.qos === 0 ? 0 : (wish.packetId ?? ++this.#packetId);
    return this.#engine.publish(this.handle, this.topic(topic), draft, packetId);
  }

  live(topic: string, payload: string): number {
    const bytes = Buffer.from(topic + payload, "utf8");
    this.#liveTopic = Buffer.byteLength(topic);
    return this.#engine.live(this.handle, this.topic(topic), { bytes, start: 0, end: bytes.length, count: 1 }, this);
  }

  /** Several QoS 0 messages of one topic, as they lie side by side in a read buffer. */
  liveRun(topic: string, payloads: readonly string[]): number {
    const bytes = Buffer.from(topic + payloads.join(""), "utf8");
    this.#liveTopic = Buffer.byteLength(topic);
    this.#livePayloads = payloads.map((payload) => Buffer.byteLength(payload));
    const run = { bytes, start: 0, end: bytes.length, count: payloads.length };
    const reason = this.#engine.live(this.handle, this.topic(topic), run, this);
    this.#livePayloads = [];
    return reason;
  }

  subscribe(filter: string, wish: Partial<SubscribeRequest> = {}): void {
    const request: SubscribeRequest = {
      filter,
      qos: 2,
      noLocal: false,
      retainAsPublished: false,
      retainHandling: 0,
      identifier: 0,
      ...wish,
    };
    this.#engine.subscribe(this.handle, [request], (codes, texts) => {
      this.subscribed.push(...codes);
      this.texts.push(...texts);
      this.link.told.push(`suback ${codes.join(" ")}`);
    });
  }

  unsubscribe(filter: string): void {
    this.#engine.unsubscribe(this.handle, [filter], (codes) => {
      this.link.told.push(`unsuback ${codes.join(" ")}`);
    });
  }

  release(packetId: number): void {
    this.#engine.release(this.handle, packetId);
  }

  ack(packetId: number, step: 1 | 2 | 3 = 1, reason = 0, text = ""): boolean {
    const isKnown = this.#engine.acknowledge(this.handle, packetId, step, reason, text);
    this.#engine.settle(this.handle);
    return isKnown;
  }

  settle(): void {
    this.#engine.settle(this.handle);
  }

  /** The connection is gone without goodbye. */
  cut(): void {
    this.#leave(false, undefined);
  }

  disconnect(expiry?: number): void {
    this.#leave(true, expiry);
  }

  #leave(clean: boolean, expiry: number | undefined): void {
    if (this.session !== undefined) this.#engine.detach(this.session, this.link, clean, expiry);
    this.session = undefined;
    this.link.isAttached = false;
  }

  // ── LiveSource ───────────────────────────────────────────────────────────────────────────────────────────────

  #liveTopic = 0;
  #livePayloads: readonly number[] = [];

  eachMessage(run: LiveRun, visit: (message: MessageView) => void): void {
    const view = new MessageView();
    view.bytes = run.bytes;
    view.topicStart = run.start;
    view.topicEnd = run.start + this.#liveTopic;
    view.attributesStart = view.headerStart = view.headerEnd = view.payloadStart = view.topicEnd;
    view.payloadEnd = run.end;
    if (this.#livePayloads.length === 0) visit(view);
    for (const length of this.#livePayloads) {
      view.payloadEnd = view.payloadStart + length;
      visit(view);
      view.payloadStart = view.payloadEnd;
    }
  }

  slowDown(): void {}
}
