/**
 * One MQTT connection: bytes in through the decoder, effects out through the output buffer.
 *
 *   waiting ──CONNECT──▶ attaching ──durable──▶ attached ──any end──▶ closing ──▶ closed
 *      │ └──▶ proving ────▲ │                                              ▲
 *      └─────────┴──────────┴── refused ───────────────────────────────────┘
 *
 * A client may send before CONNACK arrives; what it sends counts, but nothing is sent to it before. While it is not
 * known who it is (`proving`), what comes behind CONNECT waits, within the bounds of `PreAuth`.
 */
import {
  type ConnectPacket,
  type DecodeFailure,
  type Packet,
  PacketDecoder,
  type PacketSink,
  PacketType,
  type Properties,
  type PublishView,
  ReasonCode,
} from "@mess/wire";
import type { SessionHandle, TopicHandle } from "../../../model/engine.ts";
import type { DeliveryForm, EndReason, Link, LiveRun, LiveSource } from "../../../model/link.ts";
import type { MessageView } from "../../../model/message.ts";
import type { Peer, Transport, TransportHandler } from "../../transport.ts";
import { BackPressure } from "./back-pressure.ts";
import { decoderOptions, type MqttDoorContext, type Watched } from "./door-context.ts";
import { handleAck } from "./handle-ack.ts";
import { type Enhanced, handleAuth } from "./handle-auth.ts";
import { handleConnect, refuseFailedConnect } from "./handle-connect.ts";
import { handleDisconnect } from "./handle-disconnect.ts";
import { countPublished, handlePublish } from "./handle-publish.ts";
import { handleSubscribe, handleUnsubscribe } from "./handle-subscribe.ts";
import { HeldInput } from "./held-input.ts";
import { ListeningTimes } from "./listening-times.ts";
import { eachMessage } from "./live-run.ts";
import { Outgoing } from "./outgoing.ts";
import { PreAuth } from "./pre-auth.ts";
import { PublishAnswers } from "./publish-answers.ts";
import { PublishRate } from "./publish-rate.ts";
import { connack, endCode, refusalText } from "./send.ts";
import { InboundAliases } from "./topic-aliases.ts";

type Phase = "waiting" | "proving" | "attaching" | "attached" | "closing" | "closed";

const noBytes: Buffer = Buffer.alloc(0);

export class MqttConnection implements TransportHandler, PacketSink, Link, LiveSource, Watched {
  readonly context: MqttDoorContext;
  readonly peer: Peer;
  readonly out: Outgoing;
  readonly #transport: Transport;
  readonly #decoder: PacketDecoder;
  #phase: Phase = "waiting";
  #session: SessionHandle | undefined;
  readonly #times: ListeningTimes;
  readonly #pressure: BackPressure;
  readonly #preAuth: PreAuth;
  readonly #held: HeldInput;

  principal = "";
  clientId = "";
  keepAliveSeconds = 0;
  requestedExpiry = 0;
  connackProperties: Properties = {};
  /** With an authentication method in CONNECT. */
  enhanced: Enhanced | undefined;
  readonly inboundAliases: InboundAliases = new InboundAliases();

  readonly answers: PublishAnswers;
  readonly rate: PublishRate;

  run: LiveRun = { bytes: noBytes, start: 0, end: 0, count: 0 };
  #runTopic: TopicHandle | undefined;
  lastTopic: TopicHandle | undefined;

  #pingsWaiting = 0;

