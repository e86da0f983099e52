import type { Auth } from "./connection/credentials.ts";
import { type Duration, milliseconds } from "./duration.ts";
import { Mess, randomClientId } from "./mess.ts";
import { MessError } from "./mess-error.ts";
import type { MessageSigner, MessageVerifier } from "./message-signing.ts";
import { parseAddress } from "./mqtt/address.ts";
import { MqttConnection } from "./mqtt/mqtt-connection.ts";
import { openMqtt, type WillOptions } from "./mqtt/open-mqtt.ts";
import { smallProfile } from "./mqtt/small-profile.ts";
import type { Diagnostics, ResolvedOptions } from "./resolved-options.ts";
import type { TraceProvider } from "./trace.ts";
import type { OpenTransport, Pem } from "./transport/transport.ts";
import { realWorld, type World } from "./world.ts";

export interface ConnectOptions {
  /** Who the client is. Nothing with a broker that knows it by its certificate, or with `--insecure-dev`. */
  readonly auth?: Auth;
  /** PEM of the certificates to trust, and no others; the system's when absent. Not in browsers. */
  readonly ca?: string | Uint8Array;
  /**
   * Client certificate (PEM, with those above it if there are some) for a broker that knows the client by it; together
   * with `key`. Functions are asked again for each connection, so that it may be renewed. Not in browsers.
   */
  readonly cert?: Pem;
  /** Private key of `cert`, PEM without a passphrase. */
  readonly key?: Pem;
  /** Name the certificate must carry, when it is not the host of the URL. Not in browsers. */
  readonly serverName?: string;
  /** Gives up the connecting. Later it has no effect. */
  readonly signal?: AbortSignal;
  /** Until the broker has answered one attempt, 30 s by default. */
  readonly connectTimeout?: Duration;
  /** True: `connect` goes on trying until its signal fires. By default a first attempt that fails is told at once. */
  readonly waitForServer?: boolean;
  /**
   * Waits between attempts, each anywhere from nothing to a bound that doubles from `min` (200 ms) to `max` (30 s). `false`: a
   * lost connection is the end.
   */
  readonly reconnect?: { readonly min?: Duration; readonly max?: Duration } | false;
  /** Publishes that have not been answered: at most so many, and so many bytes (10,000 and 8 MiB). `reject` (default) fails the next one; `wait` lets it wait. */
  readonly offline?: {
    readonly maxMessages?: number;
    readonly maxBytes?: number;
    readonly whenFull?: "reject" | "wait";
  };
  /** Until a publish is answered, waiting for a connection included; 60 s by default. */
  readonly publishTimeout?: Duration;
  /** How long the broker keeps subscriptions and what they miss while there is no connection; 2 minutes by default. */
  readonly sessionExpiry?: Duration;
  /** Messages the broker may be ahead of the loops of this client together, 256 by default. */
  readonly receiveMaximum?: number;
  /** Name of the session at the broker. A random one by default; with a name of its own there may be one such client. */
  readonly clientId?: string;
  /** 30 s by default. The broker may set another. */
  readonly keepAlive?: Duration;
  /** Bytes of the largest packet accepted, 16 MiB by default. */
  readonly maximumPacketSize?: number;
  /** Published by the broker when the client is gone without goodbye. */
  readonly will?: WillOptions;
  /** Signs each message: `await messageSigner(key)` of `@mess/client/signing`. */
  readonly sign?: MessageSigner;
  /**
   * What is received must be signed: `await messageVerifier({ keys })` of `@mess/client/signing`. A message that is not is
   * passed over like one with an invalid payload; one of a queue is rejected.
   */
  readonly verify?: MessageVerifier;
  /** Puts the trace context of whoever publishes into the message, and runs handlers within it. */
  readonly tracing?: TraceProvider;
  /** Weakening: lets a secret go in clear to another machine. */
  readonly insecureCleartextCredentials?: boolean;
  readonly transport?: OpenTransport;
  /** For tests: another clock, other randomness. */
  readonly world?: World;
}

/** What differs between Node and browsers. */
export interface Platform {
  readonly openTransport: OpenTransport;
  readonly diagnostics: Diagnostics | undefined;
}

const mebibyte = 1 << 20;

/** A connected client. */
export async function connectOn(platform: Platform, url: string, options: ConnectOptions): Promise<Mess> {
  const mess = new Mess(resolve(platform, url, options));
  await mess.start(options.signal);
  return mess;
}

function resolve(platform: Platform, url: string, options: ConnectOptions): ResolvedOptions {
  // Wrong ones are told before anything is tried.
  parseAddress(url);
  const { world = realWorld, auth, offline = {}, reconnect, transport = platform.openTransport, will } = options;
  const { ca, serverName, cert, key, insecureCleartextCredentials, maximumPacketSize } = options;
  const receiveMaximum = whole(options.receiveMaximum ?? 256, "receiveMaximum", 65_535);
  const backoff = reconnect === false ? undefined : backoffOf(reconnect ?? {});
  return {
    url,
    auth,
    open: (to, more) =>
      openMqtt(to, more, {
        openTransport: transport,
        make: (opened) =>
          new MqttConnection({ ...opened, profile: smallProfile, onMessage: more.onMessage, onEnded: () => undefined }),
      }),
    mqtt: {
      world,
      keepAlive: Math.ceil(milliseconds(options.keepAlive ?? 30_000, "keepAlive") / 1000),
      connectTimeout: milliseconds(options.connectTimeout ?? 30_000, "connectTimeout"),
      ca,
      serverName,
      cert,
      key,
      will,
      maximumPacketSize,
      insecureCleartextCredentials,
    },
    clientId: options.clientId ?? randomClientId(world),
    sessionExpirySeconds: Math.ceil(milliseconds(options.sessionExpiry ?? 120_000, "sessionExpiry") / 1000),
    receiveMaximum,
    reconnect: backoff,
    waitForServer: options.waitForServer ?? false,
    offline: {
      maxMessages: whole(offline.maxMessages ?? 10_000, "offline.maxMessages", Number.MAX_SAFE_INTEGER),
      maxBytes: whole(offline.maxBytes ?? 8 * mebibyte, "offline.maxBytes", Number.MAX_SAFE_INTEGER),
      whenFull: offline.whenFull ?? "reject",
      sign: options.sign,
    },
    publishTimeoutMs: milliseconds(options.publishTimeout ?? 60_000, "publishTimeout"),
    verify: options.verify,
    tracing: options.tracing,
    diagnostics: platform.diagnostics,
    world,
  };
}

function backoffOf({
  min = 200,
  max = 30_000,
}: {
  readonly min?: Duration;
  readonly max?: Duration;
}): ResolvedOptions["reconnect"] {
  return { min: milliseconds(min, "reconnect.min"), max: milliseconds(max, "reconnect.max") };
}

function whole(value: number, what: string, most: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= most) return value;
  throw new MessError("INVALID_ARGUMENT", `${what} is a whole number, 1 or more`);
}
