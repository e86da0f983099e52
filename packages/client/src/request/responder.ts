import type { ClientContext } from "../client-context.ts";
import { MessError } from "../mess-error.ts";
import type { CodecChoice } from "../payload/codec.ts";
import { PayloadType } from "../payload/payload-type.ts";
import type { StandardSchema } from "../payload/standard-schema.ts";
import { type Message, messageOf } from "../topic/message.ts";
import { Reader } from "../topic/reader.ts";
import { withTrace } from "../trace.ts";
import { problemOf, problemType } from "./remote-error.ts";

export interface RespondOptions<Request> {
  /** Of the request; what does not satisfy it is answered with the error. */
  readonly schema?: StandardSchema<unknown, Request>;
  /** Of request and reply; `json` by default. */
  readonly codec?: CodecChoice;
  /** Requests that are worked on at a time, 16 by default. */
  readonly concurrency?: number;
  /** Responders of one group share the requests; without a group every responder answers each, and the first reply counts. */
  readonly group?: string;
  /**
   * What the topic of a reply must begin with, `["reply/"]` by default. Whoever asks names that topic, and the responder
   * publishes there with its own rights: so it must not be any topic.
   */
  readonly replyTo?: readonly string[];
  /** Stops it: what runs is answered, no more is taken. */
  readonly signal?: AbortSignal;
  /** Told what the handler threw; the event `error` otherwise. */
  readonly onError?: (error: unknown, message: Message<unknown>) => void;
}

export type Respond<Request> = (
  value: Request,
  message: Message<Request>,
  context: { readonly signal: AbortSignal },
) => unknown;

/** Requests wait so long for a responder that lost its connection; of one that is gone for good it is known after that. */
const sessionSeconds = 15;

interface Arrived {
  readonly message: Message<unknown>;
  readonly invalid: MessError | undefined;
  readonly responseTopic: string | undefined;
  readonly correlationData: Uint8Array | undefined;
}

/** A service that answers requests; ends with its signal, with `close`, or with the client. */
export class Responder<Request = unknown> implements AsyncDisposable {
  /** Resolves when the broker has granted the subscription: requests from then on are answered. */
  readonly ready: Promise<void>;
  /** Resolves when it has stopped and all that ran is answered. Rejects when the subscription ended with an error. */
  readonly stopped: Promise<void>;
  readonly #context: ClientContext;
  readonly #options: RespondOptions<Request>;
  readonly #handler: Respond<Request>;
  readonly #payload: PayloadType;
  readonly #reader: Reader<Arrived, undefined>;
  readonly #end = new AbortController();

  /** Not for callers. */
  constructor(context: ClientContext, filter: string, handler: Respond<Request>, options: RespondOptions<Request>) {
    const { concurrency = 16, group, signal } = options;
    this.#context = context;
    this.#options = options;
    this.#handler = handler;
    this.#payload = new PayloadType(options as RespondOptions<unknown>, context.verify);
    const lane = context.ownLane({ receiveMaximum: concurrency, sessionMax: sessionSeconds });
    this.#reader = new Reader({
      filter: group === undefined ? filter : `$share/${group}/${filter}`,
      qos: 1,
      retained: false,
      decode: async (message) => {
        context.received(message);
        const { responseTopic, correlationData } = message.properties;
        let value: unknown;
        let invalid: MessError | undefined;
        try {
          value = await this.#payload.decode(message);
        } catch (error) {
          invalid = error as MessError;
        }
        const arrived = { message: messageOf(message, value, {}), invalid, responseTopic, correlationData };
        return messageOf(message, arrived, undefined);
      },
      onInvalid: (error) => context.report(error),
      lane,
      signal,
    });
    this.ready = this.#reader.ready;
    this.stopped = this.#work(concurrency);
    this.stopped.catch(() => undefined);
  }

  /** Takes no more requests; resolves when those that run are answered. */
  async close(): Promise<void> {
    await this.#reader.return();
    await this.stopped.catch(() => undefined);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #work(concurrency: number): Promise<void> {
    const running = new Set<Promise<void>>();
    try {
      for await (const { value } of this.#reader) {
        const one = this.#answer(value).finally(() => running.delete(one));
        running.add(one);
        if (running.size >= concurrency) await Promise.race(running);
      }
    } finally {
      await Promise.all(running);
      this.#end.abort();
    }
  }

  /** Never rejects. */
  async #answer({ message, invalid, responseTopic, correlationData }: Arrived): Promise<void> {
    const { tracing } = this.#context;
    let reply: Uint8Array;
    let contentType: string | undefined;
    try {
      if (invalid !== undefined) throw invalid;
      const request = message as Message<Request>;
      const run = async (): Promise<unknown> => this.#handler(request.value, request, { signal: this.#end.signal });
      const value = await withTrace(tracing, message.trace, run);
      if (responseTopic === undefined) return;
      reply = this.#payload.codec.encode(value ?? null);
      contentType = this.#payload.codec.contentType;
    } catch (error) {
      this.#tell(error, message);
      reply = problemOf(error);
      contentType = problemType;
    }
    if (responseTopic === undefined) return;
    try {
      this.#checkReplyTopic(responseTopic);
      const more = { ...(correlationData && { correlationData }), ...(contentType !== undefined && { contentType }) };
      // A provider makes a context of its own; without one the requester's goes back as it came.
      const options = tracing === undefined && message.trace !== undefined ? { trace: message.trace } : {};
      const publish = (): Promise<unknown> => this.#context.publish(responseTopic, reply, options, more);
      await withTrace(tracing, message.trace, publish);
    } catch (error) {
      this.#tell(error, message);
    }
  }

  #checkReplyTopic(topic: string): void {
    const { replyTo = ["reply/"] } = this.#options;
    if (replyTo.some((prefix) => topic.startsWith(prefix))) return;
    throw new MessError("INVALID_ARGUMENT", `a request wants its reply at "${topic}", which replyTo does not allow`);
  }

  #tell(error: unknown, message: Message<unknown>): void {
    const { onError } = this.#options;
    if (onError === undefined) return this.#context.report(error);
    try {
      onError(error, message);
    } catch (thrown) {
      this.#context.report(thrown);
    }
  }
}
