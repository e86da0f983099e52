/**
 * One MQTT connection: bytes in through the decoder, effects out through the output buffer.
 *
 *   waiting ──CONNECT──▶ attaching ──durable──▶ attached ──any end──▶ closing ──▶ closed
 *      └──────────────────────┴── refused ──────────────────────────────▲
 *
 * A client may send before CONNACK arrives; what it sends counts, but nothing is sent to it before.
 */
import {
  type ConnectPacket,
  type DecodeFailure,
  type DisconnectPacket,
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
import { handleConnect, refuseFailedConnect } from "./handle-connect.ts";
import { countPublished, handlePublish } from "./handle-publish.ts";
import { handleSubscribe, handleUnsubscribe } from "./handle-subscribe.ts";
import { ListeningTimes } from "./listening-times.ts";
import { eachMessage } from "./live-run.ts";
import { Outgoing } from "./outgoing.ts";
import { PreAuthShare } from "./pre-auth-share.ts";
import { PublishAnswers } from "./publish-answers.ts";
import { PublishRate } from "./publish-rate.ts";
import { connack, endCode, refusalText } from "./send.ts";
import { fitting } from "./settlement-properties.ts";
import { InboundAliases } from "./topic-aliases.ts";

type Phase = "waiting" | "attaching" | "attached" | "closing" | "closed";

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
  readonly #preAuth: PreAuthShare;

  principal = "";
  clientId = "";
  keepAliveSeconds = 0;
  requestedExpiry = 0;
  connackProperties: Properties = {};
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
    this.#pressure = new BackPressure(transport, context.timers);
    this.rate = new PublishRate(this, this.#pressure);
    this.#preAuth = new PreAuthShare(context);
    context.watch.add(this);
  }

  get isOpen(): boolean {
    return this.#phase === "attaching" || this.#phase === "attached";
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
    this.#decoder.push(buffer, start, end);
    this.#times.heard(this.context.clock.monotonic(), end - start, this.#decoder.bufferedBytes);
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
    this.#leave(false, undefined);
    this.#phase = "closed";
    this.#holdPreAuth();
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
    const { engine, limits } = this.context;
    if (type === PacketType.PUBREL) {
      this.answers.unreleased.delete(packetId);
      engine.release(this.handle, packetId);
      return this.isOpen;
    }
    const step = type === PacketType.PUBACK ? 1 : type === PacketType.PUBREC ? 2 : 3;
    // A negative PUBACK may say why; that goes with the message.
    const text = fitting(properties?.reasonString ?? "", limits.settlementReasonBytesMax);
    if (engine.acknowledge(this.handle, packetId, step, reason, text)) return this.isOpen;
    if (step === 1) this.fail(ReasonCode.ProtocolError, "PUBACK for a packet id that is not under way");
    else if (step === 2 && reason < 0x80) this.#sendRelease(packetId, ReasonCode.PacketIdentifierNotFound);
    return this.isOpen;
  }

  packet(packet: Packet): boolean {
    if (!this.flushRun()) return false;
    switch (packet.type) {
      case PacketType.CONNECT:
        return this.#connect(packet);
      case PacketType.SUBSCRIBE:
        return handleSubscribe(this, packet);
      case PacketType.UNSUBSCRIBE:
        return handleUnsubscribe(this, packet);
      case PacketType.PINGREQ:
        this.rate.asked(1);
        this.#answerPing();
        return true;
      case PacketType.DISCONNECT:
        return this.#goodbye(packet);
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
    if (this.isOpen) this.fail(failure.reasonCode, failure.reason);
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
      this.#leave(false, undefined);
      this.#close();
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

  release(packetId: number): void {
    this.#sendRelease(packetId, ReasonCode.Success);
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

  /** The engine is asked now; it may answer before it returns. */
  attaching(): void {
    this.#phase = "attaching";
  }

  established(session: SessionHandle): void {
    this.#session = session;
    this.rate.open(this.context.rates.forConnection(this));
    this.#decoder.maxPacketSize = this.context.limits.packetBytesMax;
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

  /** A publish that cannot be taken: a code where the packet has one, else the end; never an ack for nothing. */
  refusePublish(qos: 0 | 1 | 2, packetId: number, code: number, text: string): void {
    if (this.out.version !== 5 || qos === 0) {
      this.fail(code, text);
      return;
    }
    this.answers.explain(packetId, text);
    this.answers.count(qos, packetId);
    this.context.engine.refuse(this.handle, packetId, qos, code);
  }

  /** A reserved user property was unknown, misplaced or had a bad value (THREATS A13). */
  propertyRefused(property: string): void {
    this.context.counters.propertiesRefused++;
    this.context.audit("property.refused", { principal: this.principal, property });
  }

  /** Ends the connection for what the client did. */
  fail(code: number, text: string): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    this.#leave(false, undefined);
    this.#disconnect(code, text);
  }

  // ── Watched ──────────────────────────────────────────────────────────────────────────────────────────────────

  checkDeadlines(now: number): void {
    const { limits, counters, audit } = this.context;
    if (this.#phase === "waiting") {
      if (now - this.#times.openedAt < limits.connectDeadlineMs) return;
      counters.connectDeadlines++;
      audit("limit.hit", { limit: "connectDeadlineMs", address: this.peer.address });
      this.#close();
      return;
    }
    if (!this.isOpen) return;
    if (this.out.isHoarding()) return this.#endSlow();
    if (this.#pressure.isPaused) this.#times.excuse(now);
    const { expectedBytes } = this.#decoder;
    const text = this.#times.overdue(now, this.keepAliveSeconds, expectedBytes, limits.packetBytesPerSecondMin);
    if (text === undefined) return;
    counters.keepAliveTimeouts++;
    this.fail(ReasonCode.KeepAliveTimeout, text);
  }

  #endSlow(): void {
    this.context.counters.slowEnds++;
    this.fail(ReasonCode.QuotaExceeded, "too much waits for this client to read it");
  }

  #connect(packet: ConnectPacket): boolean {
    if (this.#phase !== "waiting") {
      this.fail(ReasonCode.ProtocolError, "a second CONNECT is a protocol error [MQTT-3.1.0-2]");
      return false;
    }
    return handleConnect(this, packet);
  }

  #goodbye(packet: DisconnectPacket): boolean {
    const expiry = packet.properties?.sessionExpiryInterval;
    if (expiry !== undefined && expiry > 0 && this.requestedExpiry === 0) {
      this.fail(
        ReasonCode.ProtocolError,
        "a session that was to end cannot be given time by DISCONNECT [MQTT-3.14.2-2]",
      );
      return false;
    }
    this.#leave(packet.reasonCode === ReasonCode.NormalDisconnection, expiry);
    this.#close();
    return false;
  }

  #leave(clean: boolean, expirySeconds: number | undefined): void {
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
    this.run.count = 0;
    this.out.output.flush();
    this.#transport.end();
  }

  #holdPreAuth(): void {
    if (this.#preAuth.hold(this.#phase === "waiting" ? this.#decoder.bufferedBytes : 0)) return;
    this.context.audit("limit.hit", { limit: "preAuthBytesMax", address: this.peer.address });
    this.#close();
  }

  #sendRelease(packetId: number, reason: number): void {
    if (this.#phase === "attached") this.out.ack(PacketType.PUBREL, packetId, reason);
  }

  #answerPing(): void {
    // Asked before CONNACK went out: answered after it.
    if (this.#phase === "attaching") this.#pingsWaiting++;
    else if (this.#phase === "attached") this.out.pingresp();
  }
}
