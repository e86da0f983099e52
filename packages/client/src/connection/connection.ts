import { clientClosed, MessError } from "../mess-error.ts";
import type { MqttConnection } from "../mqtt/mqtt-connection.ts";
import type { MqttMessage } from "../mqtt/mqtt-message.ts";
import type { OpenMqttOptions } from "../mqtt/open-mqtt.ts";
import { sleep, type World } from "../world.ts";
import { type Backoff, fullJitter } from "./backoff.ts";
import { type Auth, credentialsOf, mayChange } from "./credentials.ts";
import { ServerReferences } from "./server-references.ts";

/** `connecting` the first time, `reconnecting` from then on; `closed` is the end. */
export interface ConnectionState {
  readonly name: "connecting" | "connected" | "reconnecting" | "closed";
  /** Why it is not connected; absent when the owner closed it. */
  readonly reason?: MessError;
  /** Milliseconds until the next attempt. */
  readonly delay?: number;
  /** Whether the server still had the session: nothing was missed meanwhile. */
  readonly resumed?: boolean;
}

export interface OpenConnectionOptions extends OpenMqttOptions {
  readonly onMessage: (message: MqttMessage) => void;
}

export interface ConnectionOptions {
  readonly url: string;
  readonly auth: Auth | undefined;
  /** One attempt. */
  readonly open: (url: string, options: OpenConnectionOptions) => Promise<MqttConnection>;
  /** What CONNECT says, the same each time. */
  readonly mqtt: OpenConnectionOptions;
  /** Undefined: a lost connection is the end. */
  readonly reconnect: Backoff | undefined;
  /** Whether the first attempt may fail as any other, or is told at once. */
  readonly waitForServer: boolean;
  readonly world: World;
}

/** Called in this order, each connection anew: connected, lost. `ended` is the last. */
export interface ConnectionEvents {
  connected(client: MqttConnection, resumed: boolean): void;
  lost(): void;
  state(state: ConnectionState): void;
  ended(reason: MessError | undefined): void;
}

/** A connection that stood for less counts as another failed attempt: a server that drops us at once is left in peace. */
const steadyMs = 1000;
/** Refusals in a row that a callback for credentials may bring. */
const refusalsMax = 5;
/** Unsupported version, bad client id, banned, taken over by another with our client id: trying again changes nothing. */
const finalReasons: ReadonlySet<number> = new Set([0x84, 0x85, 0x8a, 0x8e]);
/** CLOSED: of a transport to a broker in this process, which has ended. */
const finalCodes: ReadonlySet<MessError["code"]> = new Set(["INVALID_ARGUMENT", "CLEARTEXT_CREDENTIALS", "CLOSED"]);

/** One connection that comes back. It knows nothing of what goes over it. */
export class Connection {
  readonly #options: ConnectionOptions;
  readonly #events: ConnectionEvents;
  readonly #references: ServerReferences;
  readonly #closing = new AbortController();
  #client: MqttConnection | undefined;
  #attempts = 0;
  #refusals = 0;
  #connectedAt = 0;
  /** A session of ours may be on the server. */
  #known = false;
  #ended = false;

  constructor(options: ConnectionOptions, events: ConnectionEvents) {
    this.#options = options;
    this.#events = events;
    this.#references = new ServerReferences(options.url);
  }

  /** Undefined while there is no connection. */
  get client(): MqttConnection | undefined {
    return this.#client?.open === true ? this.#client : undefined;
  }

