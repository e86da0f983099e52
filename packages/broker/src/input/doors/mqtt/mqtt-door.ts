/** The MQTT door: makes a connection of every transport that comes in, and keeps its deadlines. */
import type { Limits } from "../../../config/limits.ts";
import type { Clock, RandomSource, Timers } from "../../../host/host.ts";
import type { Authenticator } from "../../../model/authentication.ts";
import type { Engine } from "../../../model/engine.ts";
import type { Queues } from "../../../model/queue.ts";
import type { SignatureVerifier } from "../../../model/signing.ts";
import type { RateLimiter } from "../../rate-limiter.ts";
import type { AcceptTransport } from "../../transport.ts";
import { ConnectionWatch, type MqttCounters, type MqttDoorContext } from "./door-context.ts";
import { MqttConnection } from "./mqtt-connection.ts";
import { OutputBudget } from "./output-budget.ts";
import { FlushQueue, releaseChunks } from "./output-buffer.ts";
import { SharedForms } from "./shared-forms.ts";

export interface MqttDoorParts {
  readonly engine: Engine;
  readonly queues: Pick<Queues, "settle">;
  readonly limits: Limits;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly random: RandomSource;
  readonly rates: RateLimiter;
  readonly authenticator: Authenticator;
  readonly signatures: SignatureVerifier;
  readonly audit: (event: string, detail: Readonly<Record<string, string | number>>) => void;
}

export interface MqttDoor {
  readonly accept: AcceptTransport;
  readonly counters: MqttCounters;
  /** Bytes held now for connections that are not authenticated. */
  readonly preAuthBytes: () => number;
  /** Bytes held now for what goes out. */
  readonly outboundBytes: () => number;
  /** Connections open now. */
  readonly connections: () => number;
  /** Runs it once there is no connection, which may be now. */
  readonly whenEmpty: (run: () => void) => void;
  /** To be called every half second or more often, with monotonic milliseconds. */
  readonly sweep: (now: number) => void;
}

const clientIdBytes = 12;

export function openMqttDoor(parts: MqttDoorParts): MqttDoor {
  const watch = new ConnectionWatch();
  const counters: MqttCounters = {
    connected: 0,
    connectRefused: 0,
    malformed: 0,
    protocolErrors: 0,
    propertiesRefused: 0,
    keepAliveTimeouts: 0,
    connectDeadlines: 0,
    slowDrops: 0,
    slowEnds: 0,
    bytesReceived: 0,
  };
  const context: MqttDoorContext = {
    engine: parts.engine,
    queues: parts.queues,
    limits: parts.limits,
    clock: parts.clock,
    timers: parts.timers,
    flushQueue: new FlushQueue((run) => parts.timers.soon(run)),
    outputBudget: new OutputBudget(parts.limits.outboundBytesTotalMax),
    sharedForms: new SharedForms(),
    counters,
    authenticator: parts.authenticator,
    newClientId: () => `auto-${Buffer.from(parts.random.bytes(clientIdBytes)).toString("base64url")}`,
    audit: parts.audit,
    rates: parts.rates,
    watch,
    preAuthBytes: 0,
    signatures: parts.signatures,
    signedBytes: 0,
    timedBytes: 0,
  };
  return {
    accept: (transport) => new MqttConnection(context, transport),
    counters,
    preAuthBytes: () => context.preAuthBytes,
    outboundBytes: () => context.outputBudget.held,
    connections: () => watch.size,
    whenEmpty: (run) => watch.whenEmpty(run),
    sweep: (now) => {
      watch.sweep(now);
      releaseChunks();
    },
  };
}
