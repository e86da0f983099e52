import {
  type ConnectPacket,
  PacketType,
  type Properties,
  type ProtocolVersion,
  type PublishView,
  type QoS,
} from "@mess/wire";
import { type Address, parseAddress } from "./address.ts";
import { payloadBytes } from "./check.ts";
import { MessClient } from "./client.ts";
import { MessError } from "./mess-error.ts";
import { openNodeTransport } from "./node-transport.ts";
import type { OpenTransport } from "./transport.ts";

export interface WillOptions {
  readonly topic: string;
  readonly payload: Uint8Array | string;
  /** 1 by default. */
  readonly qos?: QoS;
  readonly retain?: boolean;
  /** 5.0 only; `willDelayInterval` in seconds. */
  readonly properties?: Properties;
}

export interface ConnectOptions {
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
  readonly transport?: OpenTransport;
}

const mebibyte = 1_048_576;

/**
 * Connects to `mqtts://host[:port]` (or `mqtt://` on this machine) and resolves when the server has accepted.
 *
 * @throws MessError
 */
export async function connect(url: string, options: ConnectOptions = {}): Promise<MessClient> {
  const address = parseAddress(url);
  const packet = connectPacket(address, options);
  refuseCleartext(address, packet, options);
  const client = new MessClient({
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
    onMessageView: options.onMessageView,
  });
  await open(client, address, packet, options);
  return client;
}

async function open(
  client: MessClient,
  address: Address,
  packet: ConnectPacket,
  options: ConnectOptions,
): Promise<void> {
  const timeout = options.connectTimeout ?? 30_000;
  const deadline = AbortSignal.timeout(timeout);
  const signal = options.signal === undefined ? deadline : AbortSignal.any([options.signal, deadline]);
  const late = (): MessError =>
    deadline.aborted
      ? new MessError("TIMEOUT", `${address.host}:${address.port} did not answer within ${timeout} ms`)
      : new MessError("ABORTED", "connecting was given up", { cause: signal.reason });
  const giveUp = (): void => client.link.fail(late());
  const openTransport = options.transport ?? openNodeTransport;
  const { ca, serverName } = options;
  try {
    const transport = await openTransport({ address, ca, serverName, signal }, client.link.transportEvents());
    client.link.attach(transport);
    signal.addEventListener("abort", giveUp, { once: true });
    await client.handshake(packet);
  } catch (error) {
    throw error instanceof MessError && error.code === "ABORTED" ? late() : error;
  } finally {
    signal.removeEventListener("abort", giveUp);
  }
}

function connectPacket(address: Address, options: ConnectOptions): ConnectPacket {
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

function connectProperties(options: ConnectOptions): Properties {
  return {
    receiveMaximum: options.receiveMaximum ?? 1000,
    maximumPacketSize: options.maximumPacketSize ?? 16 * mebibyte,
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

function refuseCleartext(address: Address, packet: ConnectPacket, options: ConnectOptions): void {
  const credentials = packet.username !== undefined || packet.password !== undefined;
  if (!credentials || address.secure || address.loopback || options.insecureCleartextCredentials === true) return;
  throw new MessError("CLEARTEXT_CREDENTIALS", `the key would cross the network in clear to ${address.host}`, {
    hint: "use mqtts://",
  });
}
