import { type ConnectPacket, PacketType, type Properties, type ProtocolVersion, type QoS } from "@mess/wire";
import { MessError } from "../mess-error.ts";
import type { OpenTransport, Pem } from "../transport/transport.ts";
import { realWorld, type World } from "../world.ts";
import { type Address, parseAddress } from "./address.ts";
import { payloadBytes } from "./check.ts";
import type { MqttConnection, MqttConnectionOptions } from "./mqtt-connection.ts";

export interface WillOptions {
  readonly topic: string;
  readonly payload: Uint8Array | string;
  /** 1 by default. */
  readonly qos?: QoS;
  readonly retain?: boolean;
  /** 5.0 only; `willDelayInterval` in seconds. */
  readonly properties?: Properties;
}

/** What every connection is opened with. */
export interface OpenMqttOptions {
  /** PEM of the certificates to trust, and no others; the system's when absent. */
  readonly ca?: string | Uint8Array | undefined;
  /** Name the certificate must carry, when it is not the host of the URL. */
  readonly serverName?: string | undefined;
  /** Client certificate to be known by, with the certificates above it if there are some; together with `key`. Not in browsers. */
  readonly cert?: Pem | undefined;
  /** Private key of `cert`, without a passphrase. */
  readonly key?: Pem | undefined;
  /** MQTT user name: the id of the key. */
  readonly keyId?: string;
  readonly secret?: string;
  /** Empty by default: the server chooses one. */
  readonly clientId?: string;
  /** True by default: begin a new session. */
  readonly cleanStart?: boolean;
  /** Seconds the session outlives the connection (5.0). 0 by default. Under 3.1.1 `cleanStart: false` alone keeps it. */
  readonly sessionExpiry?: number;
  /** Seconds, 30 by default, 0 = off. The server may set another. */
  readonly keepAlive?: number;
  readonly will?: WillOptions | undefined;
  /** 5 by default; 4 is MQTT 3.1.1. */
  readonly version?: ProtocolVersion;
  /** Gives up the connecting. Later it has no effect. */
  readonly signal?: AbortSignal;
  /** Milliseconds until CONNACK, 30,000 by default. */
  readonly connectTimeout?: number;
  /** Milliseconds until any later answer, 30,000 by default. */
  readonly requestTimeout?: number;
  /** Bytes of the largest packet accepted, 16 MiB by default. */
  readonly maximumPacketSize?: number | undefined;
  /** QoS 1 and 2 messages the server may send ahead of the reader, 1,000 by default. */
  readonly receiveMaximum?: number;
  /**
   * QoS 1 and 2 publishes unacknowledged at once. With 5.0 the server says how many it takes, and this can only lower it.
   * With 3.1.1 it cannot say: 20 by default, because servers of that time stall or drop beyond it.
   */
  readonly inFlightMax?: number;
  /** Weakening: lets a secret go in clear to another machine. */
  readonly insecureCleartextCredentials?: boolean | undefined;
  /** Further properties of CONNECT (5.0). */
  readonly properties?: Properties;
  readonly transport?: OpenTransport;
  /** For tests: another clock, other randomness. */
  readonly world?: World;
}

const mebibyte = 1_048_576;

/** Of a connection, what its options and defaults say. */
export type OpenedOptions = Omit<MqttConnectionOptions, "onMessage" | "onEnded" | "profile">;

/** What is opened, and over which transport, unless the options name one. */
export interface MqttStack<C extends MqttConnection> {
  readonly openTransport: OpenTransport;
  readonly make: (options: OpenedOptions) => C;
}

/** A connected client. */
export async function openMqtt<C extends MqttConnection>(
  url: string,
  options: OpenMqttOptions,
  { openTransport, make }: MqttStack<C>,
): Promise<C> {
  const address = parseAddress(url);
  const packet = connectPacket(address, options);
  refuseCleartext(address, packet, options);
  const client = make({
    version: packet.version,
    keepAlive: packet.keepAlive,
    requestTimeout: options.requestTimeout ?? 30_000,
    maximumPacketSize: options.maximumPacketSize ?? 16 * mebibyte,
    receiveMaximum: options.receiveMaximum ?? 1000,
    inFlightMax: options.inFlightMax ?? (packet.version === 5 ? 65_535 : 20),
    world: options.world ?? realWorld,
  });
  await open(client, address, packet, { ...options, transport: options.transport ?? openTransport });
  return client;
}

async function open(
  client: MqttConnection,
  address: Address,
  packet: ConnectPacket,
  options: OpenMqttOptions & { readonly transport: OpenTransport },
): Promise<void> {
  const timeout = options.connectTimeout ?? 30_000;
  const { ca, serverName, cert, key, world = realWorld } = options;
  const deadline = new AbortController();
  const timer = world.after(timeout, () => deadline.abort());
  const signal = options.signal === undefined ? deadline.signal : AbortSignal.any([options.signal, deadline.signal]);
  const late = (): MessError =>
    deadline.signal.aborted
      ? new MessError("TIMEOUT", `${address.host}:${address.port} did not answer within ${timeout} ms`)
      : new MessError("ABORTED", "connecting was given up", { cause: signal.reason });
  const giveUp = (): void => client.link.fail(late());
  try {
    const opening = { address, ca, serverName, cert, key, signal };
    const transport = await options.transport(opening, client.link.transportEvents());
    client.link.attach(transport);
    signal.addEventListener("abort", giveUp, { once: true });
    await client.handshake(packet, transport);
  } catch (error) {
    throw error instanceof MessError && error.code === "ABORTED" ? late() : error;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", giveUp);
  }
}

function connectPacket(address: Address, options: OpenMqttOptions): ConnectPacket {
  const version = options.version ?? 5;
  const username = options.keyId ?? address.username;
  const secret = options.secret ?? address.password;
  if (secret !== undefined && username === undefined) {
    throw new MessError("INVALID_ARGUMENT", "a secret needs the id of its key", { hint: "pass keyId with secret" });
  }
  const properties = version === 5 ? connectProperties(options) : undefined;
  return {
    type: PacketType.CONNECT,
    version,
    cleanStart: options.cleanStart ?? true,
    keepAlive: options.keepAlive ?? 30,
    clientId: options.clientId ?? "",
    ...(options.will !== undefined && { will: will(options.will, version) }),
    ...(username !== undefined && { username }),
    ...(secret !== undefined && { password: payloadBytes(secret) }),
    ...(properties !== undefined && { properties }),
  };
}

function connectProperties(options: OpenMqttOptions): Properties {
  return {
    receiveMaximum: options.receiveMaximum ?? 1000,
    maximumPacketSize: options.maximumPacketSize ?? 16 * mebibyte,
    ...options.properties,
    ...(options.sessionExpiry !== undefined && { sessionExpiryInterval: options.sessionExpiry }),
  };
}

function will(options: WillOptions, version: ProtocolVersion): NonNullable<ConnectPacket["will"]> {
  return {
    topic: options.topic,
    payload: payloadBytes(options.payload),
    qos: options.qos ?? 1,
    retain: options.retain ?? false,
    ...(version === 5 && options.properties !== undefined && { properties: options.properties }),
  };
}

function refuseCleartext(address: Address, packet: ConnectPacket, options: OpenMqttOptions): void {
  const credentials = packet.username !== undefined || packet.password !== undefined;
  if (!credentials || address.secure || address.loopback || options.insecureCleartextCredentials === true) return;
  throw new MessError("CLEARTEXT_CREDENTIALS", `the key would cross the network in clear to ${address.host}`, {
    hint: "use mqtts://",
  });
}
