/** What a client sent behind a packet that takes time to judge, or before its time: it waits undecoded, and nothing more is read. */
import type { PacketDecoder } from "@mess/wire";
import type { Timer } from "../../../host/host.ts";
import type { BackPressure } from "./back-pressure.ts";
import type { MqttDoorContext } from "./door-context.ts";

const noBytes: Buffer = Buffer.alloc(0);
/** All that waits for its time. Past it what has arrived is decoded at once: it is paid for later (THREATS D6). */
const timedMax = 16 * 1_024 * 1_024;
/** A limit may be raised, or paid back sooner: nobody sleeps through that. */
const stepMs = 1_000;
/** Hundreds that wait for the same limit would wake for a message each. */
const leastMs = 20;

/** One for all connections. */
type Shared = Pick<MqttDoorContext, "timers" | "signedBytes" | "timedBytes">;

/**
 * Stops the decoder behind the packet that is to be verified, or with which a rate was used up: a thousand clients of one
 * principal that were all read to the end of what they sent would each bring hundreds of messages that nobody may send.
 */
export class HeldInput {
  readonly #shared: Shared;
  readonly #decoder: PacketDecoder;
  readonly #pressure: BackPressure;
  readonly #decode: (buffer: Buffer, start: number, end: number) => void;
  /** Those from `#start` to `#end` wait. */
  #bytes: Buffer = noBytes;
  #start = 0;
  #end = 0;
  #awaitsAnswer = false;
  #awaitsTime = false;
  #timer: Timer | undefined;

  /** `decode` gives back to `keep` what it does not come to. */
  constructor(
    shared: Shared,
    parts: { readonly decoder: PacketDecoder; readonly pressure: BackPressure },
    decode: (buffer: Buffer, start: number, end: number) => void,
  ) {
    this.#shared = shared;
    this.#decoder = parts.decoder;
    this.#pressure = parts.pressure;
    this.#decode = decode;
  }

  /** Until `answer` is there and `take` had it. `bytes` are kept for it till then. One at a time. */
  holdUntil<Answer>(bytes: number, answer: Promise<Answer>, take: (answer: Answer) => void): void {
    this.#shared.signedBytes += bytes;
    this.#awaitsAnswer = true;
    this.#pause();
    void answer.then((given) => {
      const waiting = this.#end - this.#start;
      this.#shared.signedBytes -= bytes + waiting;
      this.#shared.timedBytes += waiting;
      this.#awaitsAnswer = false;
      take(given);
      this.#goOn();
      this.#pressure.goOn();
    });
  }

  /** For a time. `waitMs` says how long is left, and is asked again when that has passed. */
  holdFor(waitMs: () => number): void {
    if (this.isTimed) return;
    const again = (): void => {
      const milliseconds = waitMs();
      if (milliseconds > 0) {
        this.#timer = this.#shared.timers.after(Math.min(Math.max(Math.ceil(milliseconds), leastMs), stepMs), again);
        return;
      }
      this.#timer = undefined;
      this.#awaitsTime = false;
      this.#goOn();
      this.#pressure.goOn();
    };
    this.#awaitsTime = true;
    this.#pause();
    this.#timer = this.#shared.timers.after(leastMs, again);
  }

  /** It waits for time to pass, be it that what had arrived was decoded nevertheless. */
  get isTimed(): boolean {
    return this.#timer !== undefined;
  }

  /** What was given out and comes back is not copied a second time. */
  keep(buffer: Buffer, start: number, end: number): void {
    if (buffer === this.#bytes) this.#wait(start, end);
    else {
      this.#bytes = Buffer.concat([this.#bytes.subarray(this.#start, this.#end), buffer.subarray(start, end)]);
      this.#wait(0, this.#bytes.length);
    }
    if (this.#awaitsTime) this.#goOn();
  }

  /** The connection ends. */
  drop(): void {
    this.#timer?.cancel();
    this.#bytes = noBytes;
    this.#wait(0, 0);
  }

  #pause(): void {
    this.#decoder.pause();
    this.#pressure.wait();
  }

  #goOn(): void {
    if (this.#awaitsAnswer || (this.#awaitsTime && this.#shared.timedBytes <= timedMax)) return;
    this.#awaitsTime = false;
    this.#decoder.goOn();
    const [start, end] = [this.#start, this.#end];
    this.#wait(0, 0);
    if (start < end) this.#decode(this.#bytes, start, end);
    if (this.#start === this.#end) this.#bytes = noBytes;
  }

  #wait(start: number, end: number): void {
    const more = end - start - (this.#end - this.#start);
    if (this.#awaitsAnswer) this.#shared.signedBytes += more;
    else this.#shared.timedBytes += more;
    this.#start = start;
    this.#end = end;
  }
}
