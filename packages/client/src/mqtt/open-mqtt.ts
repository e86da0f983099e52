import {
  type ConnectPacket,
  PacketType,
  type Properties,
  type ProtocolVersion,
  type PublishView,
  type QoS,
} from "@mess/wire";
import { MessError } from "../mess-error.ts";
import type { OpenTransport } from "../transport/transport.ts";
import { realWorld, type World } from "../world.ts";
import { type Address, parseAddress } from "./address.ts";
import { payloadBytes } from "./check.ts";
import { MqttClient } from "./mqtt-client.ts";
import type { MqttMessage } from "./mqtt-message.ts";

export interface WillOptions {
  readonly topic: string;
  readonly payload: Uint8Array | string;
  /** 1 by default. */
  readonly qos?: QoS;
  readonly retain?: boolean;
  /** 5.0 only; `willDelayInterval` in seconds. */
  readonly properties?: Properties;
}

export interface MqttConnectOptions {
  /** PEM of the certificates to trust, and no others; the system's when absent. */
  readonly ca?: string | Uint8Array;
  /** Name the certificate must carry, when it is not the host of the URL. */
  readonly serverName?: string;
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
  readonly will?: WillOptions;
  /** 5 by default; 4 is MQTT 3.1.1. */
  readonly version?: ProtocolVersion;
  /** Gives up the connecting. Later it has no effect. */
  readonly signal?: AbortSignal;
  /** Milliseconds until CONNACK, 30,000 by default. */
  readonly connectTimeout?: number;
  /** Milliseconds until any later answer, 30,000 by default. */
  readonly requestTimeout?: number;
  /** Bytes of the largest packet accepted, 16 MiB by default. */
  readonly maximumPacketSize?: number;
  /** QoS 1 and 2 messages the server may send ahead of the reader, 1,000 by default. */
  readonly receiveMaximum?: number;
  /**
   * QoS 1 and 2 publishes unacknowledged at once. With 5.0 the server says how many it takes, and this can only lower it.
   * With 3.1.1 it cannot say: 20 by default, because servers of that time stall or drop beyond it.
   */
  readonly inFlightMax?: number;
  /** Messages, and bytes of payload, held for the reader before the socket is paused: 1,000 and 8 MiB by default. */
  readonly queueMessagesMax?: number;
  readonly queueBytesMax?: number;
  /** Publishes, and bytes of payload, that may wait to be sent: 10,000 and 8 MiB by default. */
  readonly waitingMax?: number;
  readonly waitingBytesMax?: number;
  /** "auto" (default): a message is acknowledged when its reader asks for the next one. "manual": by `message.ack()`. */
  readonly acknowledge?: "auto" | "manual";
  /** Weakening: lets a secret go in clear to another machine. */
  readonly insecureCleartextCredentials?: boolean;
  /** For load tools: sees each message as bytes, instead of the iterator; acknowledged when it returns. */
  readonly onMessageView?: (view: PublishView) => void;
  /** In place of the iterator: takes each message as it comes. Its Receive Maximum is the only bound. */
  readonly onMessage?: (message: MqttMessage) => void;
  /** Further properties of CONNECT (5.0). */
  readonly properties?: Properties;
  readonly transport?: OpenTransport;
  /** For tests: another clock, other randomness. */
  readonly world?: World;
}

const mebibyte = 1_048_576;

/** A connected client over `openTransport`, or over the transport that the options name. */
export async function openMqtt(
  url: string,
  options: MqttConnectOptions,
  openTransport: OpenTransport,
): Promise<MqttClient> {
  const address = parseAddress(url);
  const packet = connectPacket(address, options);
  refuseCleartext(address, packet, options);
  const client = new MqttClient({
    version: packet.version,
    keepAlive: packet.keepAlive,
    requestTimeout: options.requestTimeout ?? 30_000,
    maximumPacketSize: options.maximumPacketSize ?? 16 * mebibyte,
    receiveMaximum: options.receiveMaximum ?? 1000,
    inFlightMax: options.inFlightMax ?? (packet.version === 5 ? 65_535 : 20),
    queueMessagesMax: options.queueMessagesMax ?? 1000,
    queueBytesMax: options.queueBytesMax ?? 8 * mebibyte,
    waitingMax: options.waitingMax ?? 10_000,
    waitingBytesMax: options.waitingBytesMax ?? 8 * mebibyte,
    acknowledge: options.acknowledge ?? "auto",
    onMessage: options.onMessage,
    onMessageView: options.onMessageView,
    world: options.world ?? realWorld,
  });
  await open(client, address, packet, { ...options, transport: options.transport ?? openTransport });
  return client;
}

async function open(
  client: MqttClient,
  address: Address,
  packet: ConnectPacket,
  options: MqttConnectOptions & { readonly transport: OpenTransport },
): Promise<void> {
  const timeout = options.connectTimeout ?? 30_000;
  const { ca, serverName, world = realWorld } = options;
  const deadline = new AbortController();
  const timer = world.after(timeout, () => deadline.abort());
  const signal = options.signal === undefined ? deadline.signal : AbortSignal.any([options.signal, deadline.signal]);
  const late = (): MessError =>
    deadline.signal.aborted
      ? new MessError("TIMEOUT", `${address.host}:${address.port} did not answer within ${timeout} ms`)
      : new MessError("ABORTED", "connecting was given up", { cause: signal.reason });
  const giveUp = (): void => client.link.fail(late());
  try {
    const transport = await options.transport({ address, ca, serverName, signal }, client.link.transportEvents());
    client.link.attach(transport);
    signal.addEventListener("abort", giveUp, { once: true });
    await client.handshake(packet);
  } catch (error) {
    throw error instanceof MessError && error.code === "ABORTED" ? late() : error;
  } finally {
    timer.cancel();
    signal.removeEventListener("abort", giveUp);
  }
}

function connectPacket(address: Address, options: MqttConnectOptions): ConnectPacket {
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

function connectProperties(options: MqttConnectOptions): Properties {
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

function refuseCleartext(address: Address, packet: ConnectPacket, options: MqttConnectOptions): void {
  const credentials = packet.username !== undefined || packet.password !== undefined;
  if (!credentials || address.secure || address.loopback || options.insecureCleartextCredentials === true) return;
  throw new MessError("CLEARTEXT_CREDENTIALS", `the key would cross the network in clear to ${address.host}`, {
    hint: "use mqtts://",
  });
}
