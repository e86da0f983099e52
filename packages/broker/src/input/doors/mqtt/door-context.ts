/** What all MQTT connections of a broker share. */
import type { DecoderOptions } from "@mess/wire";
import type { Limits } from "../../../config/limits.ts";
import type { Clock, Timers } from "../../../host/host.ts";
import type { Authenticator } from "../../../model/authentication.ts";
import type { Engine } from "../../../model/engine.ts";
import type { Queues } from "../../../model/queue.ts";
import type { SignatureVerifier } from "../../../model/signing.ts";
import type { RateLimiter } from "../../rate-limiter.ts";
import type { OutputBudget } from "./output-budget.ts";
import type { FlushQueue } from "./output-buffer.ts";
import type { SharedForms } from "./shared-forms.ts";

export interface MqttCounters {
  connected: number;
  connectRefused: number;
  malformed: number;
  protocolErrors: number;
  /** Reserved user properties (`mess-`) that were unknown, misplaced or had a bad value. */
  propertiesRefused: number;
  keepAliveTimeouts: number;
  connectDeadlines: number;
  slowDrops: number;
  /** Connections ended for not reading. */
  slowEnds: number;
  bytesReceived: number;
}

export interface MqttDoorContext {
  readonly engine: Engine;
  readonly queues: Pick<Queues, "settle">;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly flushQueue: FlushQueue;
  readonly outputBudget: OutputBudget;
  readonly sharedForms: SharedForms;
  readonly counters: MqttCounters;
  readonly rates: RateLimiter;
  /** Asked once a CONNECT, and for each AUTH. */
  readonly authenticator: Authenticator;
  /** A client id for a client that brought none: unguessable and unique. */
  newClientId(): string;
  audit(event: string, detail: Readonly<Record<string, string | number>>): void;
  /** Told of every open connection, for deadlines and shutdown. */
  readonly watch: ConnectionWatch;
  /** Bytes held for connections that are not authenticated yet (THREATS A1). */
  preAuthBytes: number;
  readonly signatures: SignatureVerifier;
  /** Bytes of signed publishes that are being verified, and of what waits behind them. */
  signedBytes: number;
  /** Bytes of what waits because a client sent more than its rates allow. */
  timedBytes: number;
}

/** Of a connection that is not authenticated yet: until then it may send no larger packet than a CONNECT. */
export function decoderOptions(limits: Limits): DecoderOptions {
  return {
    role: "server",
    maxPacketSize: limits.connectPacketBytesMax,
    userPropertiesMax: limits.userPropertiesMax,
    userPropertyBytesMax: limits.userPropertyBytesMax,
    subscriptionsMax: limits.subscriptionsPerPacketMax,
    topicAliasMax: limits.topicAliasMax,
  };
}

/** A connection as the sweeper sees it. */
export interface Watched {
  /** Closes itself when a deadline of its has passed. `now` is monotonic milliseconds. */
  checkDeadlines(now: number): void;
}

/** One timer for all connections: keep alive, CONNECT deadline, slow packets. Half a second is as exact as it gets. */
export class ConnectionWatch {
  readonly #watched: Set<Watched> = new Set();
  #onEmpty: (() => void) | undefined;

  add(connection: Watched): void {
    this.#watched.add(connection);
  }

  remove(connection: Watched): void {
    this.#watched.delete(connection);
    if (this.#watched.size === 0) this.#onEmpty?.();
  }

  /** Runs it now when there is no connection, else as soon as there is none. One at a time. */
  whenEmpty(run: () => void): void {
    if (this.#watched.size === 0) return run();
    this.#onEmpty = () => {
      this.#onEmpty = undefined;
      run();
    };
  }

  get size(): number {
    return this.#watched.size;
  }

  sweep(now: number): void {
    for (const connection of this.#watched) connection.checkDeadlines(now);
  }
}
