import type { ClientContext } from "../client-context.ts";
import { userProperty } from "../connection/user-property.ts";
import { type Duration, milliseconds } from "../duration.ts";
import { MessError } from "../mess-error.ts";
import type { MqttMessage } from "../mqtt/mqtt-message.ts";
import type { CodecChoice } from "../payload/codec.ts";
import { PayloadType } from "../payload/payload-type.ts";
import type { StandardSchema } from "../payload/standard-schema.ts";
import { messageOf, type RawMessage } from "../topic/message.ts";
import { Reader } from "../topic/reader.ts";
import type { Timer } from "../world.ts";

export interface StreamOptions<Value> {
  readonly schema?: StandardSchema<unknown, Value>;
  /** `json` by default. */
  readonly codec?: CodecChoice;
}

/** Where reading begins: an offset is that of the first message; a time is RFC 3339, a Date, or `"-2h"` for two hours ago. */
export type ReadFrom = "earliest" | "latest" | { readonly offset: number } | { readonly time: Date | string };

export interface ReadOptions {
  /** `earliest` by default: everything that is kept. */
  readonly from?: ReadFrom;
  /** True (default): goes on with what is published later. False: ends when what is kept was read. */
  readonly follow?: boolean;
  /** Ends after so many messages. */
  readonly limit?: number;
  /** Messages the broker may be ahead of the loop, 100 by default. */
  readonly prefetch?: number;
  /** Without `follow`: ends when nothing came for so long, one second by default. */
  readonly idle?: Duration;
  /** Ends the loop, as leaving it does. */
  readonly signal?: AbortSignal;
  /** Called with what cannot be decoded or does not satisfy the schema; it is then passed over. */
  readonly onInvalid?: (error: MessError, message: RawMessage) => void;
}

/** What was published to the topics of a filter, read again from the journal. Made by `mess.stream`. */
export class Stream<Value = unknown> {
  readonly filter: string;
  readonly #context: ClientContext;
  readonly #payload: PayloadType;

  /** Not for callers. */
  constructor(context: ClientContext, filter: string, options: StreamOptions<Value>) {
    if (filter === "") throw new MessError("INVALID_ARGUMENT", "the topic filter is empty");
    this.filter = filter;
    this.#context = context;
    this.#payload = new PayloadType(options as StreamOptions<unknown>, context.verify);
  }

  /**
   * Reads on a connection of its own. After a lost connection it goes on behind the last message that came: none is missed,
   * none comes twice.
   *
   * @throws MessError INVALID_ARGUMENT
   */
  read(options: ReadOptions = {}): Reader<Value, Readonly<Record<string, string>>> {
    const { from = "earliest", follow = true, limit = Number.POSITIVE_INFINITY, prefetch = 100, signal } = options;
    let position = positionText(from, this.#context.world.now());
    let count = 0;
    const idle = follow ? undefined : this.#idleTimer(milliseconds(options.idle ?? 1000, "idle"), () => reader);
    const lane = this.#context.ownLane({ receiveMaximum: prefetch, sessionMax: 0 });
    const reader = new Reader<Value, Readonly<Record<string, string>>>({
      filter: this.filter,
      qos: 1,
      retained: false,
      userProperties: () => [["mess-from", position]],
      decode: async (message) => {
        this.#context.received(message);
        return messageOf(message, (await this.#payload.decode(message)) as Value, {});
      },
      onArrival: (message: MqttMessage) => {
        const offset = userProperty(message.properties, "mess-offset");
        if (offset !== undefined) position = String(Number(offset) + 1);
        idle?.restart();
        count += 1;
        if (count >= limit) reader.finish();
      },
      onGranted: () => idle?.restart(),
      onInvalid: (error, message) => this.#context.invalid(error, message, options.onInvalid),
      onLeave: () => idle?.stop(),
      lane,
      signal,
    });
    return reader;
  }

  /** Ends the reader when nothing came for so long while it had nothing left to read: a loop that is slow is not at the end. */
  #idleTimer(idleMs: number, reader: () => Reader<Value, Readonly<Record<string, string>>>): IdleTimer {
    const { world } = this.#context;
    let timer: Timer | undefined;
    const idleTimer: IdleTimer = {
      restart: () => {
        timer?.cancel();
        timer = world.after(idleMs, () => {
          if (reader().idle) reader().finish();
          else idleTimer.restart();
        });
      },
      stop: () => timer?.cancel(),
    };
    return idleTimer;
  }
}

interface IdleTimer {
  restart(): void;
  stop(): void;
}

/** As `mess-from` wants it. */
function positionText(from: ReadFrom, now: number): string {
  if (from === "earliest" || from === "latest") return from;
  if (typeof from === "object" && "offset" in from) {
    // The first message of all has a place behind the first.
    if (from.offset === 0) return "earliest";
    if (Number.isSafeInteger(from.offset) && from.offset > 0) return String(from.offset);
    throw new MessError("INVALID_ARGUMENT", "an offset is a whole number, 0 or more");
  }
  const { time } = from;
  const date = typeof time === "string" && time.startsWith("-") ? now - milliseconds(time.slice(1), "time") : time;
  const parsed = new Date(date);
  if (!Number.isNaN(parsed.getTime())) return parsed.toISOString();
  throw new MessError("INVALID_ARGUMENT", `"${String(time)}" is not a time`, { hint: 'a Date, RFC 3339, or "-2h"' });
}
