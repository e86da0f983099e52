/** Before a client is let in: what it may send, and what the broker holds for it, within bounds (THREATS A1). */
import type { ConnectPacket, PacketDecoder } from "@mess/wire";
import type { BackPressure } from "./back-pressure.ts";
import type { MqttDoorContext } from "./door-context.ts";

const noBytes: Buffer = Buffer.alloc(0);
const fieldBytes = 4;

export class PreAuth {
  readonly #context: MqttDoorContext;
  readonly #decoder: PacketDecoder;
  readonly #pressure: BackPressure;
  /** Of a CONNECT whose sender is not known yet. */
  #connectBytes = 0;
  /** Came behind CONNECT while that was looked at. */
  #behind: Buffer = noBytes;
  /** This connection's part of `context.preAuthBytes`. */
  #held = 0;

  constructor(context: MqttDoorContext, decoder: PacketDecoder, pressure: BackPressure) {
    this.#context = context;
    this.#decoder = decoder;
    this.#pressure = pressure;
  }

  get isHolding(): boolean {
    return this.#held > 0;
  }

  /** Who sent `connect` is not known before the client has said more, which it may by AUTH alone. */
  keepConnect(connect: ConnectPacket): void {
    this.#decoder.authenticating = true;
    this.#connectBytes = sizeOf(connect);
  }

  /** Reads and decodes nothing until `answer` is there. */
  pause(answer: Promise<unknown>): void {
    this.#decoder.pause();
    this.#pressure.waitForCalm((run) => void answer.then(run));
  }

  /** Decodes again; returns what came behind CONNECT, which is not kept any more. */
  goOn(): Buffer {
    this.#decoder.goOn();
    const behind = this.#behind;
    this.#behind = noBytes;
    return behind;
  }

  /** False when one connection may not make us hold that much. */
  keepBehind(bytes: Buffer, start: number, end: number): boolean {
    if (this.#behind.length + end - start > this.#context.limits.connectPacketBytesMax) return false;
    this.#behind = Buffer.concat([this.#behind, bytes.subarray(start, end)]);
    return true;
  }

  /** Counts what is held. False when that is too much for all connections together: this one has to go. */
  hold(): boolean {
    const bytes = this.#decoder.bufferedBytes + this.#connectBytes + this.#behind.length;
    this.#share(bytes);
    return bytes === 0 || this.#context.preAuthBytes <= this.#context.limits.preAuthBytesMax;
  }

  /** The client was let in, or the connection ends: nothing is held, and any packet may come. */
  release(): void {
    this.#decoder.authenticating = false;
    this.#connectBytes = 0;
    this.#behind = noBytes;
    this.#share(0);
  }

  #share(bytes: number): void {
    this.#context.preAuthBytes += bytes - this.#held;
    this.#held = bytes;
  }
}

/** Bytes of a packet's text and data, and a little for each field. */
function sizeOf(value: unknown): number {
  if (typeof value === "string") return Buffer.byteLength(value);
  if (value instanceof Uint8Array) return value.length;
  if (typeof value !== "object" || value === null) return fieldBytes;
  return Object.values(value).reduce((sum: number, part) => sum + fieldBytes + sizeOf(part), 0);
}
