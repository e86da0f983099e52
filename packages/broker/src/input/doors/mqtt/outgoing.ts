/** What goes out on one connection: packets in the client's version, within what it takes. */
import type { Packet, PacketType, ProtocolVersion } from "@mess/wire";
import { DeliveryForm, type LiveRun, type LiveSource } from "../../../model/link.ts";
import type { MessageView } from "../../../model/message.ts";
import type { Transport } from "../../transport.ts";
import { deliver, type Receiving } from "./deliver.ts";
import type { MqttDoorContext } from "./door-context.ts";
import type { OutputBudget } from "./output-budget.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { disconnect, explainedAck, receiptAck, sendAck, sendPacket, sendPingresp } from "./send.ts";
import type { SharedForms } from "./shared-forms.ts";
import type { OutboundAliases } from "./topic-aliases.ts";

/** While memory is short publishers wait for a receiver that has as much waiting. */
const shareWhenTight = 4 * 1_024;
const liveForm: DeliveryForm = new DeliveryForm();

export class Outgoing implements Receiving {
  readonly forms: SharedForms;
  readonly output: OutputBuffer;
  /** What the client takes at a time and in all, before QoS 0 is dropped. */
  readonly #bytesMax: number;
  readonly #packetBytesMax: number;
  readonly #budget: OutputBudget;
  /** It took everything since this was last set to false. */
  hasDrained = true;

  /** True once CONNECT said which version the client speaks; nothing is sent before. */
  isVersionKnown = false;
  version: ProtocolVersion = 4;
  maximumPacketSize: number = Number.MAX_SAFE_INTEGER;
  problemInformation = true;
  /** CONNECT asked for receipts, and for offset, time and the like of deliveries. */
  wantsMeta = false;
  aliases: OutboundAliases | undefined;

  constructor(context: MqttDoorContext, transport: Transport) {
    this.forms = context.sharedForms;
    this.output = new OutputBuffer(transport, context.flushQueue, context.outputBudget);
    this.#budget = context.outputBudget;
    this.#packetBytesMax = context.limits.packetBytesMax;
    this.#bytesMax = context.limits.outboundBytesMax;
  }

  speak(version: ProtocolVersion): void {
    this.isVersionKnown = true;
    this.version = version;
  }

  /** False until less waits than may, and then not before it has drained. */
  get hasRoom(): boolean {
    return this.output.hasRoom(this.#most);
  }

  /** The kernel took everything: what gathered meanwhile follows. */
  drained(): void {
    this.hasDrained = true;
    this.output.drained();
  }

  /** So much waits that publishers should hold back. */
  get isFilling(): boolean {
    const pending = this.output.pendingBytes;
    return pending > this.#most / 4 || (pending > shareWhenTight && this.#budget.isTight);
  }

  /** More waits than the client was ever sent of messages: it asks, and does not read the answers. */
  get isIgnored(): boolean {
    return this.output.pendingBytes > 2 * this.#bytesMax + this.#packetBytesMax;
  }

  /** Memory is short, and it holds more than its share and took nothing since it was last asked. */
  isHoarding(): boolean {
    const stands = !this.hasDrained && this.#budget.isSpent && this.output.pendingBytes > this.#budget.share;
    this.hasDrained = this.output.pendingBytes === 0;
    return stands;
  }

  get #most(): number {
    // Whoever has nothing waiting may always have something: it would not be asked again.
    if (this.#budget.isSpent) return 1;
    return Math.min(this.#bytesMax, this.#budget.share);
  }

  /** False when the client takes no packet of that size. */
  packet(packet: Packet): boolean {
    return this.isVersionKnown && sendPacket(this.output, packet, this.version, this.maximumPacketSize);
  }

  /** PUBACK, PUBREC, PUBREL or PUBCOMP without properties. */
  ack(type: number, packetId: number, reason: number): void {
    sendAck(this.output, this.version, type, packetId, reason);
  }

  pingresp(): void {
    sendPingresp(this.output);
  }

  disconnect(code: number, text: string): void {
    if (this.version === 5) this.packet(disconnect(code, this.problemInformation ? text : ""));
  }

  /** PUBACK or PUBREC with a sentence, to clients of 5.0. */
  explainedAck(
    type: typeof PacketType.PUBACK | typeof PacketType.PUBREC,
    packetId: number,
    code: number,
    text: string,
  ): void {
    this.packet(explainedAck(type, packetId, code, this.problemInformation ? text : ""));
  }

  /** PUBACK that says where the message is; `receipt` as `Link.confirm` has it. */
  receipt(
    type: typeof PacketType.PUBACK | typeof PacketType.PUBREC,
    packetId: number,
    code: number,
    receipt: number,
  ): void {
    this.packet(receiptAck(type, packetId, code, receipt));
  }

  /** False when the client takes no packet of that size. */
  deliver(message: MessageView, form: DeliveryForm): boolean {
    return deliver(this, message, form);
  }

  /** QoS 0 publishes of another client, as they are if they can be. False when so much waits that they are dropped. */
  forward(run: LiveRun, source: LiveSource, identifiers: readonly number[]): boolean {
    const { output } = this;
    const length = run.end - run.start;
    const pending = output.pendingBytes;
    if (pending + length > this.#most && pending > 0) return false;
    const isPlain = identifiers.length === 0 && this.aliases === undefined && length <= this.maximumPacketSize;
    if (isPlain && source.wireForm === this.version) output.append(run.bytes, run.start, run.end);
    else source.eachMessage(run, (message) => this.#deliverLive(message, identifiers));
    return true;
  }

  #deliverLive(message: MessageView, identifiers: readonly number[]): void {
    liveForm.qos = 0;
    liveForm.packetId = 0;
    liveForm.dup = false;
    liveForm.retain = false;
    liveForm.subscriptionIdentifiers = identifiers;
    liveForm.secondsLeft = message.expirySeconds;
    deliver(this, message, liveForm);
  }
}
