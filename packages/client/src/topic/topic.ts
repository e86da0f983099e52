import type { ClientContext } from "../client-context.ts";
import type { MessError } from "../mess-error.ts";
import type { MqttMessage } from "../mqtt/mqtt-message.ts";
import type { CodecChoice } from "../payload/codec.ts";
import { PayloadType } from "../payload/payload-type.ts";
import type { StandardSchema } from "../payload/standard-schema.ts";
import type { PublishOptions, Receipt } from "../publish/publish-options.ts";
import { messageOf, type RawMessage } from "./message.ts";
import { Reader } from "./reader.ts";
import { type TopicParams, type TopicParamTexts, TopicTemplate } from "./topic-template.ts";

export interface TopicOptions<Input, Output> {
  /** Any Standard Schema (zod, valibot, arktype …): values are checked before they are sent and when they arrive. */
  readonly schema?: StandardSchema<Input, Output>;
  /** `json` by default. */
  readonly codec?: CodecChoice;
}

export interface SubscribeOptions {
  /** Ends the loop, as leaving it does. */
  readonly signal?: AbortSignal;
  /** `persisted` (default): every message, acknowledged when the loop asks for the next. `sent`: as they pass by (QoS 0). */
  readonly durability?: "persisted" | "sent";
  /** Whether last values (retained messages) come first; true by default. */
  readonly retained?: boolean;
  /** True: on a connection of its own, so that this loop may stand still without holding up the others. */
  readonly isolated?: boolean;
  /** With `isolated`: messages the broker may be ahead of the loop, 100 by default. */
  readonly prefetch?: number;
  /** Called with what cannot be decoded or does not satisfy the schema; it is then passed over. The client's event `invalid` otherwise. */
  readonly onInvalid?: (error: MessError, message: RawMessage) => void;
}

/** `(params, value, options?)`, or `(value, options?)` where the template has no parameters. */
export type PublishArguments<Template extends string, Input> = keyof TopicParams<Template> extends never
  ? [value: Input, options?: PublishOptions]
  : [params: TopicParams<Template>, value: Input, options?: PublishOptions];

/** `(params?, options?)`, or `(options?)` where the template has no parameters. */
export type SubscribeArguments<Template extends string> = keyof TopicParams<Template> extends never
  ? [options?: SubscribeOptions]
  : [params?: Partial<TopicParams<Template>>, options?: SubscribeOptions];

/** Messages of one kind: a topic, or a family of topics, with the type of their payload. Made by `mess.topic`. */
export class Topic<Template extends string = string, Input = unknown, Output = Input> {
  readonly #context: ClientContext;
  readonly #template: TopicTemplate;
  readonly #payload: PayloadType;
  /** Resolves when the publish before has its place: there only while a schema needs time. */
  #before: Promise<unknown> | undefined;

  /** Not for callers. */
  constructor(context: ClientContext, template: Template, options: TopicOptions<Input, Output>) {
    this.#context = context;
    this.#template = new TopicTemplate(template);
    this.#payload = new PayloadType(options as TopicOptions<unknown, unknown>, context.verify);
  }

  /** The template it was made of. */
  get template(): string {
    return this.#template.template;
  }

  /**
   * Publishes a value. Resolves at the durability asked for; publishes are sent in the order of the calls. While there is no
   * connection they wait, within the bounds of `offline`.
   *
   * @throws MessError INVALID_PAYLOAD, INVALID_ARGUMENT, NOT_AUTHORIZED, TOO_LARGE, QUEUE_FULL, REFUSED, TIMEOUT, ABORTED
   */
  publish(...given: PublishArguments<Template, Input>): Promise<Receipt> {
    const all: readonly unknown[] = given;
    const [params, value, options] = this.#template.hasParameters ? all : [{}, ...all];
    try {
      const name = this.#template.name(params as Readonly<Record<string, string | number>>);
      return this.#publish(name, value, (options ?? {}) as PublishOptions);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /**
   * Subscribes at once, and gives the messages to whoever iterates. The loop's pace is the broker's pace.
   *
   * @throws MessError INVALID_ARGUMENT
   */
  subscribe(...given: SubscribeArguments<Template>): Reader<Output, TopicParamTexts<Template>> {
    const all: readonly unknown[] = given;
    const [params, options] = this.#template.hasParameters ? all : [{}, ...all];
    const filter = this.#template.filter((params ?? {}) as Partial<Record<string, string | number>>);
    return this.#subscribe(filter, (options ?? {}) as SubscribeOptions);
  }

  #publish(name: string, value: unknown, options: PublishOptions): Promise<Receipt> {
    const payload = this.#payload.encode(value);
    const more = this.#payload.contentType;
    const before = this.#before;
    if (before === undefined && !(payload instanceof Promise)) {
      return this.#context.publish(name, payload, options, more);
    }
    // In an object: the next publish waits for this one's place, not for its answer.
    const placed = Promise.all([payload, before]).then(([bytes]) => ({
      receipt: this.#context.publish(name, bytes, options, more),
    }));
    const after = placed.then(
      ({ receipt }) => void receipt.catch(() => undefined),
      () => undefined,
    );
    this.#before = after;
    void after.then(() => {
      if (this.#before === after) this.#before = undefined;
    });
    return placed.then(({ receipt }) => receipt);
  }

  #subscribe(filter: string, options: SubscribeOptions): Reader<Output, TopicParamTexts<Template>> {
    const { signal, durability = "persisted", retained = true, isolated = false, prefetch = 100, onInvalid } = options;
    const lane = isolated ? this.#context.ownLane({ receiveMaximum: prefetch }) : this.#context.sharedLane(filter);
    return new Reader<Output, TopicParamTexts<Template>>({
      filter,
      qos: durability === "persisted" ? 1 : 0,
      retained,
      decode: async (message: MqttMessage) => {
        const value = (await this.#payload.decode(message)) as Output;
        const params = this.#template.params(message.topic) as TopicParamTexts<Template>;
        this.#context.received(message);
        return messageOf(message, value, params);
      },
      onInvalid: (error, message) => this.#context.invalid(error, message, onInvalid),
      lane,
      signal,
    });
  }
}
