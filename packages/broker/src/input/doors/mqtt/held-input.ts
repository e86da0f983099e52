/** What a client sent behind a packet that takes time to judge: it waits undecoded, and nothing more is read. */
import type { PacketDecoder } from "@mess/wire";
import type { BackPressure } from "./back-pressure.ts";
import type { MqttDoorContext } from "./door-context.ts";

const noBytes: Buffer = Buffer.alloc(0);

export class HeldInput {
  readonly #context: Pick<MqttDoorContext, "signedBytes">;
  readonly #decoder: PacketDecoder;
  readonly #pressure: BackPressure;
  /** Those from `#start` to `#end` wait. */
  #bytes: Buffer = noBytes;
  #start = 0;
  #end = 0;

  constructor(context: Pick<MqttDoorContext, "signedBytes">, decoder: PacketDecoder, pressure: BackPressure) {
    this.#context = context;
    this.#decoder = decoder;
    this.#pressure = pressure;
  }

  /** Decodes nothing until `goOn`, and reads nothing until `answer` is there. `bytes` are kept for it till then. */
  hold(bytes: number, answer: Promise<unknown>): void {
    this.#context.signedBytes += bytes;
    this.#decoder.pause();
    this.#pressure.holdUntil(answer);
    void answer.then(() => {
      this.#context.signedBytes -= bytes;
    });
  }

  /** What `goOn` gave out and was not decoded is not copied a second time. */
  keep(buffer: Buffer, start: number, end: number): void {
    if (buffer === this.#bytes) return this.#wait(start, end);
    this.#bytes = Buffer.concat([this.#bytes.subarray(this.#start, this.#end), buffer.subarray(start, end)]);
    this.#wait(0, this.#bytes.length);
  }

  /** Decodes again, first what waits; `decode` keeps what it does not come to. */
  goOn(decode: (buffer: Buffer, start: number, end: number) => void): void {
    this.#decoder.goOn();
    const [start, end] = [this.#start, this.#end];
    this.#wait(0, 0);
    if (start < end) decode(this.#bytes, start, end);
    if (this.#start === this.#end) this.drop();
  }

  drop(): void {
    this.#bytes = noBytes;
    this.#wait(0, 0);
  }

  #wait(start: number, end: number): void {
    this.#context.signedBytes += end - start - (this.#end - this.#start);
    this.#start = start;
    this.#end = end;
  }
}
