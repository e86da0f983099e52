import type { Properties } from "@mess/wire";
import type { ClientContext, LaneHandle, OwnLaneOptions } from "./client-context.ts";
import type { ConnectionState } from "./connection/connection.ts";
import { Lane, type LaneOptions } from "./connection/lane.ts";
import { type Duration, milliseconds } from "./duration.ts";
import { Listeners } from "./listeners.ts";
import { clientClosed, MessError } from "./mess-error.ts";
import { checkTopic } from "./mqtt/check.ts";
import type { MqttConnection } from "./mqtt/mqtt-connection.ts";
import type { OpenMqttOptions } from "./mqtt/open-mqtt.ts";
import type { CodecChoice } from "./payload/codec.ts";
import type { StandardSchema } from "./payload/standard-schema.ts";
import { MessageIds, randomText } from "./publish/message-ids.ts";
import { Outbox } from "./publish/outbox.ts";
import { type PublishOptions, publishHeaders, type Receipt } from "./publish/publish-options.ts";
import { Queue, type QueueOptions } from "./queue/queue.ts";
import { Requester, type RequestOptions } from "./request/requester.ts";
import { type Respond, Responder, type RespondOptions } from "./request/responder.ts";
import type { ResolvedOptions } from "./resolved-options.ts";
import { Stream, type StreamOptions } from "./stream/stream.ts";
import type { RawMessage } from "./topic/message.ts";
import { Topic, type TopicOptions } from "./topic/topic.ts";
import { unlessAborted } from "./unless-aborted.ts";
import type { World } from "./world.ts";

/** What a client tells. */
export interface MessEvents {
  /** The main connection: connecting, connected, reconnecting, closed. */
  readonly state: ConnectionState;
  /** A payload that a loop without `onInvalid` passed over, or a queue rejected. */
  readonly invalid: { readonly error: MessError; readonly message: RawMessage };
  /** An error that no call could tell: what a listener or a responder's handler threw, an ack that came too late. */
  readonly error: { readonly error: unknown };
}

export interface CloseOptions {
  /** How long it waits for publishes to be acknowledged; 5 s by default. What is unacknowledged then fails with CLOSED. */
  readonly timeout?: Duration;
}

type SchemaOrOptions<Input, Output> = StandardSchema<Input, Output> | TopicOptions<Input, Output>;

/**
 * A client of mess. Made by `connect`. It comes back by itself when its connection breaks; what was published meanwhile
 * waits, and subscriptions go on.
 */
export class Mess implements AsyncDisposable {
  readonly #options: ResolvedOptions;
  readonly #listeners: Listeners<MessEvents>;
  readonly #outbox: Outbox;
  readonly #ids: MessageIds;
  readonly #lanes = new Set<Lane>();
  readonly #main: Lane;
  readonly #context: ClientContext;
  readonly #requester: Requester;
  readonly #ended: Promise<MessError | undefined>;
  #endedResolve: (reason: MessError | undefined) => void = () => undefined;
  #state: ConnectionState = { name: "connecting" };
  #laneCount = 0;
  #closing: Promise<void> | undefined;

