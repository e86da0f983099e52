import type { UserProperties } from "@mess/wire";
import type { ClientContext } from "../client-context.ts";
import type { Delivery } from "../connection/delivery.ts";
import type { LaneSubscription } from "../connection/lane.ts";
import { type Duration, milliseconds } from "../duration.ts";
import { clientClosed, MessError } from "../mess-error.ts";
import { checkTopic } from "../mqtt/check.ts";
import type { MqttMessage } from "../mqtt/mqtt-message.ts";
import type { CodecChoice } from "../payload/codec.ts";
import { PayloadType } from "../payload/payload-type.ts";
import type { StandardSchema } from "../payload/standard-schema.ts";
import type { TraceContext } from "../trace.ts";
import { unlessAborted } from "../unless-aborted.ts";
import { errorOfReply } from "./remote-error.ts";

export interface RequestOptions<Reply> {
  /** Of the reply. */
  readonly schema?: StandardSchema<unknown, Reply>;
  /** Of request and reply; `json` by default. */
  readonly codec?: CodecChoice;
  /** 10 s by default. The request is not delivered later than that. */
  readonly timeout?: Duration;
  readonly signal?: AbortSignal;
  readonly headers?: Readonly<Record<string, string>>;
  readonly key?: string;
  readonly trace?: TraceContext;
}

interface Pending {
  resolve(message: MqttMessage): void;
  reject(error: unknown): void;
}

const correlationBytes = 16;

/**
 * Requests that wait for their replies. Replies come over a connection of their own, so that no slow loop holds them up, to the
 * topic that the broker names for this client.
 */
export class Requester {
  readonly #context: ClientContext;
  readonly #pending = new Map<string, Pending>();
  #replies: Promise<string> | undefined;

  constructor(context: ClientContext) {
    this.#context = context;
  }

  async request<Reply>(topic: string, value: unknown, options: RequestOptions<Reply>): Promise<Reply> {
    const { world } = this.#context;
    const { signal, timeout = 10_000, schema: _reply, codec: _codec, ...more } = options;
    const payloadType = new PayloadType(options as RequestOptions<unknown>);
    const wrong = checkTopic(topic);
    if (wrong !== undefined) throw wrong;
    // The schema is the reply's: the request goes as it is.
    const bytes = payloadType.codec.encode(value);
    const timeoutMs = milliseconds(timeout, "timeout");
    const late = new AbortController();
    const timer = world.after(timeoutMs, () => late.abort());
    const ended = signal === undefined ? late.signal : AbortSignal.any([signal, late.signal]);
    const given = (): MessError => new MessError("ABORTED", "the request was given up", { cause: ended.reason });
    const correlation = world.bytes(correlationBytes);
    const name = nameOf(correlation);
    try {
      const responseTopic = await unlessAborted(this.#replyTopic(), ended, given);
      const reply = new Promise<MqttMessage>((resolve, reject) => this.#pending.set(name, { resolve, reject }));
      reply.catch(() => undefined);
      const receipt = await this.#context.publish(
        topic,
        bytes,
        { ...more, timeout, expiresIn: timeoutMs, signal: ended },
        { ...payloadType.contentType, responseTopic, correlationData: correlation },
      );
      if (!receipt.subscribed) throw nobody(topic);
      const message = await unlessAborted(reply, ended, given);
      await this.#context.verify?.(message);
      const error = errorOfReply(message);
      if (error !== undefined) throw error;
      return (await payloadType.decode(message)) as Reply;
    } catch (error) {
      if (late.signal.aborted && isGivenUp(error)) throw noReply(topic, timeoutMs);
      throw error;
    } finally {
      timer.cancel();
      this.#pending.delete(name);
    }
  }

  /** Where replies are to go; subscribed to once. */
  #replyTopic(): Promise<string> {
    this.#replies ??= this.#subscribe().catch((error: unknown) => {
      this.#replies = undefined;
      throw error;
    });
    return this.#replies;
  }

  async #subscribe(): Promise<string> {
    const lane = this.#context.ownLane({ receiveMaximum: 1000, replies: true });
    const { responseInformation: topic } = (await lane.connected()).serverProperties;
    if (topic === undefined || topic === "") {
      throw new MessError("REFUSED", "the broker names no topic for replies (Response Information)");
    }
    await new Promise<void>((resolve, reject) => {
      const replies: LaneSubscription = {
        filter: topic,
        qos: 1,
        retained: false,
        userProperties: (): UserProperties => [],
        deliver: ({ message }: Delivery) => this.#reply(message),
        granted: () => resolve(),
        interrupted: () => undefined,
        ended: (reason) => {
          const error = reason ?? clientClosed();
          this.#replies = undefined;
          for (const pending of this.#pending.values()) pending.reject(error);
          void lane.leave(replies);
          reject(error);
        },
      };
      lane.subscribe(replies);
    });
    return topic;
  }

  #reply(message: MqttMessage): void {
    const { correlationData } = message.properties;
    if (correlationData === undefined) return;
    // The first reply counts; a later one finds nobody.
    const name = nameOf(correlationData);
    this.#pending.get(name)?.resolve(message);
    this.#pending.delete(name);
  }
}

/** A key of a Map. */
function nameOf(correlation: Uint8Array): string {
  return correlation.join();
}

function isGivenUp(error: unknown): boolean {
  return error instanceof MessError && (error.code === "ABORTED" || error.code === "TIMEOUT");
}

function nobody(topic: string): MessError {
  return new MessError("NO_RESPONDER", `nobody answers requests to "${topic}"`, { hint: "is the service running?" });
}

function noReply(topic: string, timeoutMs: number): MessError {
  return new MessError("TIMEOUT", `no reply from "${topic}" within ${timeoutMs} ms`, {
    hint: "it may have been processed all the same",
  });
}