  /**
   * Resolves when connected for the first time.
   *
   * @throws MessError, and then it is over
   */
  async start(signal: AbortSignal | undefined): Promise<void> {
    this.#events.state({ name: "connecting" });
    const any = signal === undefined ? this.#closing.signal : AbortSignal.any([signal, this.#closing.signal]);
    let reason: MessError | undefined;
    try {
      const client = await this.#open(any).catch(async (error: unknown) => {
        reason = asMessError(error);
        return this.#again(reason, any, "connecting");
      });
      if (client === undefined) throw this.#closing.signal.aborted ? clientClosed() : givenUp(any, reason);
      void this.#keep(client);
    } catch (error) {
      this.#end(asMessError(error));
      throw error;
    }
  }

  /** Ends at once, because of that. */
  fail(reason: MessError): void {
    this.#closing.abort();
    this.#client?.abort();
    this.#end(reason);
  }

  /** Says goodbye and ends; the server forgets the session. */
  async close(timeout: number): Promise<void> {
    this.#closing.abort();
    const { sessionExpiry = 0 } = this.#options.mqtt;
    await this.#client?.disconnect({ timeout, ...(sessionExpiry > 0 && { sessionExpiry: 0 }) });
    this.#end(undefined);
  }

  /** Never rejects. */
  async #keep(first: MqttConnection): Promise<void> {
    let client: MqttConnection | undefined = first;
    while (client !== undefined) {
      const error = await client.ended;
      this.#client = undefined;
      this.#events.lost();
      if (this.#closing.signal.aborted) return;
      const { reconnect, world } = this.#options;
      const reason = error ?? new MessError("CONNECTION_LOST", "the server closed the connection");
      if (reconnect === undefined) return this.#end(reason);
      if (world.monotonic() - this.#connectedAt >= steadyMs) this.#attempts = 0;
      client = await this.#again(reason, this.#closing.signal, "reconnecting");
    }
  }

  /** Tries until it stands. Undefined when the signal fired, or when there is no use in trying: then it has ended. */
  async #again(
    why: MessError,
    signal: AbortSignal,
    name: "connecting" | "reconnecting",
  ): Promise<MqttConnection | undefined> {
    const { reconnect = { min: 200, max: 30_000 }, waitForServer, world } = this.#options;
    let reason = why;
    for (;;) {
      if (signal.aborted) return undefined;
      if (this.#isFinal(reason)) {
        this.#end(reason);
        if (name === "connecting") throw reason;
        return undefined;
      }
      let delay = 0;
      if (!this.#references.follow(reason)) {
        if (name === "connecting" && !waitForServer) throw reason;
        delay = fullJitter(this.#attempts, reconnect, world.random());
        this.#attempts += 1;
      }
      this.#events.state({ name, reason, delay });
      await sleep(world, delay, signal);
      if (signal.aborted) return undefined;
      try {
        return await this.#open(signal);
      } catch (error) {
        reason = asMessError(error);
      }
    }
  }

  /** One attempt. */
  async #open(signal: AbortSignal): Promise<MqttConnection> {
    const { auth, mqtt, open, world } = this.#options;
    const credentials = await credentialsOf(auth, signal);
    const resume = this.#known && (mqtt.sessionExpiry ?? 0) > 0;
    const client = await open(this.#references.url, { ...mqtt, ...credentials, cleanStart: !resume, signal });
    if (this.#closing.signal.aborted) {
      client.abort();
      throw clientClosed();
    }
    this.#known = true;
    this.#refusals = 0;
    this.#connectedAt = world.monotonic();
    this.#references.settled();
    this.#client = client;
    this.#events.connected(client, client.sessionPresent);
    this.#events.state({ name: "connected", resumed: client.sessionPresent });
    return client;
  }

  #isFinal(reason: MessError): boolean {
    if (finalCodes.has(reason.code)) return true;
    if (reason.reasonCode !== undefined && finalReasons.has(reason.reasonCode)) return true;
    if (reason.code !== "NOT_AUTHORIZED") return false;
    if (reason.retryable) return false;
    this.#refusals += 1;
    const { auth, mqtt } = this.#options;
    return !(mayChange(auth) || typeof mqtt.cert === "function") || this.#refusals >= refusalsMax;
  }

  #end(reason: MessError | undefined): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#closing.abort();
    this.#events.ended(reason);
    this.#events.state({ name: "closed", ...(reason !== undefined && { reason }) });
  }
}

function asMessError(error: unknown): MessError {
  if (error instanceof MessError) return error;
  return new MessError("UNREACHABLE", error instanceof Error ? error.message : String(error), { cause: error });
}

function givenUp(signal: AbortSignal, reason: MessError | undefined): MessError {
  const why = reason === undefined ? "" : `: ${reason.message}`;
  return new MessError("ABORTED", `connecting was given up${why}`, { cause: reason ?? signal.reason });
}