  /** Not for callers: `connect` makes clients. */
  constructor(options: ResolvedOptions) {
    const { world } = options;
    this.#options = options;
    this.#listeners = new Listeners((error) => this.#listenerThrew(error));
    this.#outbox = new Outbox(world, options.offline);
    this.#ids = new MessageIds(world);
    this.#ended = new Promise((resolve) => {
      this.#endedResolve = resolve;
    });
    this.#context = this.#contextOf();
    this.#requester = new Requester(this.#context);
    const { clientId, receiveMaximum, waitForServer, sessionExpirySeconds: sessionExpiry } = options;
    this.#main = this.#lane(
      {
        receiveMaximum,
        waitForServer,
        onConnected: (client) => this.#outbox.attach(client),
        onLost: () => this.#outbox.detach(),
        onState: (state) => this.#changed(state),
        onEnded: (reason) => this.#over(reason),
      },
      { clientId, sessionExpiry },
    );
  }

  /** Of the main connection. */
  get state(): ConnectionState {
    return this.#state;
  }

  /** Publishes that have not resolved. */
  get pending(): number {
    return this.#outbox.pending;
  }

  /** Resolves when the client is over: with nothing after `close`, else with the reason. Never rejects. */
  get ended(): Promise<MessError | undefined> {
    return this.#ended;
  }

  /** Returns what ends it. What a listener throws goes to the event `error`, not to the process. */
  on<Name extends keyof MessEvents>(name: Name, listener: (event: MessEvents[Name]) => void): () => void {
    return this.#listeners.on(name, listener);
  }

  /**
   * A topic, or a family of topics with parameters (`plant/{line}/temp`), and the type of its payload: given by a Standard
   * Schema, which also checks it.
   *
   * @throws MessError INVALID_ARGUMENT for a template that is none
   */
  topic<const Template extends string>(
    template: Template,
    options: { readonly codec: "text" },
  ): Topic<Template, string, string>;
  topic<const Template extends string>(
    template: Template,
    options: { readonly codec: "bytes" },
  ): Topic<Template, Uint8Array, Uint8Array>;
  topic<const Template extends string, Input = unknown, Output = Input>(
    template: Template,
    schema?: SchemaOrOptions<Input, Output>,
  ): Topic<Template, Input, Output>;
  topic<const Template extends string, Input, Output>(
    template: Template,
    schema: SchemaOrOptions<Input, Output> | { readonly codec: CodecChoice } = {},
  ): Topic<Template, Input, Output> {
    const options = "~standard" in schema ? { schema } : schema;
    return new Topic<Template, Input, Output>(this.#context, template, options as TopicOptions<Input, Output>);
  }

  /**
   * A declared subscription, as a work queue.
   *
   * @throws MessError INVALID_ARGUMENT for a name that is none
   */
  queue<Value = unknown>(name: string, options: QueueOptions<Value> = {}): Queue<Value> {
    return new Queue(this.#context, name, options);
  }

  /**
   * What was published to the topics of a filter, from any position on.
   *
   * @throws MessError INVALID_ARGUMENT
   */
  stream<Value = unknown>(filter: string, options: StreamOptions<Value> = {}): Stream<Value> {
    return new Stream(this.#context, filter, options);
  }

  /**
   * Publishes a request and resolves with its reply.
   *
   * @throws MessError NO_RESPONDER when nobody subscribes to the topic, TIMEOUT, REMOTE_FAILURE when the responder failed,
   * INVALID_PAYLOAD when the reply does not satisfy its schema; and those of a publish
   */
  request<Reply = unknown>(topic: string, value: unknown, options: RequestOptions<Reply> = {}): Promise<Reply> {
    return this.#requester.request(topic, value, options);
  }

  /** Answers requests: what the handler returns is the reply, what it throws fails the request. */
  respond<Request = unknown>(
    filter: string,
    handler: Respond<Request>,
    options: RespondOptions<Request> = {},
  ): Responder<Request> {
    return new Responder(this.#context, filter, handler, options);
  }

  /**
   * Resolves when everything published so far has been answered, well or badly.
   *
   * @throws MessError ABORTED
   */
  flush({ signal }: { readonly signal?: AbortSignal } = {}): Promise<void> {
    const given = (): MessError => new MessError("ABORTED", "flush was given up", { cause: signal?.reason });
    return unlessAborted(this.#outbox.idle(), signal, given);
  }

  /** Waits for open publishes, ends loops and consumers, and says goodbye. Calling it twice is harmless. */
  close({ timeout = 5000 }: CloseOptions = {}): Promise<void> {
    this.#closing ??= this.#close(milliseconds(timeout, "timeout"));
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Not for callers. */
  async start(signal: AbortSignal | undefined): Promise<void> {
    await this.#main.connection.start(signal);
  }

  async #close(timeoutMs: number): Promise<void> {
    const { world } = this.#options;
    const others = [...this.#lanes].filter((lane) => lane !== this.#main);
    // Readers first, so that what they still ack and answer goes out.
    await Promise.all(others.map((lane) => lane.connection.close(timeoutMs)));
    await new Promise<void>((resolve) => {
      const timer = world.after(this.#main.connection.client === undefined ? 0 : timeoutMs, resolve);
      void this.#outbox.idle().then(() => {
        timer.cancel();
        resolve();
      });
    });
    await this.#main.connection.close(Math.min(timeoutMs, 1000));
  }

  #lane(
    own: Pick<LaneOptions, "receiveMaximum" | "waitForServer" | "onConnected" | "onLost" | "onState" | "onEnded">,
    mqtt: Pick<OpenMqttOptions, "clientId" | "sessionExpiry" | "properties">,
  ): Lane {
    const { url, auth, open, mqtt: common, reconnect, world } = this.#options;
    const userProperties = [["mess-meta", "1"]] as const;
    const lane: Lane = new Lane({
      ...own,
      url,
      auth,
      open,
      reconnect,
      world,
      mqtt: { ...common, ...mqtt, properties: { ...mqtt.properties, userProperties } },
      onEnded: (reason) => {
        this.#lanes.delete(lane);
        own.onEnded?.(reason);
      },
    });
    this.#lanes.add(lane);
    return lane;
  }

  #ownLane({ receiveMaximum, sessionMax = Number.POSITIVE_INFINITY, replies = false }: OwnLaneOptions): Lane {
    this.#laneCount += 1;
    const { clientId, sessionExpirySeconds } = this.#options;
    const lane = this.#lane(
      { receiveMaximum, waitForServer: true },
      {
        clientId: `${clientId}-${this.#laneCount}`,
        sessionExpiry: Math.min(sessionExpirySeconds, sessionMax),
        properties: { requestResponseInformation: replies },
      },
    );
    if (this.#closing === undefined) lane.connection.start(undefined).catch(() => undefined);
    else void lane.connection.close(0);
    return lane;
  }

  #contextOf(): ClientContext {
    const { world, tracing, diagnostics } = this.#options;
    return {
      world,
      tracing,
      verify: this.#options.verify,
      publish: (topic, payload, options, more) => this.#publish(topic, payload, options, more),
      sharedLane: (filter) => this.#sharedLane(filter),
      ownLane: (options) => ownHandle(this.#ownLane(options)),
      received: (message) => diagnostics?.("mess:receive", message),
      invalid: (error, message, own) => this.#invalid(error, message, own),
      report: (error) => this.#listeners.emit("error", { error }),
    };
  }

  /** A filter that is subscribed to already cannot be a second time in the same session; another one is made then. */
  #sharedLane(filter: string): LaneHandle {
    if (this.#main.takes(filter)) return sharedHandle(this.#main);
    return ownHandle(this.#ownLane({ receiveMaximum: this.#options.receiveMaximum }));
  }

  #publish(topic: string, payload: Uint8Array, options: PublishOptions, more: Properties): Promise<Receipt> {
    const { world, tracing, publishTimeoutMs, diagnostics } = this.#options;
    try {
      const wrong = checkTopic(topic);
      if (wrong !== undefined) throw wrong;
      const headers = publishHeaders(options, more, { world, tracing, nextId: () => this.#ids.next() });
      const timeoutMs = options.timeout === undefined ? publishTimeoutMs : milliseconds(options.timeout, "timeout");
      const { durability = "persisted", retain = false, onQuota = "reject", signal } = options;
      const receipt = this.#outbox.publish({
        topic,
        payload,
        headers,
        durability,
        retain,
        deadline: world.monotonic() + timeoutMs,
        retryQuota: onQuota === "retry",
        signal,
      });
      diagnostics?.("mess:publish", { topic, payload, options, receipt });
      return receipt;
    } catch (error) {
      return Promise.reject(error);
    }
  }

  #invalid(error: MessError, message: RawMessage, own?: (error: MessError, message: RawMessage) => void): void {
    if (own === undefined) return this.#listeners.emit("invalid", { error, message });
    try {
      own(error, message);
    } catch (thrown) {
      this.#listeners.emit("error", { error: thrown });
    }
  }

  #changed(state: ConnectionState): void {
    this.#state = state;
    this.#options.diagnostics?.("mess:state", state);
    this.#listeners.emit("state", state);
  }

  #over(reason: MessError | undefined): void {
    this.#outbox.fail(reason ?? clientClosed());
    for (const lane of [...this.#lanes]) {
      if (reason === undefined) void lane.connection.close(0);
      else lane.connection.fail(reason);
    }
    this.#endedResolve(reason);
  }

  /** A listener of `error` that throws is not told of itself. */
  #listenerThrew(error: unknown): void {
    if (this.#telling) return;
    this.#telling = true;
    this.#listeners.emit("error", { error });
    this.#telling = false;
  }

  #telling = false;
}

function sharedHandle(lane: Lane): LaneHandle {
  return handle(lane, (subscription) => lane.unsubscribe(subscription));
}

function ownHandle(lane: Lane): LaneHandle {
  return handle(lane, () => lane.connection.close(1000));
}

function handle(lane: Lane, leave: LaneHandle["leave"]): LaneHandle {
  return {
    get client(): MqttConnection | undefined {
      return lane.connection.client;
    },
    connected: () => lane.connected(),
    subscribe: (subscription) => lane.subscribe(subscription),
    leave,
  };
}

/** For client ids that nobody chose. */
export function randomClientId(world: World): string {
  return `mess-${randomText(world, 16)}`;
}
