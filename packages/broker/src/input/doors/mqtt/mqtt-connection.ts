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
import { DeliveryForm as Form } from "../../../model/link.ts";
import type { MessageView } from "../../../model/message.ts";
import type { Transport, TransportHandler } from "../../transport.ts";
import { BackPressure } from "./back-pressure.ts";
import { deliver } from "./deliver.ts";
import type { MqttDoorContext, Watched } from "./door-context.ts";
import { handleConnect } from "./handle-connect.ts";
import { handlePublish } from "./handle-publish.ts";
import { handleSubscribe, handleUnsubscribe } from "./handle-subscribe.ts";
import { ListeningTimes } from "./listening-times.ts";
import { eachMessage } from "./live-run.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { connack, disconnect, refusal, refusalText, sendAck, sendPacket, sendPingresp } from "./send.ts";
import { InboundAliases, type OutboundAliases } from "./topic-aliases.ts";

type Phase = "waiting" | "attaching" | "attached" | "closing" | "closed";

const noBytes: Buffer = Buffer.alloc(0);
const liveForm: DeliveryForm = new Form();

const endCodes: Readonly<Record<EndReason, number>> = {
  "taken-over": ReasonCode.SessionTakenOver,
  "not-authorized": ReasonCode.NotAuthorized,
  administrative: ReasonCode.AdministrativeAction,
  quota: ReasonCode.QuotaExceeded,
  "storage-failed": ReasonCode.ServerShuttingDown,
  "shutting-down": ReasonCode.ServerShuttingDown,
  "session-ended": ReasonCode.AdministrativeAction,
};

export class MqttConnection implements TransportHandler, PacketSink, Link, LiveSource, Watched {
  readonly context: MqttDoorContext;
  readonly output: OutputBuffer;
  readonly #transport: Transport;
  readonly #decoder: PacketDecoder;
  #phase: Phase = "waiting";
  #session: SessionHandle | undefined;
  readonly #times: ListeningTimes;
  readonly #pressure: BackPressure;
  /** What this connection adds to the bytes held for unauthenticated ones. */
  #preAuthHeld = 0;

  version: 0 | 4 | 5 = 0;
  principal = "";
  clientId = "";
  keepAliveSeconds = 0;
  maximumPacketSize: number = Number.MAX_SAFE_INTEGER;
  problemInformation = true;
  requestedExpiry = 0;
  connackProperties: Properties = {};
  outboundAliases: OutboundAliases | undefined;
  #inboundAliases: InboundAliases | undefined;

  /** QoS 1 publishes that were not answered yet, and QoS 2 ids from PUBLISH to PUBREL. */
  unconfirmed = 0;
  readonly unreleased: Set<number> = new Set();

  run: LiveRun = { bytes: noBytes, start: 0, end: 0, count: 0 };
  #runTopic: TopicHandle | undefined;
  lastTopic: TopicHandle | undefined;

  #pingsWaiting = 0;
  /** Why publishes were refused by the door, until the refusal has its turn. */
  #refusalTexts: Map<number, string> | undefined;