  constructor(context: MqttDoorContext, transport: Transport) {
    this.context = context;
    this.#transport = transport;
    this.peer = transport.peer;
    this.out = new Outgoing(context, transport);
    this.answers = new PublishAnswers(this);
    this.#decoder = new PacketDecoder(decoderOptions(context.limits), this);
    this.#times = new ListeningTimes(context.clock.monotonic());
    const pressure = new BackPressure(transport, context.timers);
    this.#pressure = pressure;
    this.#preAuth = new PreAuth(context, this.#decoder, pressure);
    this.#held = new HeldInput(context, { decoder: this.#decoder, pressure }, (...behind) => {
      if (this.isOpen) this.#decode(...behind);
    });
    this.rate = new PublishRate(this, this.#held);
    context.watch.add(this);
  }

  get isOpen(): boolean {
    return this.#phase === "attaching" || this.#phase === "attached";
  }

  get isAttached(): boolean {
    return this.#phase === "attached";
  }

  get handle(): SessionHandle {
    if (this.#session === undefined)
      throw new Error("no session before CONNECT: the decoder lets nothing else through");
    return this.#session;
  }

  // ── TransportHandler ─────────────────────────────────────────────────────────────────────────────────────────

  bytes(buffer: Buffer, start: number, end: number): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    this.context.counters.bytesReceived += end - start;
    this.#decode(buffer, start, end);
  }

  #decode(buffer: Buffer, start: number, end: number): void {
    const at = this.#decoder.push(buffer, start, end);
    this.#times.heard(this.context.clock.monotonic(), end - start, this.#decoder.bufferedBytes);
    if (at < end) this.#keepBehind(buffer, at, end);
    if (this.#phase === "waiting" || this.#preAuth.isHolding) this.#holdPreAuth();
    this.flushRun();
    if (this.#session !== undefined && this.isOpen) this.context.engine.settle(this.#session);
    if (this.out.isIgnored) this.#endSlow();
  }

  drained(): void {
    this.out.drained();
    this.#pressure.drained();
    if (this.#session !== undefined && this.isOpen) this.context.engine.settle(this.#session);
  }

  closed(_reason: string): void {
    if (this.#phase === "closed") return;
    this.#detach(false, undefined);
    this.#phase = "closed";
    this.#holdPreAuth();
    this.#held.drop();
    this.out.output.discard();
    this.context.watch.remove(this);
    this.#pressure.close();
    this.rate.close();
  }

  // ── PacketSink ───────────────────────────────────────────────────────────────────────────────────────────────

  publish(view: PublishView): boolean {
    return handlePublish(this, view);
  }

  ack(type: number, packetId: number, reason: number, properties: Properties | undefined): boolean {
    if (!this.flushRun()) return false;
    return handleAck(this, { type, packetId, reason, properties });
  }

  packet(packet: Packet): boolean {
    if (!this.flushRun()) return false;
    switch (packet.type) {
      case PacketType.CONNECT:
        return handleConnect(this, packet);
      case PacketType.SUBSCRIBE:
        return handleSubscribe(this, packet);
      case PacketType.UNSUBSCRIBE:
        return handleUnsubscribe(this, packet);
      case PacketType.PINGREQ:
        this.rate.asked(1);
        this.#answerPing();
        return true;
      case PacketType.DISCONNECT:
        return handleDisconnect(this, packet);
      case PacketType.AUTH:
        return handleAuth(this, packet);
      default:
        this.fail(ReasonCode.ProtocolError, "this packet is not expected here");
        return false;
    }
  }

  failed(failure: DecodeFailure): void {
    this.flushRun();
    const { counters } = this.context;
    if (failure.reasonCode === ReasonCode.MalformedPacket) counters.malformed++;
    else counters.protocolErrors++;
    if (this.isOpen || this.#phase === "proving") this.fail(failure.reasonCode, failure.reason);
    else if (!refuseFailedConnect(this, failure)) this.#close();
  }

  // ── Link ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get ready(): boolean {
    return this.#phase === "attached" && this.out.hasRoom;
  }

  attached(sessionPresent: boolean): void {
    if (this.#phase !== "attaching") return;
    this.#phase = "attached";
    this.context.counters.connected++;
    if (!this.out.packet(connack(ReasonCode.Success, sessionPresent, this.connackProperties))) {
      // A client that takes less than a CONNACK can be told nothing.
      this.leave(false, undefined);
      return;
    }
    this.connackProperties = {};
    for (; this.#pingsWaiting > 0; this.#pingsWaiting--) this.out.pingresp();
  }

  confirm(packetId: number, qos: 1 | 2, reason: number, receipt: number): void {
    this.answers.confirm(packetId, qos, reason, receipt);
  }

  completed(packetId: number, reason: number): void {
    if (this.isOpen) this.out.ack(PacketType.PUBCOMP, packetId, reason);
  }

  deliver(message: MessageView, form: DeliveryForm): boolean {
    return this.#phase !== "attached" || this.out.deliver(message, form);
  }

  release(packetId: number, reason: number = ReasonCode.Success): void {
    if (this.#phase === "attached") this.out.ack(PacketType.PUBREL, packetId, reason);
  }

  forward(run: LiveRun, source: LiveSource, identifiers: readonly number[]): void {
    if (this.#phase !== "attached") return;
    if (this.out.isFilling && !this.#pressure.isStalled) source.slowDown(this);
    if (!this.out.forward(run, source, identifiers)) this.context.counters.slowDrops += run.count;
  }

  end(reason: EndReason, text: string): void {
    this.#session = undefined;
    this.#disconnect(endCode(reason), text);
  }

  // ── LiveSource ───────────────────────────────────────────────────────────────────────────────────────────────

  get wireForm(): number {
    return this.out.version;
  }

  eachMessage(run: LiveRun, visit: (message: MessageView) => void): void {
    eachMessage(run, this.out.version, visit);
  }

  slowDown(by: Link): void {
    if (by instanceof MqttConnection) by.#pressure.hold(this.#pressure);
  }

  // ── for the handlers ─────────────────────────────────────────────────────────────────────────────────────────

  startRun(topic: TopicHandle, bytes: Buffer, start: number, end: number): void {
    this.#runTopic = topic;
    const { run } = this;
    this.run = run.bytes === bytes ? run : { bytes, start, end, count: 1 };
    this.run.start = start;
    this.run.end = end;
    this.run.count = 1;
  }

  /** Publishes what has gathered. False when that was refused and ended the connection: nothing after it counts. */
  flushRun(): boolean {
    const { run } = this;
    if (run.count > 0 && this.#runTopic !== undefined) {
      const topic = this.#runTopic;
      const { count } = run;
      const reason = this.context.engine.live(this.handle, topic, run, this);
      run.count = 0;
      if (reason >= 0x80) {
        this.fail(reason, this.context.engine.explainRefusal() || refusalText(reason));
      } else countPublished(this, topic, count, run.end - run.start);
    }
    return this.#phase !== "closing" && this.#phase !== "closed";
  }

  /** More waits for the disk than should: read nothing from this publisher until it is less. */
  waitForCalm(): void {
    const { engine } = this.context;
    this.#pressure.waitForCalm((run) => engine.whenCalm(run));
  }

  /** Who sent `connect` is not known before the client has said more. */
  proving(connect: ConnectPacket): void {
    this.#phase = "proving";
    this.#preAuth.keepConnect(connect);
    this.#holdPreAuth();
  }

  /** Takes an answer about who it is when it comes; before CONNECT was answered the client waits meanwhile. */
  suspend<Answer>(
    connect: ConnectPacket | undefined,
    answer: Promise<Answer>,
    take: (answer: Answer) => boolean,
  ): boolean {
    if (connect !== undefined) {
      this.proving(connect);
      this.#preAuth.pause(answer);
    }
    void answer.then((given) => {
      if (this.#phase !== "proving" && !this.isOpen) return;
      if (connect === undefined) return void take(given);
      const behind = this.#preAuth.goOn();
      if (take(given)) this.#decode(behind, 0, behind.length);
    });
    return this.isOpen || this.#phase === "proving";
  }

  /** Decodes nothing more until `answer` is there and taken. `bytes` are kept for it meanwhile. */
  holdInput<Answer>(bytes: number, answer: Promise<Answer>, take: (answer: Answer) => boolean): boolean {
    this.#held.holdUntil(bytes, answer, (given) => this.isOpen && take(given));
    return this.isOpen;
  }

  /** The engine is asked now; it may answer before it returns. */
  attaching(): void {
    this.#phase = "attaching";
    this.#preAuth.release();
  }

  established(session: SessionHandle): void {
    this.#session = session;
    this.rate.open(this.context.rates.forConnection(this));
    this.#decoder.maxPacketSize = this.context.limits.packetBytesMax;
    this.#transport.letIn?.();
  }

  /** CONNACK with an error, then the end. Returns false for the handler to return. */
  refuse(code: number, text: string): false {
    this.#phase = "waiting";
    this.context.counters.connectRefused++;
    const { version, problemInformation } = this.out;
    this.out.packet(connack(code, false, version === 5 && problemInformation ? { reasonString: text } : {}));
    this.#close();
    return false;
  }

  /** A reserved user property was unknown, misplaced or had a bad value (THREATS A13). */
  propertyRefused(property: string): void {
    this.context.counters.propertiesRefused++;
    this.context.audit("property.refused", { principal: this.principal, property });
  }

  /** The client says goodbye. */
  leave(clean: boolean, expirySeconds: number | undefined): void {
    this.#detach(clean, expirySeconds);
    this.#close();
  }

  /** Ends the connection for what the client did. */
  fail(code: number, text: string): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    // Before CONNACK there is no DISCONNECT.
    if (this.#phase === "proving") return void this.refuse(code, text);
    this.#detach(false, undefined);
    this.#disconnect(code, text);
  }

  // ── Watched ──────────────────────────────────────────────────────────────────────────────────────────────────

  checkDeadlines(now: number): void {
    const { limits, counters, audit } = this.context;
    if (this.#phase === "waiting" || this.#phase === "proving") {
      if (now - this.#times.openedAt < limits.connectDeadlineMs) return;
      counters.connectDeadlines++;
      audit("limit.hit", { limit: "connectDeadlineMs", address: this.peer.address });
      this.#close();
      return;
    }
    if (!this.isOpen) return;
    if (this.out.isHoarding()) return this.#endSlow();
    if (this.#pressure.isPaused) this.#times.excuse(now);
    const rate = { expectedBytes: this.#decoder.expectedBytes, bytesPerSecondMin: limits.packetBytesPerSecondMin };
    const complaint = this.#times.complaint(now, this.keepAliveSeconds, rate);
    if (complaint === undefined) return;
    counters.keepAliveTimeouts++;
    this.fail(ReasonCode.KeepAliveTimeout, complaint);
  }

  #endSlow(): void {
    this.context.counters.slowEnds++;
    this.fail(ReasonCode.QuotaExceeded, "too much waits for this client to read it");
  }

  #detach(clean: boolean, expirySeconds: number | undefined): void {
    const session = this.#session;
    this.#session = undefined;
    if (session !== undefined) this.context.engine.detach(session, this, clean, expirySeconds);
  }

  #disconnect(code: number, text: string): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    if (this.#phase === "attached") this.out.disconnect(code, text);
    this.#close();
  }

  #close(): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    this.#phase = "closing";
    this.#holdPreAuth();
    this.#held.drop();
    this.run.count = 0;
    this.out.output.flush();
    this.#transport.end();
  }

  /** What came while it was not known yet from whom, or before its time. */
  #keepBehind(buffer: Buffer, start: number, end: number): void {
    if (this.isOpen) return this.#held.keep(buffer, start, end);
    if (this.#phase !== "proving" || this.#preAuth.keepBehind(buffer, start, end)) return;
    this.context.audit("limit.hit", { limit: "connectPacketBytesMax", address: this.peer.address });
    this.refuse(ReasonCode.QuotaExceeded, "too much was sent before CONNECT was answered");
  }

  #holdPreAuth(): void {
    if (this.#phase !== "waiting" && this.#phase !== "proving") return this.#preAuth.release();
    if (this.#preAuth.hold()) return;
    this.context.audit("limit.hit", { limit: "preAuthBytesMax", address: this.peer.address });
    this.#close();
  }

  #answerPing(): void {
    // Asked before CONNACK went out: answered after it.
    if (this.#phase === "attaching") this.#pingsWaiting++;
    else if (this.#phase === "attached") this.out.pingresp();
  }
}