  constructor(context: MqttDoorContext, transport: Transport) {
    this.context = context;
    this.#transport = transport;
    this.output = new OutputBuffer(transport, context.flushQueue);
    const { limits } = context;
    this.#decoder = new PacketDecoder(
      {
        role: "server",
        maxPacketSize: limits.connectPacketBytesMax,
        userPropertiesMax: limits.userPropertiesMax,
        userPropertyBytesMax: limits.userPropertyBytesMax,
        subscriptionsMax: limits.subscriptionsPerPacketMax,
        topicAliasMax: limits.topicAliasMax,
      },
      this,
    );
    this.#times = new ListeningTimes(context.clock.monotonic());
    this.#pressure = new BackPressure(transport, context.timers);
    context.watch.add(this);
  }

  get address(): string {
    return this.#transport.peer.address;
  }

  get transportKind(): string {
    return this.#transport.peer.kind;
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
    if (this.#phase === "waiting" || this.#preAuthHeld > 0) this.#holdPreAuth();
    this.flushRun();
    if (this.#session !== undefined && this.isOpen) this.context.engine.settle(this.#session);
  }

  drained(): void {
    this.#pressure.drained();
    if (this.#session !== undefined && this.isOpen) this.context.engine.settle(this.#session);
  }

  closed(_reason: string): void {
    if (this.#phase === "closed") return;
    this.#leave(false, undefined);
    this.#phase = "closed";
    this.#holdPreAuth();
    this.output.discard();
    this.context.watch.remove(this);
    this.#pressure.close();
  }

  // ── PacketSink ───────────────────────────────────────────────────────────────────────────────────────────────

  publish(view: PublishView): boolean {
    return handlePublish(this, view);
  }

  ack(type: number, packetId: number, reason: number): boolean {
    if (!this.flushRun()) return false;
    const { engine } = this.context;
    if (type === PacketType.PUBREL) {
      this.unreleased.delete(packetId);
      engine.release(this.handle, packetId);
      return this.isOpen;
    }
    const step = type === PacketType.PUBACK ? 1 : type === PacketType.PUBREC ? 2 : 3;
    if (engine.acknowledge(this.handle, packetId, step, reason)) return this.isOpen;
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
    if (this.isOpen) {
      this.fail(failure.reasonCode, failure.reason);
      return;
    }
    // Before CONNECT is accepted there is no DISCONNECT [MQTT-3.14.0-1]: a CONNACK if the client's format is known, else just the end.
    if (
      failure.packetType === PacketType.CONNECT &&
      (failure.protocolLevel >= 3 || failure.reasonCode === ReasonCode.UnsupportedProtocolVersion)
    ) {
      this.version = failure.protocolLevel >= 5 ? 5 : 4;
      const speaks311 = this.version === 4 && failure.reasonCode !== ReasonCode.UnsupportedProtocolVersion;
      if (speaks311) this.#close();
      else this.refuse(failure.reasonCode, failure.reason);
      return;
    }
    this.#close();
  }

  // ── Link ─────────────────────────────────────────────────────────────────────────────────────────────────────

  get ready(): boolean {
    return this.#phase === "attached" && this.output.hasRoom(this.context.limits.outboundBytesMax);
  }

  attached(sessionPresent: boolean): void {
    if (this.#phase !== "attaching" || this.version === 0) return;
    this.#phase = "attached";
    this.context.counters.connected++;
    const packet = connack(ReasonCode.Success, sessionPresent, this.connackProperties);
    if (!sendPacket(this.output, packet, this.version, this.maximumPacketSize)) {
      // A client that takes less than a CONNACK can be told nothing.
      this.#leave(false, undefined);
      this.#close();
      return;
    }
    this.connackProperties = {};
    for (; this.#pingsWaiting > 0; this.#pingsWaiting--) sendPingresp(this.output);
  }

  confirm(packetId: number, qos: 1 | 2, reason: number): void {
    if (qos === 1) this.unconfirmed--;
    else if (reason >= 0x80) this.unreleased.delete(packetId);
    if (!this.isOpen || this.version === 0) return;
    const type = qos === 1 ? PacketType.PUBACK : PacketType.PUBREC;
    if (reason >= 0x80) this.#sendRefusal(type, packetId, reason);
    else sendAck(this.output, this.version, type, packetId, reason);
  }

  completed(packetId: number, reason: number): void {
    if (this.isOpen && this.version !== 0) sendAck(this.output, this.version, PacketType.PUBCOMP, packetId, reason);
  }

  deliver(message: MessageView, form: DeliveryForm): boolean {
    if (this.version === 0 || this.#phase !== "attached") return true;
    return deliver(this.#receiving(this.version), message, form);
  }

  release(packetId: number): void {
    this.#sendRelease(packetId, ReasonCode.Success);
  }

  forward(run: LiveRun, source: LiveSource, identifiers: readonly number[]): void {
    if (this.#phase !== "attached") return;
    const { outboundBytesMax } = this.context.limits;
    const pending = this.output.pendingBytes;
    if (pending > outboundBytesMax / 4 && !this.#pressure.isStalled) source.slowDown(this);
    const length = run.end - run.start;
    if (pending + length > outboundBytesMax && pending > 0) {
      this.context.counters.slowDrops += run.count;
      return;
    }
    if (
      source.wireForm === this.version &&
      identifiers.length === 0 &&
      this.outboundAliases === undefined &&
      length <= this.maximumPacketSize
    ) {
      this.output.append(run.bytes, run.start, run.end);
      return;
    }
    source.eachMessage(run, (message) => this.#deliverLive(message, identifiers));
  }

  end(reason: EndReason, text: string): void {
    this.#session = undefined;
    this.#disconnect(endCodes[reason], text);
  }

  // ── LiveSource ───────────────────────────────────────────────────────────────────────────────────────────────

  get wireForm(): number {
    return this.version;
  }

  eachMessage(run: LiveRun, visit: (message: MessageView) => void): void {
    eachMessage(run, this.version, visit);
  }

  slowDown(by: Link): void {
    if (by instanceof MqttConnection) by.#pressure.hold(this.#pressure);
  }

  // ── for the handlers ─────────────────────────────────────────────────────────────────────────────────────────

  inboundAliases(): InboundAliases {
    this.#inboundAliases ??= new InboundAliases();
    return this.#inboundAliases;
  }

  countInbound(qos: 1 | 2, packetId: number): void {
    if (qos === 1) this.unconfirmed++;
    else this.unreleased.add(packetId);
  }

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
      const reason = this.context.engine.live(this.handle, this.#runTopic, run, this);
      run.count = 0;
      if (reason >= 0x80) this.fail(reason, "not allowed to publish to this topic");
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
    this.#decoder.maxPacketSize = this.context.limits.packetBytesMax;
  }

  /** CONNACK with an error, then the end. Returns false for the handler to return. */
  refuse(code: number, text: string): false {
    this.#phase = "waiting";
    this.context.counters.connectRefused++;
    if (this.version !== 0) {
      const properties = this.version === 5 && this.problemInformation ? { reasonString: text } : {};
      sendPacket(this.output, connack(code, false, properties), this.version, this.maximumPacketSize);
    }
    this.#close();
    return false;
  }

  /** A publish that cannot be taken: a code where the packet has one, else the end; never an ack for nothing. */
  refusePublish(qos: 0 | 1 | 2, packetId: number, code: number, text: string): void {
    if (this.version !== 5 || qos === 0) {
      this.fail(code, text);
      return;
    }
    this.#refusalTexts ??= new Map();
    this.#refusalTexts.set(packetId, text);
    this.countInbound(qos, packetId);
    this.context.engine.refuse(this.handle, packetId, qos, code);
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
      audit("limit.hit", { limit: "connectDeadlineMs", address: this.address });
      this.#close();
      return;
    }
    if (!this.isOpen) return;
    if (this.#pressure.isPaused) this.#times.excuse(now);
    const trickles = this.#times.trickles(now, this.#decoder.expectedBytes, limits.packetBytesPerSecondMin);
    const silent = this.#times.isSilent(now, this.keepAliveSeconds);
    if (!trickles && !silent) return;
    counters.keepAliveTimeouts++;
    this.fail(
      ReasonCode.KeepAliveTimeout,
      trickles ? "a packet took too long to arrive" : "nothing was heard for 1.5 times the keep alive",
    );
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
    if (this.#phase === "attached" && this.version === 5) {
      const packet = disconnect(code, this.problemInformation ? text : "");
      sendPacket(this.output, packet, 5, this.maximumPacketSize);
    }
    this.#close();
  }

  #close(): void {
    if (this.#phase === "closing" || this.#phase === "closed") return;
    this.#phase = "closing";
    this.#holdPreAuth();
    this.run.count = 0;
    this.output.flush();
    this.#transport.end();
  }

  /** All unauthenticated connections together may make us hold only so much. */
  #holdPreAuth(): void {
    const held = this.#phase === "waiting" ? this.#decoder.bufferedBytes : 0;
    this.context.preAuthBytes += held - this.#preAuthHeld;
    this.#preAuthHeld = held;
    if (held === 0 || this.context.preAuthBytes <= this.context.limits.preAuthBytesMax) return;
    this.context.audit("limit.hit", { limit: "preAuthBytesMax", address: this.address });
    this.#close();
  }

  #receiving(version: 4 | 5): Parameters<typeof deliver>[0] {
    return {
      version,
      forms: this.context.sharedForms,
      output: this.output,
      maximumPacketSize: this.maximumPacketSize,
      aliases: this.outboundAliases,
    };
  }

  #deliverLive(message: MessageView, identifiers: readonly number[]): void {
    liveForm.qos = 0;
    liveForm.packetId = 0;
    liveForm.dup = false;
    liveForm.retain = false;
    liveForm.subscriptionIdentifiers = identifiers;
    liveForm.secondsLeft = message.expirySeconds;
    this.deliver(message, liveForm);
  }

  #sendRelease(packetId: number, reason: number): void {
    if (this.#phase !== "attached" || this.version === 0) return;
    sendAck(this.output, this.version, PacketType.PUBREL, packetId, this.version === 5 ? reason : 0);
  }

  #sendRefusal(type: typeof PacketType.PUBACK | typeof PacketType.PUBREC, packetId: number, code: number): void {
    const text = this.#refusalTexts?.get(packetId) ?? refusalText(code);
    this.#refusalTexts?.delete(packetId);
    // 3.1.1 has no refusal: an ack would be a lie, so the connection ends [MQTT-3.3.5-2 of 3.1.1].
    if (this.version !== 5) this.fail(code, text);
    else
      sendPacket(
        this.output,
        refusal(type, packetId, code, this.problemInformation ? text : ""),
        5,
        this.maximumPacketSize,
      );
  }

  #answerPing(): void {
    // Asked before CONNACK went out: answered after it.
    if (this.#phase === "attaching") this.#pingsWaiting++;
    else if (this.#phase === "attached") sendPingresp(this.output);
  }
}
